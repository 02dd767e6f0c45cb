"""Anchors: boxes of fixed shapes at every cell of every feature map."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import check_positive, check_same_length, pair


def anchor_grid(
    feature_sizes: Sequence[Sequence[int]],
    strides: Sequence[int | Sequence[int]],
    sizes: Sequence[Sequence[float]],
    aspect_ratios: Sequence[float],
    *,
    offset: float = 0.5,
    round: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "anchors 4"]:
    """Boxes (x1, y1, x2, y2) in pixels: level after level, row after row, cell after cell.

    In each cell, for every ratio r and then every size s: width s / √r, height s √r.

    Args:
        feature_sizes: (height, width) of the feature map of each level.
        strides: pixels from cell to cell on each level, one number or (vertical, horizontal).
        sizes: the sizes in pixels on each level, such as ((32,), (64,), (128,)).
        aspect_ratios: height / width, the same on all levels.
        offset: where in its cell an anchor has its centre: 0.5 the middle, 0 the corner.
        round: round the corners of the anchors of cell 0 to whole pixels, half to even.
        dtype: of the result, which is computed in float32 at least.

    **Conventions**: anchors may leave the image. `offset=0, round=True` equals torchvision's
    `AnchorGenerator`; the number of anchors of a level is height * width * sizes * ratios.

    Raises ValueError for lists of different length, and strides, sizes or ratios not positive.

    Reference: Ren et al., Faster R-CNN, 2015, arXiv:1506.01497.
    """
    check_same_length("feature_sizes", feature_sizes, "strides", strides)
    check_same_length("feature_sizes", feature_sizes, "sizes", sizes)
    like = {"device": device, "dtype": torch.promote_types(dtype, torch.float32)}
    levels = [torch.empty(0, 4, **like)]
    for feature_size, stride, level_sizes in zip(feature_sizes, strides, sizes, strict=True):
        height, width = pair("feature_sizes", feature_size, least=0)
        stride_y, stride_x = pair("strides", stride)
        shapes = _shapes(level_sizes, aspect_ratios, like)  # (A, 4)
        if round:
            shapes = shapes.round()
        y = (torch.arange(height, **like) + offset) * stride_y
        x = (torch.arange(width, **like) + offset) * stride_x
        y, x = torch.meshgrid(y, x, indexing="ij")  # (H, W)
        centres = torch.stack((x, y, x, y), dim=-1)  # (H, W, 4)
        levels.append((centres[:, :, None] + shapes).flatten(0, 2))  # (H * W * A, 4)
    return torch.cat(levels).to(dtype)


def _shapes(sizes: Sequence[float], aspect_ratios: Sequence[float], like: dict) -> Tensor:
    """Anchors around (0, 0), ratio after ratio."""
    for value in sizes:
        check_positive("sizes", value)
    for value in aspect_ratios:
        check_positive("aspect_ratios", value)
    root = torch.tensor(aspect_ratios, **like).sqrt()[:, None]
    side = torch.tensor(sizes, **like)
    width = (1 / root * side).flatten()
    height = (root * side).flatten()
    return torch.stack((-width, -height, width, height), dim=1) / 2
