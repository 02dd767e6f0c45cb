"""Lateral chromatic aberration: a lens that magnifies red and blue differently."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_rgb


def chromatic_aberration(
    images: Float[Tensor, "batch 3 height width"], strength: float
) -> Float[Tensor, "batch 3 height width"]:
    """Red magnified by 1 + strength about the centre of the picture, blue by 1 - strength.

    Args:
        images: (B, 3, H, W), red, green, blue.
        strength: 0.005 to 0.01 is that of a poor lens: up to a pixel in a corner of 128 × 128.

    **Conventions**: bilinear; what comes from beyond the border repeats the border. Green stays as
    it is. Half precision is computed and returned in float32.

    A patch then tells by its colour fringes from which side of the picture it is: the shortcut that
    Doersch et al. 2015, arXiv:1505.05192, found in context prediction.

    Raises ValueError for another shape or a strength outside (-1, 1).
    """
    check_rgb("images", images)
    if not -1 < strength < 1:
        raise ValueError(f"strength must be a number in (-1, 1), got {strength}")
    (images,) = as_float(images)
    red, green, blue = images.split(1, 1)
    return torch.cat([_magnify(red, 1 + strength), green, _magnify(blue, 1 - strength)], 1)


def _magnify(x: Tensor, by: float) -> Tensor:
    rows, columns = (
        ((2 * torch.arange(size, device=x.device, dtype=x.dtype) + 1) / size - 1) / by
        for size in x.shape[2:]
    )
    where = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), 2)  # (H, W, 2)
    grid = where.expand(len(x), *where.shape)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
