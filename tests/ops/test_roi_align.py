import math
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.ops import roi_align
from tests import oracle

TWO_MAPS = {"p3x4_s1.0": ((3, 4), 1.0), "p7x7_s0.5": ((7, 7), 0.5)}


@pytest.mark.parametrize("case", oracle.cases("roi_align"))
def test_oracle_torchvision(case):
    oracle.assert_matches(case, lambda input, rois, **options: roi_align(input, rois, **options))


@pytest.mark.parametrize("aligned", [True, False], ids=["aligned", "legacy"])
@pytest.mark.parametrize("ratio", [2, -1])
@pytest.mark.parametrize("size", TWO_MAPS)
@pytest.mark.parametrize("where", ["inside", "outside"])
def test_goldens_torchvision_kernel(where, size, ratio, aligned):
    goldens = oracle.goldens()
    feature, rois = goldens["roi/feature"], goldens[f"roi/{where}"]
    got = roi_align(feature, rois, *TWO_MAPS[size], ratio, aligned)
    want = goldens[f"roi/{where}_{size}_sr{ratio}_{'aligned' if aligned else 'legacy'}"]
    torch.testing.assert_close(got, want, rtol=0, atol=1e-6)


def test_goldens_are_not_the_python_fallback():
    goldens = oracle.goldens()
    got = roi_align(goldens["roi/feature"], goldens["roi/outside"], (3, 4), 1.0, 2, True)
    fallback = goldens["roi/outside_p3x4_s1.0_sr2_aligned_python_fallback"]
    assert (got - fallback).abs().max() > 0.1


def test_other_goldens_torchvision():
    goldens = oracle.goldens()
    feature, inside = goldens["roi/feature"], goldens["roi/inside"]
    empty = roi_align(feature, inside[:0], 2)
    assert torch.equal(empty, goldens["roi/empty"])
    feature = feature.clone().requires_grad_()
    out = roi_align(feature, inside, (3, 4), 1.0, 2, True)
    (gradient,) = torch.autograd.grad((out**2).sum(), feature)
    want = goldens["roi/grad_inside_p3x4_sr2_aligned"]
    torch.testing.assert_close(gradient, want, rtol=0, atol=1e-6)


def test_golden_of_listed_boxes_torchvision():
    goldens = oracle.goldens()
    feature, rois = goldens["roi/feature"], goldens["roi/inside"]
    listed = [rois[[0, 2], 1:], rois[[1, 3], 1:]]
    got = roi_align(feature, listed, 2, sampling_ratio=2, aligned=True)
    want = goldens["roi/list_boxes_aligned"]
    torch.testing.assert_close(got, want, rtol=0, atol=1e-6)


def pixel(plane, y, x):
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    dy, dx = y - y0, x - x0
    top = plane[y0, x0] * (1 - dx) + plane[y0, x1] * dx
    bottom = plane[y1, x0] * (1 - dx) + plane[y1, x1] * dx
    return top * (1 - dy) + bottom * dy


def naive(feature, roi, bins, scale, ratio, aligned):
    image, *box = roi.tolist()
    x1, y1, x2, y2 = (b * scale - 0.5 * aligned for b in box)
    width, height = x2 - x1, y2 - y1
    if not aligned:
        width, height = max(width, 1), max(height, 1)
    ny = ratio if ratio > 0 else max(math.ceil(height / bins[0]), 0)
    nx = ratio if ratio > 0 else max(math.ceil(width / bins[1]), 0)
    out = torch.zeros(len(feature[0]), *bins, dtype=feature.dtype)
    for c, plane in enumerate(feature[int(image)]):
        for i in range(bins[0]):
            for j in range(bins[1]):
                samples = [
                    pixel(
                        plane,
                        y1 + (i + (a + 0.5) / ny) * height / bins[0],
                        x1 + (j + (b + 0.5) / nx) * width / bins[1],
                    )
                    for a in range(ny)
                    for b in range(nx)
                ]
                out[c, i, j] = sum(samples) / max(len(samples), 1)
    return out


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [-1, 0, 1, 3])
def test_naive_loop(ratio, aligned):
    feature = torch.randn(2, 2, 5, 7, dtype=torch.float64)
    corner = 40 * torch.rand(8, 2, dtype=torch.float64) - 12
    rois = torch.cat((torch.arange(8)[:, None] % 2, corner, corner + 30 * torch.rand(8, 2)), dim=1)
    got = roi_align(feature, rois, (2, 3), 0.25, ratio, aligned)
    want = torch.stack([naive(feature, roi, (2, 3), 0.25, ratio, aligned) for roi in rois])
    torch.testing.assert_close(got, want)


