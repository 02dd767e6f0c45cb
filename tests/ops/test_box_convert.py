import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.ops import box_convert
from cvcourse.ops.box_convert import FORMATS
from tests import oracle
from tests.ops.boxes import box_lists, random_boxes


@pytest.mark.parametrize("fmt", ["xywh", "cxcywh"])
def test_goldens_torchvision(fmt):
    goldens = oracle.goldens()
    boxes, want = goldens["box_convert/input"], goldens[f"box_convert/xyxy_{fmt}"]
    torch.testing.assert_close(box_convert(boxes, "xyxy", fmt), want, rtol=0, atol=0)
    torch.testing.assert_close(box_convert(want, fmt, "xyxy"), boxes, rtol=0, atol=0)


def test_by_hand():
    xyxy, xywh, cxcywh = (torch.tensor([b]) for b in ([2, 3, 6, 13], [2, 3, 4, 10], [4, 8, 4, 10]))
    assert torch.equal(box_convert(xyxy, "xyxy", "xywh"), xywh)
    assert torch.equal(box_convert(xywh, "xywh", "cxcywh"), cxcywh.float())
    assert torch.equal(box_convert(cxcywh, "cxcywh", "xywh"), xywh.float())


@given(box_lists(), st.sampled_from(FORMATS), st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_any_way_round_and_back(boxes, first, second, third):
    there = box_convert(box_convert(boxes, first, second), second, third)
    assert torch.equal(there, box_convert(boxes, first, third))
    assert torch.equal(box_convert(there, third, first), boxes)


def test_halves_survive_integers():
    boxes = torch.tensor([[0, 0, 5, 3]])
    assert box_convert(boxes, "xyxy", "cxcywh").tolist() == [[2.5, 1.5, 5, 3]]
    assert box_convert(boxes, "xyxy", "xywh").dtype == torch.int64


def test_result_is_a_copy():
    boxes = torch.zeros(1, 4)
    box_convert(boxes, "xyxy", "xyxy").add_(1)
    assert not boxes.any()


@pytest.mark.parametrize(
    ("dtype", "wide"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float64, torch.float64),
        (torch.uint8, torch.int64),
    ],
    ids=str,
)
def test_a_far_side_is_neither_rounded_nor_wrapped(dtype, wide):
    boxes = torch.tensor([[200, 100, 101, 203]]).to(dtype)
    there = box_convert(boxes, "xywh", "xyxy")
    assert there.tolist() == [[*boxes[0, :2].tolist(), *(boxes[0, :2].double() + boxes[0, 2:])]]
    assert there.dtype == box_convert(boxes, "xyxy", "xyxy").dtype == wide
    assert torch.equal(box_convert(there, "xyxy", "xywh"), boxes.to(wide))


@pytest.mark.parametrize("fmt", FORMATS)
def test_gradcheck_and_empty(fmt):
    boxes = random_boxes(3).requires_grad_()
    assert torch.autograd.gradcheck(lambda b: box_convert(b, "cxcywh", fmt), boxes)
    assert box_convert(torch.zeros(2, 0, 4), fmt, "xyxy").shape == (2, 0, 4)


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match=r"in_fmt must be one of 'xyxy', .* got 'xxyy'"):
        box_convert(torch.zeros(1, 4), "xxyy", "xyxy")
    with pytest.raises(ValueError, match="out_fmt must be one of"):
        box_convert(torch.zeros(1, 4), "xyxy", "yolo")
    with pytest.raises(ValueError, match="boxes must have shape"):
        box_convert(torch.zeros(4, 5), "xyxy", "xywh")
