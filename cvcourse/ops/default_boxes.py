"""Default boxes of SSD: anchors that are measured in fractions of the image."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import check_positive, check_same_length, pair


def default_boxes(
    feature_sizes: Sequence[Sequence[int]],
    image_size: Sequence[int],
    scales: Sequence[float],
    aspect_ratios: Sequence[Sequence[float]],
    *,
    strides: Sequence[float] | None = None,
    clip: bool = True,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "boxes 4"]:
    """Boxes (x1, y1, x2, y2) in pixels: level after level, row after row, cell after cell.

    In each cell of level k: a square of s_k, one of √(s_k s_k+1), then for every ratio a the box
    s_k √a by s_k / √a, and the same upright.

    Args:
        feature_sizes: (height, width) of the feature map of each level.
        image_size: (height, width).
        scales: s_k as fractions of the image, one per level and one more.
        aspect_ratios: for each level, width / height other than 1, such as (2, 3).
        strides: pixels from cell to cell on each level; None: the image over the feature map.
        clip: cut widths and heights to 1, the whole image; centres stay.
        dtype: of the result, which is computed in float32 at least.

    **Conventions**: centres in the middle of cells. Equals torchvision's `DefaultBoxGenerator`.

    Raises ValueError for lists of wrong length, and scales, ratios or strides not positive.

    Reference: Liu et al., SSD: Single Shot MultiBox Detector, 2015, arXiv:1512.02325.
    """
    check_same_length("feature_sizes", feature_sizes, "aspect_ratios", aspect_ratios)
    check_same_length("feature_sizes", feature_sizes, "scales[1:]", scales[1:])
    if strides is not None:
        check_same_length("feature_sizes", feature_sizes, "strides", strides)
    like = {"device": device, "dtype": torch.promote_types(dtype, torch.float32)}
    image_height, image_width = pair("image_size", image_size)
    pixels = torch.tensor((image_width, image_height), **like)
    levels = [torch.empty(0, 4, **like)]
    for k, feature_size in enumerate(feature_sizes):
        height, width = pair("feature_sizes", feature_size, least=0)
        size = torch.tensor(_sizes(scales[k], scales[k + 1], aspect_ratios[k]), **like)  # (A, 2)
        if clip:
            size = size.clamp(max=1)
        cells_y, cells_x = height, width
        if strides is not None:
            check_positive("strides", strides[k])
            cells_y, cells_x = image_height / strides[k], image_width / strides[k]
        y = (torch.arange(height, **like) + 0.5) / cells_y
        x = (torch.arange(width, **like) + 0.5) / cells_x
        y, x = torch.meshgrid(y, x, indexing="ij")
        centre = torch.stack((x, y), dim=-1)[:, :, None]  # (H, W, 1, 2)
        boxes = torch.cat(((centre - size / 2) * pixels, (centre + size / 2) * pixels), dim=-1)
        levels.append(boxes.flatten(0, 2))  # (H * W * A, 4)
    return torch.cat(levels).to(dtype)


def _sizes(scale: float, next_scale: float, ratios: Sequence[float]) -> list[tuple[float, float]]:
    """(width, height) as fractions of the image."""
    for value in (scale, next_scale):
        check_positive("scales", value)
    between = math.sqrt(scale * next_scale)
    sizes = [(scale, scale), (between, between)]
    for ratio in ratios:
        check_positive("aspect_ratios", ratio)
        long, short = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
        sizes += [(long, short), (short, long)]
    return sizes