@given(
    st.tuples(st.integers(0, 8), st.integers(0, 8)), st.tuples(st.integers(1, 8), st.integers(1, 8))
)
def test_a_plane_gives_the_centres_of_the_cells(corner, size):
    """Bilinear samples of a linear function average to it, if all lie between pixel centres."""
    y, x = torch.meshgrid(torch.arange(17.0) + 0.5, torch.arange(17.0) + 0.5, indexing="ij")
    x1, y1 = (c + 0.5 for c in corner)
    box = torch.tensor([0, x1, y1, x1 + size[0], y1 + size[1]])
    out = roi_align(torch.stack((x, y))[None], box[None], (2, 4), aligned=True)[0]
    columns = box[1] + (torch.arange(4) + 0.5) / 4 * (box[3] - box[1])
    rows = box[2] + (torch.arange(2) + 0.5) / 2 * (box[4] - box[2])
    torch.testing.assert_close(out[0], columns.expand(2, 4))
    torch.testing.assert_close(out[1], rows[:, None].expand(2, 4))


def test_legacy_is_half_a_pixel_off():
    x = torch.arange(10.0).expand(1, 1, 10, 10) + 0.5  # x of the pixel's centre
    box = torch.tensor([[0.0, 2, 2, 6, 6]])
    assert roi_align(x, box, 1, aligned=True).item() == pytest.approx(4.0)
    assert roi_align(x, box, 1, aligned=False).item() == pytest.approx(4.5)


@pytest.mark.parametrize("ratio", [2, -1])
def test_gradcheck(ratio):
    feature = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor([[0, 0.3, 0.2, 4.1, 3.3], [1, -3, -2, 9, 9], [1, 1, 1, 2, 6]]).double()
    assert torch.autograd.gradcheck(lambda f: roi_align(f, rois, (2, 3), 1.0, ratio), feature)


@pytest.mark.parametrize("ratio", [2, -1])
def test_empty_everything(ratio):
    feature = torch.randn(2, 3, 4, 4, requires_grad=True)
    out = roi_align(feature, [torch.zeros(0, 4)] * 2, 2, sampling_ratio=ratio)
    assert out.shape == (0, 3, 2, 2)
    (gradient,) = torch.autograd.grad(out.sum(), feature)
    assert not gradient.any()
    assert roi_align(feature[:0], [], 2, sampling_ratio=ratio).shape == (0, 3, 2, 2)
    assert roi_align(feature[:, :0], torch.zeros(1, 5), 2, sampling_ratio=ratio).numel() == 0
    none = roi_align(torch.zeros(1, 3, 0, 4), torch.zeros(0, 5), 2, sampling_ratio=ratio)
    assert none.shape == (0, 3, 2, 2)


def test_malformed_golden_torchvision():
    """Without `aligned`, x2 < x1 makes a box of one pixel at (x1, y1), wherever x2 may be."""
    goldens = oracle.goldens()
    boxes = torch.tensor([[0.0, 8, 8, 2, 2], [0, 8, 8, 7, -5]])
    for ratio in (2, -1):
        got = roi_align(goldens["roi/feature"], boxes, 2, sampling_ratio=ratio)
        want = goldens["roi/malformed_legacy"].expand(2, 3, 2, 2)
        torch.testing.assert_close(got, want, rtol=0, atol=1e-6)


def test_zero_area_and_malformed():
    feature = torch.arange(16.0).view(1, 1, 4, 4)
    point, reversed_ = torch.tensor([[0.0, 2, 1, 2, 1]]), torch.tensor([[0.0, 3, 3, 1, 1]])
    for box in (point, reversed_):
        assert roi_align(feature, box, 2, aligned=True).eq(0).all()  # not one sample
        legacy = roi_align(feature, box, 1)  # one pixel from its corner
        assert legacy.item() == feature[0, 0].flatten()[int(box[0, 2] * 4 + box[0, 1])] + (
            2.5 if box is point else 0
        )
    assert roi_align(feature, point, 2, sampling_ratio=2, aligned=True).eq(4 * 0.5 + 1.5).all()


