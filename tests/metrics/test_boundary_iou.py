import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import boundary_iou


def naive_boundary(mask, distance):
    """Pixels of the mask with background, or the outside, in the square around them."""
    height, width = mask.shape
    boundary = torch.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            rows = range(y - distance, y + distance + 1)
            columns = range(x - distance, x + distance + 1)
            near_background = any(
                not (0 <= v < height and 0 <= u < width) or not mask[v, u]
                for v in rows
                for u in columns
            )
            boundary[y, x] = mask[y, x] and near_background
    return boundary


def naive(pred, target, dilation_ratio):
    distance = max(1, round(dilation_ratio * math.sqrt(pred.shape[0] ** 2 + pred.shape[1] ** 2)))
    p, t = naive_boundary(pred, distance), naive_boundary(target, distance)
    union = (p | t).sum().item()
    return (p & t).sum().item() / union if union else float("nan")


def blobs(*shape, cut=0.1):
    noise = torch.randn(shape).flatten(0, -3)[:, None]
    return (torch.nn.functional.avg_pool2d(noise, 5, 1, 2) > cut).view(shape)


@pytest.mark.parametrize("dilation_ratio", [0.001, 0.05, 0.11, 0.2, 2.0])
def test_naive_loop(dilation_ratio):
    preds, target = blobs(2, 3, 14, 19)
    want = [naive(p, t, dilation_ratio) for p, t in zip(preds, target, strict=True)]
    got = boundary_iou(preds, target, dilation_ratio=dilation_ratio)
    torch.testing.assert_close(got, torch.tensor(want), equal_nan=True)


def test_default_dilation_is_two_percent_of_the_diagonal():
    preds, target = torch.zeros(2, 60, 80, dtype=torch.bool)  # diagonal 100, so 2 pixels
    preds[20:30, 20:30] = target[20:30, 20:30] = True
    target[24:26, 24:26] = False  # a hole: everything within 2 pixels of it is boundary
    ring = 10 * 10 - 6 * 6
    assert boundary_iou(preds, target) == torch.tensor(ring / (100 - 4))


def test_distance_that_reaches_everywhere_gives_mask_iou():
    preds, target = blobs(2, 4, 16, 16)
    mask_iou = (preds & target).sum((1, 2)) / (preds | target).sum((1, 2))
    torch.testing.assert_close(boundary_iou(preds, target, dilation_ratio=1), mask_iou)


def test_image_border_is_boundary():
    full = torch.ones(10, 10, dtype=torch.bool)
    inner = full.clone()
    inner[1:-1, 1:-1] = False
    assert boundary_iou(full, inner, dilation_ratio=0.001) == 1


def test_leading_dimensions_are_kept():
    preds, target = blobs(2, 2, 3, 8, 9)
    value = boundary_iou(preds, target)
    assert value.shape == (2, 3)
    torch.testing.assert_close(value[1, 2], boundary_iou(preds[1, 2], target[1, 2]))


def test_both_masks_empty_is_nan_and_one_is_zero():
    empty, full = torch.zeros(8, 8, dtype=torch.bool), torch.ones(8, 8, dtype=torch.bool)
    assert boundary_iou(empty, empty).isnan()
    assert boundary_iou(empty, full) == boundary_iou(full, empty) == 0


@pytest.mark.parametrize("shape", [(0, 8, 8), (3, 0, 8)])
def test_no_masks(shape):
    empty = torch.zeros(shape, dtype=torch.bool)
    assert boundary_iou(empty, empty).shape == shape[:1]


@given(st.integers(0, 2**32), st.floats(0.01, 0.3))
def test_symmetric_between_0_and_1_and_blind_to_flips(seed, dilation_ratio):
    torch.manual_seed(seed)
    preds, target = blobs(2, 2, 9, 12)
    value = boundary_iou(preds, target, dilation_ratio=dilation_ratio)
    options = {"dilation_ratio": dilation_ratio}
    torch.testing.assert_close(value, boundary_iou(target, preds, **options), equal_nan=True)
    flipped = boundary_iou(preds.flip(1, 2), target.flip(1, 2), **options)
    torch.testing.assert_close(value, flipped, equal_nan=True)
    assert ((value >= 0) & (value <= 1) | value.isnan()).all()


@pytest.mark.as_user
class TestBadInput:
    mask = torch.ones(2, 8, 8, dtype=torch.bool)

    def test_shapes(self):
        with pytest.raises(ValueError, match="preds and target must have the same shape"):
            boundary_iou(self.mask, self.mask[0])

    def test_probabilities_instead_of_masks(self):
        with pytest.raises(ValueError, match="must be bool masks"):
            boundary_iou(self.mask.float(), self.mask.float())

    @pytest.mark.parametrize("ratio", [0, -0.1, float("nan"), float("inf")])
    def test_dilation_ratio(self, ratio):
        with pytest.raises(ValueError, match="dilation_ratio must be positive"):
            boundary_iou(self.mask, self.mask, dilation_ratio=ratio)
