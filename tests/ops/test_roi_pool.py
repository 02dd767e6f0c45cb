import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.ops import roi_pool


def half_away(value):
    return math.copysign(math.floor(abs(value) + 0.5), value)


def naive(feature, roi, bins, scale):
    image, *box = roi.tolist()
    x1, y1, x2, y2 = (int(half_away(b * scale)) for b in box)
    width, height = max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)
    feature = feature[int(image)]
    out = torch.zeros(len(feature), *bins, dtype=feature.dtype)
    for i in range(bins[0]):
        for j in range(bins[1]):
            rows = range(y1 + i * height // bins[0], y1 - -(i + 1) * height // bins[0])
            columns = range(x1 + j * width // bins[1], x1 - -(j + 1) * width // bins[1])
            rows = [y for y in rows if 0 <= y < feature.shape[1]]
            columns = [x for x in columns if 0 <= x < feature.shape[2]]
            if rows and columns:
                out[:, i, j] = feature[:, rows][:, :, columns].amax((1, 2))
    return out


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_naive_loop(scale):
    feature = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    corner = (20 * torch.rand(12, 2, dtype=torch.float64) - 8) / scale
    sides = 12 * torch.rand(12, 2, dtype=torch.float64) / scale
    rois = torch.cat((torch.arange(12)[:, None] % 2, corner, corner + sides), dim=1)
    got = roi_pool(feature, rois, (2, 3), scale)
    want = torch.stack([naive(feature, roi, (2, 3), scale) for roi in rois])
    torch.testing.assert_close(got, want, rtol=0, atol=0)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_the_whole_map_is_adaptive_max_pooling(height, width, bins):
    feature = torch.randn(1, 2, height, width)
    got = roi_pool(feature, torch.tensor([[0.0, 0, 0, width - 1, height - 1]]), bins)
    assert torch.equal(got, F.adaptive_max_pool2d(feature, bins))


def test_corners_are_rounded_half_away_from_zero():
    feature = torch.arange(36.0).view(1, 1, 6, 6)
    boxes = torch.tensor([[0, 0.5, 0.5, 1.49, 1.49], [0, 2.5, 2.5, 2.5, 2.5], [0, -0.5, 0, 0, 0]])
    assert roi_pool(feature, boxes, 1).flatten().tolist() == [7, 21, 0]


def test_outside_empty_and_malformed():
    feature = -torch.ones(1, 2, 4, 4)
    boxes = torch.tensor([[0.0, 9, 9, 12, 12], [0, -3, -3, 0, 0], [0, 3, 3, 1, 1]])
    outside, corner, malformed = roi_pool(feature, boxes, 2)
    assert outside.eq(0).all()
    assert corner[:, 1, 1].eq(-1).all()
    assert corner.sum() == -2
    assert malformed.eq(-1).all()  # one pixel
    assert roi_pool(feature, [torch.zeros(0, 4)], 2).shape == (0, 2, 2, 2)
    assert roi_pool(feature[:0], [], 2).shape == (0, 2, 2, 2)


def test_gradient_goes_to_one_maximum():
    feature = torch.zeros(1, 1, 4, 4, requires_grad=True)
    out = roi_pool(feature, torch.tensor([[0.0, 0, 0, 3, 3], [0, -9, -9, -5, -5]]), 2)
    (gradient,) = torch.autograd.grad(out.sum(), feature)
    assert sorted(gradient.flatten().tolist()) == [0] * 12 + [1] * 4
    assert gradient.view(2, 2, 2, 2).sum((1, 3)).eq(1).all()


def test_gradcheck():
    feature = torch.randn(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor([[0, 0, 0, 4, 4], [1, -1, 1, 7, 3], [1, 2, 2, 2, 2]]).double()
    assert torch.autograd.gradcheck(lambda f: roi_pool(f, rois, 2), feature)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision(dtype):
    feature, rois = torch.randn(1, 2, 6, 6).to(dtype), torch.tensor([[0.0, 1, 1, 5, 4]])
    got = roi_pool(feature, rois, 2)
    assert got.dtype == dtype
    assert torch.equal(got, roi_pool(feature.float(), rois, 2).to(dtype))


def test_huge_boxes_and_nan_pixels():
    feature = torch.ones(1, 1, 3, 3)
    feature[0, 0, 1, 1] = math.nan
    boxes = torch.tensor([[0, -1e30, -1e30, 1e30, 1e30], [0, 0, 0, 0, 0]])
    huge, first = roi_pool(feature, boxes, 1)
    assert huge.isnan()
    assert first == 1


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": torch.zeros(3, 4, 4)}, "input must have shape"),
        ({"input": torch.zeros(2, 3, 4, 4).long()}, "input must be floating point"),
        ({"input": torch.zeros(2, 3, 4, 0)}, "input must have at least one pixel"),
        ({"boxes": torch.tensor([[2.0, 0, 0, 1, 1]])}, "image indices from 0 to 1"),
        ({"boxes": torch.tensor([[0.0, 0, 0, math.inf, 1]])}, "boxes must be finite"),
        ({"boxes": torch.tensor([[0.0, 0, math.nan, 1, 1]])}, "boxes must be finite"),
        ({"output_size": 0}, "output_size must be one or two integers"),
        ({"spatial_scale": -1.0}, "spatial_scale must be positive"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
def test_bad_input(change, message):
    inputs = {"input": torch.zeros(2, 3, 4, 4), "boxes": torch.zeros(1, 5), "output_size": 2}
    with pytest.raises(ValueError, match=message):
        roi_pool(**inputs | change)