@pytest.mark.parametrize("ratio", [2, -1])
@pytest.mark.parametrize("aligned", [True, False])
def test_nan_stays_nan_and_far_boxes_are_zero(ratio, aligned):
    feature = torch.ones(1, 2, 4, 4)
    boxes = torch.tensor([[0.0, math.nan, 0, 2, 2], [0, 1e30, 1e30, 1e30, 1e30], [0, 0, 0, 3, 3]])
    nan, far, proper = roi_align(feature, boxes, 2, 1.0, ratio, aligned)
    assert nan.isnan().all()
    assert far.eq(0).all()
    assert proper.eq(1).all()


@pytest.mark.parametrize("box", [(0, 0, 1e6, 1e6), (-1e30, 0, 1e30, 4)], ids=str)
def test_giant_adaptive_box_is_refused_and_fixed_sampling_is_not(box):
    feature, boxes = torch.ones(1, 2, 4, 4), torch.tensor([[0.0, *box]])
    with pytest.raises(ValueError, match=r"boxes: one takes .* samples, 4194304 at most; clip it"):
        roi_align(feature, boxes, 7)
    assert roi_align(feature, boxes, 7, sampling_ratio=2).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("ratio", [2, -1])
def test_half_precision_is_computed_in_float32(ratio, dtype):
    feature, rois = torch.randn(1, 2, 8, 8).to(dtype), torch.tensor([[0, 0.5, 1.25, 7, 6]])
    got = roi_align(feature, rois.to(dtype), 3, 1.0, ratio)
    assert got.dtype == dtype
    assert torch.equal(got, roi_align(feature.float(), rois, 3, 1.0, ratio).to(dtype))


def test_integer_boxes_and_other_memory_formats():
    feature, rois = torch.randn(2, 3, 8, 9), torch.tensor([[1, 0, 1, 7, 6]])
    want = roi_align(feature, rois.float(), 3)
    assert torch.equal(roi_align(feature, rois, 3), want)
    last = feature.to(memory_format=torch.channels_last)
    torch.testing.assert_close(roi_align(last, rois, 3), want)
    assert want.is_contiguous()


@pytest.mark.parametrize("ratio", [2, -1])
def test_in_parts_the_same(ratio, monkeypatch):
    feature, corner = torch.randn(1, 2, 9, 9), 4 * torch.rand(20, 2)
    rois = torch.cat((torch.zeros(20, 1), corner, corner + 5 * torch.rand(20, 2)), dim=1)
    want = roi_align(feature, rois, 2, 1.0, ratio)
    monkeypatch.setattr(sys.modules["cvcourse.ops.roi_align"], "MOST_TERMS", 200)
    assert torch.equal(roi_align(feature, rois, 2, 1.0, ratio), want)


def test_boxes_get_no_gradient():
    boxes = torch.tensor([[0.0, 1, 1, 3, 3]], requires_grad=True)
    assert not roi_align(torch.ones(1, 1, 4, 4), boxes, 2).requires_grad


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": torch.zeros(3, 4, 4)}, r"input must have shape \(batch, channels, height"),
        (
            {"input": torch.zeros(2, 3, 4, 4).long()},
            "input must be floating point, got torch.int64",
        ),
        ({"input": torch.zeros(2, 3, 0, 4)}, "input must have at least one pixel"),
        ({"boxes": torch.zeros(1, 4)}, r"boxes must be \(K, 5\) .* got \(1, 4\)"),
        ({"boxes": [torch.zeros(1, 4)]}, "boxes must have one tensor per image, 2, got 1"),
        ({"boxes": [torch.zeros(1, 5)] * 2}, r"boxes must have shape \(..., 4\), got \(1, 5\)"),
        ({"boxes": torch.full((1, 5), 2.0)}, "image indices from 0 to 1 .* got 2.0"),
        ({"boxes": torch.full((1, 5), -1.0)}, "image indices from 0 to 1 .* got -1.0"),
        ({"boxes": torch.full((1, 5), 0.5)}, "image indices from 0 to 1 .* got 0.5"),
        ({"boxes": torch.full((1, 5), math.nan)}, "image indices from 0 to 1 .* got nan"),
        ({"output_size": 0}, "output_size must be one or two integers >= 1, got 0"),
        ({"output_size": (1, 2, 3)}, "output_size must be one or two integers"),
        ({"sampling_ratio": 10**6}, r"sampling_ratio is too large for \(2, 2\) cells, got 1000000"),
        ({"spatial_scale": 0.0}, "spatial_scale must be positive and finite, got 0"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
def test_bad_input(change, message):
    inputs = {"input": torch.zeros(2, 3, 4, 4), "boxes": torch.zeros(1, 5), "output_size": 2}
    with pytest.raises(ValueError, match=message):
        roi_align(**inputs | change)
