"""RoIAlign on a feature pyramid: each box is looked up on the level that fits its size."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int64, Num
from torch import Tensor

from cvcourse.ops._checks import (
    check_boxes,
    check_floating,
    check_ndim,
    check_positive,
    check_same_length,
    pair,
)
from cvcourse.ops._rois import split_rois
from cvcourse.ops.box_area import box_area
from cvcourse.ops.roi_align import align_levels


def multiscale_roi_align(
    features: Sequence[Float[Tensor, "batch channels _ _"]],
    boxes: Sequence[Num[Tensor, "_ 4"]],
    image_sizes: Sequence[Sequence[int]],
    output_size: int | Sequence[int],
    *,
    sampling_ratio: int = 2,
    aligned: bool = False,
    canonical_size: float = 224,
    canonical_level: int = 4,
) -> Float[Tensor, "rois channels out_height out_width"]:
    """`roi_align` of each box on the level `fpn_level` gives it.

    Args:
        features: consecutive levels of the pyramid, finest first; not the pooled extra level.
        boxes: for each image an (n, 4), x1, y1, x2, y2 in its pixels.
        image_sizes: (height, width) of each image before padding to a batch.
        output_size, sampling_ratio, aligned: as for `roi_align`.
        canonical_size, canonical_level: as for `fpn_level`.

    Returns the RoIs of image 0, then those of image 1, and so on.

    **Conventions**: the stride of a level is the power of two nearest to the height of the highest
    image over the height of the map. Equals torchvision's `MultiScaleRoIAlign`. All levels are read
    in one go, so it holds a copy of all maps.

    Raises ValueError as `roi_align` does, and for levels that do not halve one after another.

    Reference: Lin et al., Feature Pyramid Networks, 2016, arXiv:1612.03144.
    """
    check_same_length("boxes", boxes, "image_sizes", image_sizes)
    for each in features:
        check_ndim("features", each, "(batch, channels, height, width)")
        check_floating("features", each)
    if not features or not image_sizes or min(f.shape[2] for f in features) == 0:
        raise ValueError("features and image_sizes must not be empty")
    height = max(pair("image_sizes", size)[0] for size in image_sizes)
    strides = [2 ** round(math.log2(height / f.shape[2])) for f in features]
    if any(2 * fine != coarse for fine, coarse in pairwise(strides)):
        raise ValueError(f"features must halve from level to level, got strides {strides}")
    image, rois = split_rois(boxes, features[0])
    finest = round(math.log2(strides[0]))
    level = fpn_level(
        rois,
        finest,
        finest + len(features) - 1,
        canonical_size=canonical_size,
        canonical_level=canonical_level,
    )
    level = level - finest
    rois = rois / rois.new_tensor(strides)[level, None]
    return align_levels(features, level, image, rois, output_size, sampling_ratio, aligned)


def fpn_level(
    boxes: Num[Tensor, "*batch 4"],
    finest: int,
    coarsest: int,
    *,
    canonical_size: float = 224,
    canonical_level: int = 4,
) -> Int64[Tensor, "*batch"]:
    """Level k = ⌊canonical_level + log2(√area / canonical_size)⌋, clamped to finest ... coarsest.

    Level k has stride 2ᵏ: a box of 224 x 224 pixels belongs to level 4, as in ImageNet training.

    **Conventions**: 1e-6 is added before rounding down, as in torchvision; a box without area
    belongs to the finest level.

    Raises ValueError if the last axis is not 4, `finest` > `coarsest`, or `canonical_size` <= 0.

    Reference: Lin et al., Feature Pyramid Networks, 2016, arXiv:1612.03144, equation 1.
    """
    check_boxes("boxes", boxes)
    check_positive("canonical_size", canonical_size)
    if finest > coarsest:
        raise ValueError(f"finest must not exceed coarsest, got {finest} > {coarsest}")
    side = box_area(boxes).sqrt()
    level = torch.floor(canonical_level + torch.log2(side / canonical_size) + 1e-6)
    return level.nan_to_num(finest).clamp(finest, coarsest).long()
