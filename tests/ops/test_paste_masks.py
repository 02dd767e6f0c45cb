import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.ops import paste_masks
from tests import oracle
from tests.oracles.fill_weights import formula_tensor


def test_paste_golden_torchvision():
    goldens = oracle.goldens()
    soft = formula_tensor("mask/soft", (3, 1, 28, 28))[:, 0]
    got = paste_masks(soft, goldens["mask/paste_boxes"], (80, 100))
    want = goldens["mask/paste_80x100_every3"].squeeze(1)
    torch.testing.assert_close(got[:, ::3, ::3], want, rtol=0, atol=1e-6)


def naive_paste(mask, box, size):
    """Resize to the whole box by `F.interpolate`, then copy what is inside the image."""
    cells = len(mask)
    grow = (cells + 2) / cells / 2
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half_width, half_height = (box[2] - box[0]) * grow, (box[3] - box[1]) * grow
    left, top = int(x - half_width), int(y - half_height)
    width = max(int(x + half_width) - left + 1, 1)
    height = max(int(y + half_height) - top + 1, 1)
    padded = F.pad(mask, (1, 1, 1, 1))[None, None]
    resized = F.interpolate(padded, (height, width), mode="bilinear", align_corners=False)[0, 0]
    out = torch.zeros(size, dtype=mask.dtype)
    for i in range(height):
        for j in range(width):
            if 0 <= top + i < size[0] and 0 <= left + j < size[1]:
                out[top + i, left + j] = resized[i, j]
    return out


def test_naive_loop():
    boxes = torch.tensor(
        [
            (3.3, 4.1, 9.8, 12.2),
            (-6, -3.5, 7, 5),
            (10, 10, 30, 40),
            (5, 5, 5, 5),
            (9, 9, 3, 3),
            (50, 50, 60, 60),
            (-40, 2, 60, 4),
        ],
        dtype=torch.float64,
    )
    masks = torch.rand(len(boxes), 5, 5, dtype=torch.float64)
    want = [naive_paste(m, b, (20, 17)) for m, b in zip(masks, boxes.tolist(), strict=True)]
    torch.testing.assert_close(paste_masks(masks, boxes, (20, 17)), torch.stack(want))


def test_empty_everything():
    assert paste_masks(torch.zeros(0, 28, 28), torch.zeros(0, 4), (5, 6)).shape == (0, 5, 6)
    assert paste_masks(torch.ones(1, 2, 2), torch.zeros(1, 4), (0, 0)).shape == (1, 0, 0)


@pytest.mark.parametrize("far", [1e6, 1e12, 1e30])
def test_huge_boxes_take_no_more_memory_than_the_image(far):
    boxes = torch.tensor([[-far, -far, far, far], [far, far, 2 * far, 2 * far]])
    everywhere, nowhere = paste_masks(torch.ones(2, 4, 4), boxes, (10, 12))
    assert everywhere.eq(1).all()
    assert nowhere.eq(0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype):
    masks, boxes = torch.rand(1, 4, 4).to(dtype), torch.tensor([[1.2, 2.3, 9.1, 8.8]])
    got = paste_masks(masks, boxes, (10, 10))
    assert got.dtype == dtype
    assert torch.equal(got, paste_masks(masks.float(), boxes, (10, 10)).to(dtype))


def test_gradcheck():
    masks = torch.rand(2, 3, 3, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[1.2, 2.3, 5.1, 4.8], [-1, -1, 2, 2]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda m: paste_masks(m, boxes, (6, 7)), masks)


@pytest.mark.as_user
def test_bad_input():
    masks, boxes = torch.zeros(2, 4, 4), torch.zeros(2, 4)
    with pytest.raises(ValueError, match=r"masks must have shape \(n, size, size\)"):
        paste_masks(masks[:, None], boxes, (5, 5))
    with pytest.raises(ValueError, match="masks must be floating point"):
        paste_masks(masks.bool(), boxes, (5, 5))
    with pytest.raises(ValueError, match="masks and boxes must have the same length, got 2 and 1"):
        paste_masks(masks, boxes[:1], (5, 5))
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="boxes must be finite"):
            paste_masks(masks, torch.full((2, 4), value), (5, 5))
    with pytest.raises(ValueError, match="size must be one or two integers >= 0"):
        paste_masks(masks, boxes, (5, -5))
