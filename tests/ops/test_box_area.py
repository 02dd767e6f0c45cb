import pytest
import torch

from cvcourse.ops import box_area
from tests.ops.boxes import odd_boxes, random_boxes


def test_naive_loop():
    boxes = random_boxes(7)
    want = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes.tolist()]
    torch.testing.assert_close(box_area(boxes), torch.tensor(want, dtype=torch.float64))


def test_odd_boxes():
    assert box_area(odd_boxes()).tolist() == [1, 1, 1, 1, 0.25, 0, 0, -1, 1, 4]


@pytest.mark.parametrize("shape", [(0, 4), (4,), (2, 3, 4), (2, 0, 4)], ids=str)
def test_any_leading_axes(shape):
    assert box_area(torch.zeros(shape)).shape == shape[:-1]


def test_large_numbers_of_small_types():
    for dtype in (torch.float16, torch.bfloat16, torch.int16, torch.uint8):
        area = box_area(torch.tensor([0, 0, 200, 200], dtype=dtype))
        assert area.dtype == torch.float32
        assert area == 40_000  # beyond uint8 and int16, at the end of float16


def test_gradcheck():
    assert torch.autograd.gradcheck(box_area, random_boxes(4).requires_grad_())


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match=r"boxes must have shape .* got \(4, 3\)"):
        box_area(torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"boxes must hold real numbers, got torch.bool"):
        box_area(torch.zeros(4, 4, dtype=torch.bool))
