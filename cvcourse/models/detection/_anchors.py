"""Anchors of a whole pyramid, as torchvision's detectors lay them out."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.models.detection._inputs import ImageBatch
from cvcourse.ops import anchor_grid


def check_anchors(
    sizes: Sequence[Sequence[int | float]], aspect_ratios: Sequence
) -> tuple[Sequence[Sequence[float]], int]:
    """Aspect ratios one sequence a level, and the anchors at each place, the same at all levels."""
    if not isinstance(aspect_ratios[0], Sequence):
        aspect_ratios = [aspect_ratios] * len(sizes)
    counts = {len(s) * len(r) for s, r in zip(sizes, aspect_ratios, strict=False)}
    if len(aspect_ratios) != len(sizes) or len(counts) != 1:
        raise ValueError(
            "anchor_sizes, aspect_ratios: expected as many levels of both, and as many anchors at "
            f"each, got {sizes} and {aspect_ratios}"
        )
    return aspect_ratios, counts.pop()


def pyramid_anchors(
    levels: Sequence[Float[Tensor, "batch _ _ _"]],
    images: ImageBatch,
    sizes: Sequence[Sequence[int | float]],
    aspect_ratios: Sequence[Sequence[float]],
) -> tuple[Float[Tensor, "anchors 4"], list[int]]:
    """Anchors of all levels, the same for each picture, and how many there are of each level.

    **Conventions**: torchvision's: centred on the corners of the cells, sides rounded to integers,
    stride = padded size // map size. In the dtype of the pictures (float32 at least), whatever the
    precision of the maps.
    """
    if len(levels) != len(sizes):
        raise ValueError(
            f"anchor_sizes: expected one entry for each of {len(levels)} feature maps, got {sizes}"
        )
    height, width = images.padded_size
    grids = [tuple(level.shape[-2:]) for level in levels]
    anchors = [
        anchor_grid(
            [grid],
            [(height // grid[0], width // grid[1])],
            [[float(s) for s in size]],
            ratios,
            offset=0.0,
            round=True,
            device=images.tensors.device,
        )
        for grid, size, ratios in zip(grids, sizes, aspect_ratios, strict=True)
    ]
    dtype = torch.promote_types(images.tensors.dtype, torch.float32)
    return torch.cat(anchors).to(dtype), [len(a) for a in anchors]
