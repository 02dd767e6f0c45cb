import pytest
import torch
from hypothesis import given

from cvcourse.ops import box_iou, generalized_box_iou
from tests import oracle
from tests.ops.boxes import box_lists, naive_iou, odd_boxes, random_boxes


@pytest.mark.parametrize("case", oracle.cases("generalized_box_iou"))
def test_oracle_torchvision(case):
    oracle.assert_matches(case, generalized_box_iou)


def test_goldens_torchvision():
    goldens = oracle.goldens()
    a, b = goldens["box/A"], goldens["box/B"]
    want = goldens["generalized_box_iou/AB"]
    defined = ~want.isnan()  # 0 / 0 is nan in torchvision
    assert (~defined).sum() == 4
    got = generalized_box_iou(a, b)
    torch.testing.assert_close(got[defined], want[defined], rtol=0, atol=1e-6)
    # Two lines or points: IoU 0, less the share of the hull that they leave empty, all or 0 / 0.
    assert got[~defined].tolist() == [0, -1, -1, 0]
    assert generalized_box_iou(a[:0], b).shape == goldens["generalized_box_iou/empty_B"].shape


def naive(a, b):
    iou = naive_iou(a, b)
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    union = area / (1 + iou)
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return iou - (hull - union) / hull


def test_naive_loop():
    boxes1, boxes2 = random_boxes(6), random_boxes(5)
    want = [[naive(a, b) for b in boxes2.tolist()] for a in boxes1.tolist()]
    got = generalized_box_iou(boxes1, boxes2)
    torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float64))


def test_identical_touching_far():
    unit = torch.tensor([[0.0, 0, 1, 1]])
    others = torch.tensor([[0.0, 0, 1, 1], [1, 0, 2, 1], [1, 1, 2, 2], [99, 0, 100, 1]])
    got = generalized_box_iou(unit, others)[0]
    torch.testing.assert_close(got, torch.tensor([1, 0, -0.5, -0.98]))


def test_zero_area_has_a_finite_gradient():
    boxes = odd_boxes()[:7].requires_grad_()
    (gradient,) = torch.autograd.grad(generalized_box_iou(boxes, odd_boxes()[:7]).sum(), boxes)
    assert gradient.isfinite().all()


@given(box_lists(), box_lists())
def test_symmetric_bounded_and_below_iou(boxes1, boxes2):
    giou = generalized_box_iou(boxes1, boxes2)
    assert torch.equal(giou, generalized_box_iou(boxes2, boxes1).T)
    assert ((giou > -1) & (giou <= box_iou(boxes1, boxes2) + 1e-12)).all()


def test_leading_axes_broadcast():
    boxes1, boxes2 = random_boxes(6).view(2, 3, 4), random_boxes(5)
    want = torch.stack([generalized_box_iou(b, boxes2) for b in boxes1])
    assert torch.equal(generalized_box_iou(boxes1, boxes2), want)


def test_gradcheck():
    boxes = random_boxes(4).requires_grad_(), random_boxes(3).requires_grad_()
    assert torch.autograd.gradcheck(generalized_box_iou, boxes)
    assert torch.autograd.gradgradcheck(generalized_box_iou, boxes)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32], ids=str)
def test_small_types_are_computed_in_float32(dtype):
    boxes = (random_boxes(4) * 50).to(dtype)
    want = generalized_box_iou(boxes.float(), boxes.float())
    assert torch.equal(generalized_box_iou(boxes, boxes), want)


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="boxes2 must have shape"):
        generalized_box_iou(torch.zeros(4, 4), torch.zeros(4, 5))
