import math

import pytest
import torch
from hypothesis import given

from cvcourse.ops import box_convert, box_iou
from tests import oracle
from tests.ops.boxes import box_lists, naive_iou, odd_boxes, random_boxes


@pytest.mark.parametrize("case", oracle.cases("box_iou"))
def test_oracle_torchvision(case):
    oracle.assert_matches(case, box_iou)


def test_goldens_torchvision():
    goldens = oracle.goldens()
    a, b = goldens["box/A"], goldens["box/B"]
    pairs = {
        "AB": (a, b),
        "AA": (a, a),
        "empty_B": (a[:0], b),
        "A_empty": (a, b[:0]),
        "int64": (a[:6].long(), b[:2].long()),
    }
    for name, (boxes1, boxes2) in pairs.items():
        want = goldens[f"box_iou/{name}"].nan_to_num(0)  # 0 / 0 is nan in torchvision, 0 here
        torch.testing.assert_close(box_iou(boxes1, boxes2), want, rtol=0, atol=0)


@pytest.mark.parametrize("fmt", ["xywh", "cxcywh"])
def test_other_formats_are_converted_first(fmt):
    boxes1, boxes2 = random_boxes(6), random_boxes(5)
    converted = [box_convert(boxes, "xyxy", fmt) for boxes in (boxes1, boxes2)]
    torch.testing.assert_close(box_iou(*converted, fmt), box_iou(boxes1, boxes2))


@pytest.mark.as_user
def test_unknown_format():
    with pytest.raises(ValueError, match="fmt"):
        box_iou(random_boxes(1), random_boxes(1), "yxyx")


def test_naive_loop():
    boxes1, boxes2 = random_boxes(6), random_boxes(5)
    want = [[naive_iou(a, b) for b in boxes2.tolist()] for a in boxes1.tolist()]
    torch.testing.assert_close(box_iou(boxes1, boxes2), torch.tensor(want, dtype=torch.float64))


def test_odd_boxes_with_the_unit_box():
    iou = box_iou(odd_boxes(), odd_boxes()[:1]).squeeze(1)
    assert iou.tolist() == [1, 1, 0, 0, 0.25, 0, 0, 0, 0, 0]


def test_no_area_and_malformed_are_zero_with_all():
    iou = box_iou(odd_boxes()[5:9], odd_boxes())
    assert torch.equal(iou, torch.zeros(4, 10))


def test_nan_and_infinity():
    odd = torch.tensor([[math.nan, 0, 1, 1], [0, 0, math.inf, 1], [0, 0, 1, 1]])
    iou = box_iou(odd, odd)
    assert iou[0].isnan().all()
    assert iou[1, 2] == 0  # a vanishing part of it
    assert iou[2, 2] == 1


def test_zero_area_has_a_finite_gradient():
    boxes = odd_boxes().requires_grad_()
    (gradient,) = torch.autograd.grad(box_iou(boxes, odd_boxes()).sum(), boxes)
    assert gradient.isfinite().all()


@given(box_lists(), box_lists())
def test_symmetric_and_bounded(boxes1, boxes2):
    iou = box_iou(boxes1, boxes2)
    assert torch.equal(iou, box_iou(boxes2, boxes1).T)
    assert ((iou >= 0) & (iou <= 1)).all()
    assert torch.equal(box_iou(boxes1, boxes1).diagonal(), torch.ones(len(boxes1)).double())


@given(box_lists(1), box_lists(1))
def test_unchanged_by_shift_scale_and_swapped_axes(boxes1, boxes2):
    iou = box_iou(boxes1, boxes2)
    moved = [2 * b + torch.tensor([3.0, -5, 3, -5]) for b in (boxes1, boxes2)]
    torch.testing.assert_close(box_iou(*moved), iou, rtol=1e-12, atol=0)
    turned = [b[:, [1, 0, 3, 2]] for b in (boxes1, boxes2)]
    assert torch.equal(box_iou(*turned), iou)


def test_leading_axes_broadcast():
    boxes1, boxes2 = random_boxes(6).view(2, 3, 4), random_boxes(5)
    want = torch.stack([box_iou(b, boxes2) for b in boxes1])
    assert torch.equal(box_iou(boxes1, boxes2), want)
    assert torch.equal(box_iou(boxes1, boxes2.expand(2, 5, 4)), want)
    assert box_iou(torch.zeros(2, 0, 4), boxes2).shape == (2, 0, 5)


def test_gradcheck():
    boxes = random_boxes(4).requires_grad_(), random_boxes(3).requires_grad_()
    assert torch.autograd.gradcheck(box_iou, boxes)
    assert torch.autograd.gradgradcheck(box_iou, boxes)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32], ids=str)
def test_small_types_are_computed_in_float32(dtype):
    boxes = (random_boxes(4) * 50).to(dtype)  # areas beyond the range of float16
    iou = box_iou(boxes, boxes)
    assert iou.dtype == torch.float32
    assert torch.equal(iou, box_iou(boxes.float(), boxes.float()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.uint8], ids=str)
@pytest.mark.parametrize("fmt", ["xywh", "cxcywh"])
def test_other_formats_are_converted_wide(fmt, dtype):
    """The far sides 305 and 306 have no place in bfloat16, nor in eight bits."""
    start = 200 if dtype == torch.uint8 else 300
    pair = [torch.tensor([[start, start, side, side]]).to(dtype) for side in (105, 106)]
    assert box_iou(*pair, fmt=fmt).item() == pytest.approx(105**2 / 106**2)


def test_areas_of_the_largest_pictures():
    """Areas of 2⁴⁰ are beyond float16, int32 and the whole numbers of float32."""
    side = 2**20
    boxes = torch.tensor([[0, 0, side, side], [0, 0, side, side // 2]], dtype=torch.int32)
    assert box_iou(boxes, boxes).tolist() == [[1.0, 0.5], [0.5, 1.0]]


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match=r"boxes1 must have shape .* got \(4, 5\)"):
        box_iou(torch.zeros(4, 5), torch.zeros(4, 4))
    with pytest.raises(ValueError, match=r"boxes2 must have shape \(..., m, 4\), got \(4,\)"):
        box_iou(torch.zeros(4, 4), torch.zeros(4))
    with pytest.raises(ValueError, match="boxes1 must hold real numbers"):
        box_iou(torch.zeros(4, 4, dtype=torch.complex64), torch.zeros(4, 4))
