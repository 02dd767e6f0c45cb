import math

import pytest
import torch
from hypothesis import given

from cvcourse.ops import box_iou, complete_box_iou, distance_box_iou
from tests import oracle
from tests.ops.boxes import box_lists, naive_iou, odd_boxes, random_boxes

BOTH = pytest.mark.parametrize("function", [distance_box_iou, complete_box_iou])


@pytest.mark.parametrize("case", oracle.cases("distance_box_iou"))
def test_distance_oracle_torchvision(case):
    oracle.assert_matches(case, distance_box_iou)


@pytest.mark.parametrize("case", oracle.cases("complete_box_iou"))
def test_complete_oracle_torchvision(case):
    oracle.assert_matches(case, complete_box_iou)


def naive(a, b, complete):
    iou = naive_iou(a, b)
    dx, dy = (a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2
    width, height = max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1])
    value = iou - (dx**2 + dy**2) / (width**2 + height**2 + 1e-7)
    if complete:
        angles = [math.atan((x[2] - x[0]) / (x[3] - x[1])) for x in (a, b)]
        v = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
        value -= v**2 / (1 - iou + v + 1e-7)
    return value


@BOTH
def test_naive_loop(function):
    boxes1, boxes2 = random_boxes(6), random_boxes(5)
    complete = function is complete_box_iou
    want = [[naive(a, b, complete) for b in boxes2.tolist()] for a in boxes1.tolist()]
    torch.testing.assert_close(function(boxes1, boxes2), torch.tensor(want, dtype=torch.float64))


@BOTH
def test_boxes_without_area_have_a_value_and_a_finite_gradient(function):
    boxes = odd_boxes()[:7].requires_grad_()
    value = function(boxes, odd_boxes()[:7])
    (gradient,) = torch.autograd.grad(value.sum(), boxes)
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    assert function(boxes[6:], boxes[6:]) == 0  # a point with itself


@BOTH
@given(boxes1=box_lists(), boxes2=box_lists())
def test_symmetric_bounded_and_below_iou(function, boxes1, boxes2):
    value = function(boxes1, boxes2)
    torch.testing.assert_close(value, function(boxes2, boxes1).T, rtol=0, atol=1e-12)
    assert ((value > -2) & (value <= box_iou(boxes1, boxes2))).all()
    assert torch.equal(function(boxes1, boxes1).diagonal(), torch.ones(len(boxes1)).double())


def test_same_shape_same_value():
    boxes1 = random_boxes(5)
    boxes2 = boxes1 + torch.rand(1, 2, dtype=torch.float64).repeat(1, 2)
    distance, complete = (
        f(boxes1, boxes2).diagonal() for f in (distance_box_iou, complete_box_iou)
    )
    torch.testing.assert_close(distance, complete)


@BOTH
def test_leading_axes_broadcast_and_empty(function):
    boxes1, boxes2 = random_boxes(6).view(2, 3, 4), random_boxes(5)
    want = torch.stack([function(b, boxes2) for b in boxes1])
    torch.testing.assert_close(function(boxes1, boxes2), want)
    assert function(boxes1[:, :0], boxes2).shape == (2, 0, 5)


def test_distance_gradcheck():
    boxes = random_boxes(4).requires_grad_(), random_boxes(3).requires_grad_()
    assert torch.autograd.gradcheck(distance_box_iou, boxes)


def test_gradient_of_complete_keeps_alpha_constant():
    """Numerical differences would differentiate alpha too, so take it from the formula by hand."""
    boxes1, boxes2 = random_boxes(4).requires_grad_(), random_boxes(3)
    iou, distance = box_iou(boxes1, boxes2), distance_box_iou(boxes1, boxes2)
    angle1, angle2 = (
        torch.atan((b[:, 2] - b[:, 0]) / (b[:, 3] - b[:, 1])) for b in (boxes1, boxes2)
    )
    v = 4 / math.pi**2 * (angle1[:, None] - angle2) ** 2
    alpha = (v / (1 - iou + v + 1e-7)).detach()
    want = torch.autograd.grad((distance - alpha * v).sum(), boxes1)
    got = torch.autograd.grad(complete_box_iou(boxes1, boxes2).sum(), boxes1)
    torch.testing.assert_close(got, want)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32], ids=str)
def test_small_types_are_computed_in_float32(function, dtype):
    boxes = (random_boxes(4) * 50).to(dtype)
    assert torch.equal(function(boxes, boxes), function(boxes.float(), boxes.float()))


@BOTH
@pytest.mark.as_user
def test_bad_input(function):
    with pytest.raises(ValueError, match="boxes1 must have shape"):
        function(torch.zeros(5), torch.zeros(4, 4))
