import math

import pytest
import torch

from cvcourse.ops import anchor_grid
from tests import oracle


@pytest.mark.parametrize("rounded", [True, False])
@pytest.mark.parametrize("number", range(2))
def test_oracle_torchvision(rounded, number):
    def adapter(sizes, aspect_ratios, grid_sizes, image_size):
        assert all(ratios == aspect_ratios[0] for ratios in aspect_ratios)
        strides = [(image_size[0] // h, image_size[1] // w) for h, w in grid_sizes]
        like = {"offset": 0, "round": rounded, "dtype": torch.float64}
        return {"anchors": anchor_grid(grid_sizes, strides, sizes, aspect_ratios[0], **like)}

    name = "anchors" if rounded else "anchors/unrounded"
    oracle.assert_matches(oracle.cases(name)[number].values[0], adapter)


PYRAMID = [(16, 20), (8, 10), (4, 5), (2, 3), (1, 2)]
GOLDENS = {  # feature sizes, sizes, ratios, image
    "frcnn_128x160": (
        [(32, 40), *PYRAMID[:4]],
        [(32,), (64,), (128,), (256,), (512,)],
        (0.5, 1, 2),
    ),
    "retinanet_128x160": (
        PYRAMID,
        oracle.goldens()["anchors/retinanet_sizes"].tolist(),
        (0.5, 1, 2),
    ),
    "fcos_128x160": (PYRAMID, [(8,), (16,), (32,), (64,), (128,)], (1,)),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_goldens_torchvision(name):
    feature_sizes, sizes, ratios = GOLDENS[name]
    strides = [(128 // height, 160 // width) for height, width in feature_sizes]
    anchors = anchor_grid(feature_sizes, strides, sizes, ratios, offset=0, round=True)
    goldens = oracle.goldens()
    torch.testing.assert_close(anchors, goldens[f"anchors/{name}"], rtol=0, atol=0)
    counts = [h * w * len(s) * len(ratios) for (h, w), s in zip(feature_sizes, sizes, strict=True)]
    per_cell = [n // (h * w) for n, (h, w) in zip(counts, feature_sizes, strict=True)]
    assert per_cell == goldens[f"anchors/{name}_per_location"].tolist()
    assert sum(counts) == len(anchors)


@pytest.mark.parametrize(
    ("name", "size", "stride", "sizes", "ratios"),
    [
        ("default_one_map", (6, 9), 16, (128, 256, 512), (0.5, 1, 2)),
        ("odd_halves", (2, 2), 5, (5, 7), (1,)),  # 2.5 is rounded to 2, and 3.5 to 4
    ],
)
def test_goldens_of_one_map_torchvision(name, size, stride, sizes, ratios):
    goldens = oracle.goldens()
    for height_width, want in ((size, f"anchors/{name}"), ((1, 1), f"anchors/{name}_cells")):
        got = anchor_grid([height_width], [stride], [sizes], ratios, offset=0, round=True)
        torch.testing.assert_close(got, goldens[want], rtol=0, atol=0)


def naive(feature_sizes, strides, sizes, ratios, offset):
    boxes = []
    for (height, width), (stride_y, stride_x), level in zip(
        feature_sizes, strides, sizes, strict=True
    ):
        for i in range(height):
            for j in range(width):
                x, y = (j + offset) * stride_x, (i + offset) * stride_y
                for ratio in ratios:
                    for size in level:
                        w, h = size / math.sqrt(ratio), size * math.sqrt(ratio)
                        boxes.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    return boxes


def test_naive_loop():
    grid = [(2, 3), (1, 2)], [(8, 4), (16, 8)], [(3, 5), (7, 11)], (0.3, 1.0, 2.5)
    got = anchor_grid(*grid, dtype=torch.float64)
    torch.testing.assert_close(got, torch.tensor(naive(*grid, 0.5), dtype=torch.float64))


def test_area_ratio_and_centre():
    anchors = anchor_grid([(1, 1)], [16], [(32,)], (0.5,))
    x1, y1, x2, y2 = anchors[0].tolist()
    assert (x2 - x1) * (y2 - y1) == pytest.approx(32**2)
    assert (y2 - y1) / (x2 - x1) == pytest.approx(0.5)
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((8, 8))


def test_empty_everything():
    assert anchor_grid([], [], [], (1,)).shape == (0, 4)
    assert anchor_grid([(0, 5)], [8], [(8,)], (1,)).shape == (0, 4)
    assert anchor_grid([(2, 2)], [8], [()], (1,)).shape == (0, 4)
    assert anchor_grid([(2, 2)], [8], [(8,)], ()).shape == (0, 4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_dtype(dtype):
    grid = anchor_grid([(3, 600)], [8], [(8,)], (1,), dtype=dtype)
    assert grid.dtype == dtype
    wide = anchor_grid([(3, 600)], [8], [(8,)], (1,), dtype=torch.float64)
    assert torch.equal(grid, wide.to(dtype))  # rounded once


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strides": [8, 16]}, "feature_sizes and strides must have the same length, got 1 and 2"),
        ({"sizes": []}, "feature_sizes and sizes must have the same length"),
        ({"sizes": [(0,)]}, "sizes must be positive and finite, got 0"),
        ({"aspect_ratios": (-1,)}, "aspect_ratios must be positive and finite, got -1"),
        ({"aspect_ratios": (math.nan,)}, "aspect_ratios must be positive"),
        ({"strides": [0]}, "strides must be one or two integers >= 1, got 0"),
        ({"feature_sizes": [(2, -1)]}, "feature_sizes must be one or two integers >= 0"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
def test_bad_input(change, message):
    grid = {"feature_sizes": [(2, 2)], "strides": [8], "sizes": [(8,)], "aspect_ratios": (1,)}
    with pytest.raises(ValueError, match=message):
        anchor_grid(**grid | change)
