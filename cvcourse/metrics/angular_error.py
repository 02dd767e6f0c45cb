"""Error of surface normals, in degrees."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.metrics._checks import check_choice, check_floating, check_same_shape
from cvcourse.metrics._precision import at_least_float32
from cvcourse.ops._checks import check_mask


def angular_error(
    pred: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 height width"],
    valid: Bool[Tensor, "batch height width"] | None = None,
    *,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    """The angle between two directions, from 0 to 180 degrees: atan2(|p × t|, p · t).

    Args:
        pred, target: directions of any length, such as surface normals.
        valid: where the target is known; the rest may hold anything, nan too.
        reduction: "mean" over all valid pixels of the batch; "none": (batch, height, width), for
            the median, or shares within 11.25, 22.5 and 30 degrees, which papers report as well.

    **Conventions**: exact for tiny angles too, where arccos of a float32 product is off by up to
    0.03 degrees. A vector of length 0 has no direction: nan. In "none", pixels that are not valid
    are nan. No valid pixel: nan. Half precision is computed in float32.

    Raises ValueError for shapes that do not fit, integers, or an unknown `reduction`.
    Reference: Fouhey et al. 2013, "Data-driven 3D primitives for single image understanding".
    """
    check_choice("reduction", reduction, ("mean", "none"))
    check_same_shape(pred, target, "pred")
    check_floating("pred", pred)
    check_floating("target", target)
    if pred.ndim != 4 or pred.shape[1] != 3:
        raise ValueError(f"pred must be (batch, 3, height, width), got {tuple(pred.shape)}")
    pred, target = at_least_float32(pred, target)
    if valid is not None:
        check_mask("valid", valid, pred[:, 0].shape)
        pred, target = (x.masked_fill(~valid[:, None], 1) for x in (pred, target))
    crossed = torch.linalg.cross(pred, target, dim=1)
    angle = torch.atan2(torch.linalg.vector_norm(crossed, dim=1), (pred * target).sum(1))
    length = pred.abs().amax(1).minimum(target.abs().amax(1))
    angle = angle.rad2deg().masked_fill(length == 0, torch.nan)
    if valid is None:
        return angle.mean() if reduction == "mean" else angle
    if reduction == "none":
        return angle.masked_fill(~valid, torch.nan)
    return angle.masked_fill(~valid, 0).sum() / valid.sum()
