"""Error of optical flow: mean distance, and the share of pixels that are clearly wrong."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.metrics._checks import check_choice, check_floating, check_same_shape
from cvcourse.metrics._precision import at_least_float32
from cvcourse.ops._checks import check_mask
from cvcourse.ops._length import length


def endpoint_error(
    pred: Float[Tensor, "batch 2 height width"],
    target: Float[Tensor, "batch 2 height width"],
    valid: Bool[Tensor, "batch height width"] | None = None,
    *,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    """Euclidean distance |pred - target| between flow vectors, in pixels.

    Args:
        pred, target: flow, channels (u, v).
        valid: where the target is known; the rest may hold anything, nan too.
        reduction: "mean" over all valid pixels of the batch; "none": (batch, height, width).

    **Conventions**: channel first, as RAFT (kornia's `aepe` is channel last). In "none", pixels
    that are not valid are nan. No valid pixel: nan. The gradient is 0 where the error is 0, and
    where not valid. Half precision is computed in float32.

    Raises ValueError for shapes that do not fit or an unknown `reduction`.
    """
    check_choice("reduction", reduction, ("mean", "none"))
    error = length(*_difference(pred, target, valid))
    if valid is None:
        return error.mean() if reduction == "mean" else error
    if reduction == "none":
        return error.masked_fill(~valid, torch.nan)
    return error.sum() / valid.sum()  # the error is 0 where not valid


def flow_outlier_rate(
    pred: Float[Tensor, "batch 2 height width"],
    target: Float[Tensor, "batch 2 height width"],
    valid: Bool[Tensor, "batch height width"] | None = None,
    *,
    pixels: float = 3.0,
    relative: float = 0.05,
) -> Float[Tensor, ""]:
    """Share of valid pixels whose error exceeds `pixels` and `relative` times |target|.

    The defaults are KITTI's Fl-all; `relative=0` gives Sintel's and RAFT's "k px" rates, such as
    `1 - flow_outlier_rate(..., pixels=1, relative=0)` for the share within 1 pixel.

    **Conventions**: a fraction of 1, not percent. An error of nan is an outlier. No valid pixel:
    nan.

    Raises ValueError for shapes that do not fit, and negative or nan limits.
    Reference: Menze & Geiger 2015, "Object scene flow for autonomous vehicles".
    """
    for name, limit in (("pixels", pixels), ("relative", relative)):
        if not limit >= 0:
            raise ValueError(f"{name} must be >= 0, got {limit}")
    error = length(*_difference(pred, target, valid))
    magnitude = length(*target.to(error.dtype).unbind(1))
    outlier = ~((error <= pixels) | (error <= relative * magnitude))
    if valid is None:
        return outlier.to(error.dtype).mean()
    return (outlier & valid).sum() / valid.sum()


def _difference(pred: Tensor, target: Tensor, valid: Tensor | None) -> tuple[Tensor, ...]:
    check_same_shape(pred, target, "pred")
    check_floating("pred", pred)
    if pred.ndim != 4 or pred.shape[1] != 2:
        raise ValueError(f"pred must be (batch, 2, height, width), got {tuple(pred.shape)}")
    pred, target = at_least_float32(pred, target)
    difference = pred - target
    if valid is not None:
        check_mask("valid", valid, pred[:, 0].shape)
        difference = difference.masked_fill(~valid[:, None], 0)
    return difference.unbind(1)
