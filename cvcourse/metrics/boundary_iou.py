"""IoU of the mask pixels near the contour: sensitive to edges where mask IoU is not."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.metrics._checks import check_positive, check_same_shape


def boundary_iou(
    preds: Bool[Tensor, "*batch height width"],
    target: Bool[Tensor, "*batch height width"],
    *,
    dilation_ratio: float = 0.02,
) -> Float[Tensor, "*batch"]:
    """|P_d ∩ G_d| / |P_d ∪ G_d|, with M_d the pixels of mask M within d of its contour.

    Args:
        preds, target: binary masks; for label maps compare `preds == c` with `target == c`.
        dilation_ratio: d as a fraction of the image diagonal, sqrt(height² + width²), rounded
            half to even, at least 1 pixel. The authors take 0.02 (COCO), 0.005 (Cityscapes).

    **Conventions**: distance is the larger of |dx| and |dy| (d erosions by a 3x3 square); the image
    border is contour. Equals the authors' code, which divides by zero where both masks are empty:
    here nan. Masks of small objects are all boundary, so their value is the mask IoU.

    Raises ValueError for masks that differ in shape or are not bool.
    Reference: Cheng et al. 2021, arXiv 2103.16562.
    """
    check_same_shape(preds, target)
    check_positive("dilation_ratio", dilation_ratio)
    if preds.dtype != torch.bool or target.dtype != torch.bool or preds.ndim < 2:
        raise ValueError(
            f"preds and target must be bool masks (..., height, width), got {preds.dtype} "
            f"and {target.dtype} with shape {tuple(preds.shape)}"
        )
    height, width = preds.shape[-2:]
    distance = dilation_ratio * math.sqrt(height**2 + width**2)
    distance = max(1, round(min(distance, max(height, width))))  # beyond, all is boundary
    batch = preds.shape[:-2]
    if not preds.numel():
        return torch.full(batch, torch.nan, device=preds.device)
    pairs = zip(preds.reshape(-1, height, width), target.reshape(-1, height, width), strict=True)
    # one mask after the other: what a mask needs stays in the cache
    return torch.stack([_iou_of_boundaries(p, t, distance) for p, t in pairs]).view(batch)


def _iou_of_boundaries(pred: Tensor, target: Tensor, distance: int) -> Tensor:
    pred, target = _boundary(pred, distance), _boundary(target, distance)
    union = (pred | target).count_nonzero()
    return pred.logical_and_(target).count_nonzero() / union


def _boundary(mask: Tensor, distance: int) -> Tensor:
    """Pixels of the mask with background in the square of side 2 * distance + 1 around them."""
    near = F.pad(mask, [distance] * 4).logical_not_()
    side = 2 * distance + 1
    for dim in (-2, -1):
        reach = 1  # `near` already looks at this many pixels along dim: double it up to side
        while reach < side:
            step = min(reach, side - reach)
            size = near.shape[dim] - step
            near = near.narrow(dim, 0, size) | near.narrow(dim, step, size)
            reach += step
    return near.logical_and_(mask)
