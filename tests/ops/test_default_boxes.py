import math

import pytest
import torch

from cvcourse.ops import default_boxes
from tests import oracle


@pytest.mark.parametrize("case", oracle.cases("default_boxes_ssd"))
def test_oracle_torchvision(case):
    def adapter(aspect_ratios, scales, grid_sizes, image_size):
        like = {"dtype": torch.float64}
        return {"boxes": default_boxes(grid_sizes, image_size, scales, aspect_ratios, **like)}

    oracle.assert_matches(case, adapter)


def naive(feature_sizes, image_size, scales, ratios, strides, clip):
    boxes = []
    for k, (height, width) in enumerate(feature_sizes):
        between = math.sqrt(scales[k] * scales[k + 1])
        shapes = [(scales[k], scales[k]), (between, between)]
        for ratio in ratios[k]:
            long, short = scales[k] * math.sqrt(ratio), scales[k] / math.sqrt(ratio)
            shapes += [(long, short), (short, long)]
        cells_y = image_size[0] / strides[k] if strides else height
        cells_x = image_size[1] / strides[k] if strides else width
        for i in range(height):
            for j in range(width):
                x, y = (j + 0.5) / cells_x, (i + 0.5) / cells_y
                for w, h in shapes:
                    if clip:
                        w, h = min(w, 1), min(h, 1)
                    box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
                    boxes.append([b * s for b, s in zip(box, image_size[::-1] * 2, strict=True)])
    return boxes


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("strides", [None, (10, 30)], ids=str)
def test_naive_loop(strides, clip):
    arguments = [(3, 4), (1, 2)], (30, 40), (0.3, 0.9, 1.1), ((2,), (2, 3))
    got = default_boxes(*arguments, strides=strides, clip=clip, dtype=torch.float64)
    want = torch.tensor(naive(*arguments, strides, clip), dtype=torch.float64)
    torch.testing.assert_close(got, want)


def test_ssd300_has_8732():
    sizes = [(n, n) for n in (38, 19, 10, 5, 3, 1)]
    ratios = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
    scales = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
    boxes = default_boxes(sizes, (300, 300), scales, ratios, strides=(8, 16, 32, 64, 100, 300))
    assert boxes.shape == (8732, 4)
    centre = (boxes[0, :2] + boxes[0, 2:]) / 2
    torch.testing.assert_close(centre, torch.tensor([4.0, 4.0]))


def test_empty_everything():
    assert default_boxes([], (10, 10), (0.5,), ()).shape == (0, 4)
    assert default_boxes([(0, 3)], (10, 10), (0.5, 0.6), ((2,),)).shape == (0, 4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_rounded_once(dtype):
    call = ([(3, 600)], (24, 4800), (0.02, 0.04), ((2,),))
    assert torch.equal(default_boxes(*call, dtype=dtype), default_boxes(*call).to(dtype))


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scales": (0.1,)}, r"feature_sizes and scales\[1:\] must have the same length"),
        ({"scales": (0.1, -1)}, "scales must be positive and finite, got -1"),
        ({"aspect_ratios": ()}, "feature_sizes and aspect_ratios must have the same length"),
        ({"aspect_ratios": ((0,),)}, "aspect_ratios must be positive"),
        ({"strides": (1, 2)}, "feature_sizes and strides must have the same length"),
        ({"strides": (0,)}, "strides must be positive"),
        ({"image_size": (0, 9)}, "image_size must be one or two integers >= 1"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
def test_bad_input(change, message):
    arguments = {
        "feature_sizes": [(2, 2)],
        "image_size": (9, 9),
        "scales": (0.1, 0.2),
        "aspect_ratios": ((2,),),
    }
    with pytest.raises(ValueError, match=message):
        default_boxes(**arguments | change)
