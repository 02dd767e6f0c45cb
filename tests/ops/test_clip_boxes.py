import math

import pytest
import torch
from hypothesis import given

from cvcourse.ops import box_area, clip_boxes, remove_small_boxes
from tests import oracle
from tests.ops.boxes import box_lists, odd_boxes


def test_clip_goldens_torchvision():
    goldens = oracle.goldens()
    want = goldens["clip_boxes_to_image/A_h12_w9"]
    torch.testing.assert_close(clip_boxes(goldens["box/A"], (12, 9)), want, rtol=0, atol=0)


@pytest.mark.parametrize("size", [0.0, 0.01, 6.0])
def test_remove_small_goldens_torchvision(size):
    goldens = oracle.goldens()
    kept = remove_small_boxes(goldens["box/A"], size)
    assert torch.equal(kept, goldens[f"remove_small_boxes/A_{size}"])


@given(box_lists())
def test_clipped_boxes_lie_inside_and_stay_there(boxes):
    clipped = clip_boxes(boxes, (5, 7))
    assert ((clipped >= 0) & (clipped <= torch.tensor([7, 5, 7, 5]))).all()
    assert (box_area(clipped) <= box_area(boxes)).all()
    assert torch.equal(clip_boxes(clipped, (5, 7)), clipped)


def test_any_shape_and_integers():
    assert clip_boxes(torch.full((2, 0, 4), 9.0), (3, 4)).shape == (2, 0, 4)
    assert clip_boxes(torch.tensor([-1, -1, 9, 9]), (3, 4)).tolist() == [0, 0, 4, 3]
    assert remove_small_boxes(torch.zeros(0, 4), 1).tolist() == []


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16], ids=str)
def test_a_border_that_the_dtype_cannot_hold(dtype):
    boxes = torch.tensor([[0, 250, 128, 251]]).to(dtype)
    assert clip_boxes(boxes, (4099, 4099)).tolist() == boxes.tolist()
    if dtype.is_floating_point:
        assert clip_boxes(16 * boxes, (2049, 2049)).tolist() == [[0, 2049, 2048, 2049]]


def test_nan_stays_when_clipped_and_goes_when_small():
    boxes = torch.tensor([[math.nan, 0, 5, 5], [-math.inf, 0, math.inf, 5]])
    assert clip_boxes(boxes, (4, 4))[0, 0].isnan()
    assert clip_boxes(boxes, (4, 4))[1].tolist() == [0, 0, 4, 4]
    assert remove_small_boxes(boxes, 1).tolist() == [1]


def test_malformed_boxes_are_small():
    assert remove_small_boxes(odd_boxes(), 0).tolist() == [0, 1, 2, 3, 4, 5, 6, 9]


def test_gradcheck():
    boxes = torch.tensor([[-1.0, -1, 4, 9], [1, 1, 3, 3]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda b: clip_boxes(b, (5, 7)), boxes)


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match=r"size must be one or two integers >= 0, got \(4, -1\)"):
        clip_boxes(torch.zeros(1, 4), (4, -1))
    with pytest.raises(ValueError, match="boxes must have shape"):
        clip_boxes(torch.zeros(1, 5), (4, 4))
    with pytest.raises(ValueError, match="boxes must have shape"):
        remove_small_boxes(torch.zeros(1, 3), 1)
