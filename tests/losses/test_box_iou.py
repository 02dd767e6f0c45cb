import math

import pytest
import torch

from cvcourse.losses import (
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
)
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
    refuses,
)

LOSSES = {
    "generalized_box_iou_loss": generalized_box_iou_loss,
    "distance_box_iou_loss": distance_box_iou_loss,
    "complete_box_iou_loss": complete_box_iou_loss,
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def random_boxes(n, seed=0):
    corners = 10 * torch.rand(n, 2, 2, generator=torch.Generator().manual_seed(seed))
    return torch.cat([corners.amin(1), corners.amax(1)], 1).double()


@pytest.mark.parametrize("case", [c for name in LOSSES for c in oracle.cases(name)])
def test_oracle_torchvision(case):
    oracle.assert_matches(case, LOSSES[case["function"]])


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_golden_torchvision_with_degenerate_boxes(reduction):
    golden = oracle.goldens()
    a = golden["box/A"]
    index = golden.get("generalized_box_iou_loss/index", torch.arange(len(a)))
    want = golden[f"generalized_box_iou_loss/{reduction}"]
    got = generalized_box_iou_loss(a[index], a[index].roll(1, 0), reduction)
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)


def naive(a, b, kind):
    wide, high = (max(0, min(a[k + 2], b[k + 2]) - max(a[k], b[k])) for k in (0, 1))
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    union = sum(areas) - wide * high
    iou = wide * high / union
    hull = [max(a[k + 2], b[k + 2]) - min(a[k], b[k]) for k in (0, 1)]
    if kind == "generalized_box_iou_loss":
        return 1 - iou + (hull[0] * hull[1] - union) / (hull[0] * hull[1])
    centres = [[(c[k] + c[k + 2]) / 2 for k in (0, 1)] for c in (a, b)]
    loss = 1 - iou + math.dist(*centres) ** 2 / (hull[0] ** 2 + hull[1] ** 2)
    if kind == "distance_box_iou_loss":
        return loss
    angles = [math.atan((c[2] - c[0]) / (c[3] - c[1])) for c in (a, b)]
    v = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    return loss + v * v / (1 - iou + v)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_naive_loop(kind, reduction):
    a, b = random_boxes(20, 0), random_boxes(20, 1)
    want = [naive(*pair, kind) for pair in zip(a.tolist(), b.tolist(), strict=True)]
    want = {"none": want, "mean": sum(want) / 20, "sum": sum(want)}[reduction]
    assert_close(LOSSES[kind](a, b, reduction, eps=0), want)


@every_loss
def test_gradcheck(loss):
    a, b = random_boxes(5, 2), random_boxes(5, 3)
    if loss is complete_box_iou_loss:  # alpha is a constant, which finite differences do not know
        a, b = (torch.tensor([[x, x, x + 4, x + 6.0]]) for x in (0, 1))
        a[0, 2:] = torch.tensor([8.0, 12.0])
        angle = [torch.atan2(*(c[:, 2:] - c[:, :2]).unbind(1)) for c in (a, b)]
        assert angle[0] == angle[1]  # so that v = 0, and its term has no gradient
    gradcheck(loss, a, b)


def test_alpha_carries_no_gradient():
    a, b = random_boxes(5, 2).requires_grad_(), random_boxes(5, 3)

    def parts(boxes):
        iou_and_distance = distance_box_iou_loss(boxes, b)
        angle = [torch.atan((c[:, 2] - c[:, 0]) / (c[:, 3] - c[:, 1])) for c in (boxes, b)]
        return iou_and_distance, 4 / math.pi**2 * (angle[0] - angle[1]).square()

    with torch.no_grad():
        _, v = parts(a)
        alpha = (complete_box_iou_loss(a, b) - distance_box_iou_loss(a, b)) / v
    distance, v = parts(a)
    (want,) = torch.autograd.grad((distance + alpha * v).sum(), a)
    (got,) = torch.autograd.grad(complete_box_iou_loss(a, b, "sum"), a)
    torch.testing.assert_close(got, want)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64])
def test_half_and_integers_are_computed_in_single_precision(loss, dtype):
    a, b = torch.tensor([[0, 0, 1000, 900]]), torch.tensor([[500, 0, 1500, 1000]])
    got = loss(a.to(dtype), b.to(dtype))
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, loss(a.to(dtype).float(), b.to(dtype).float()))
    assert got.isfinite().all()


@every_loss
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_empty(loss, reduction):
    boxes = torch.zeros(0, 4, requires_grad=True)
    assert_zero_with_gradient(loss(boxes, boxes, reduction), boxes)


@every_loss
def test_identical(loss):
    boxes = random_boxes(4)
    assert_close(loss(boxes, boxes, eps=1e-12), torch.zeros(4), atol=1e-9)
    assert_close(loss(boxes, boxes), torch.zeros(4), atol=1e-6)


@every_loss
def test_points_and_lines_are_finite(loss):
    boxes = torch.tensor([[1.0, 1, 1, 1], [1, 1, 5, 1], [2, 0, 2, 3], [0, 0, 4, 4]])
    a, b = (x.clone().requires_grad_() for x in torch.broadcast_tensors(boxes[:, None], boxes))
    assert_finite_gradient(loss(a, b), a, b)
    assert_close(loss(boxes[0], boxes[0]), 1.0)


@every_loss
def test_touching_boxes_have_no_overlap(loss):
    a, b = torch.tensor([0.0, 0, 1, 1]), torch.tensor([1.0, 0, 2, 1])
    assert loss(a, b) >= 1


@every_loss
def test_nan_stays_nan(loss):
    boxes = random_boxes(2)
    boxes[0, 0] = math.nan
    assert loss(boxes, random_boxes(2, 1)).isnan().tolist() == [True, False]


@every_loss
def test_property_symmetric_bounded_and_free_of_shift_and_scale(loss):
    a, b = random_boxes(50, 4), random_boxes(50, 5)
    value = loss(a, b, eps=0)
    assert ((value >= 0) & (value < 3)).all()
    assert_close(loss(b, a, eps=0), value)
    assert_close(loss(7 * a + 3, 7 * b + 3, eps=0), value, 1e-9)


@pytest.mark.as_user
@every_loss
def test_bad_input(loss):
    boxes = torch.zeros(2, 4)
    with refuses("boxes1"):
        loss(boxes[:, :3], boxes[:, :3])
    with refuses("boxes1"):
        loss(torch.tensor(1.0), torch.tensor(1.0))
    with refuses("boxes2"):
        loss(boxes, boxes[:1])
    with refuses("reduction"):
        loss(boxes, boxes, "avg")
