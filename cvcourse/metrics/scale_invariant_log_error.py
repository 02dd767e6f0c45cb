"""Error of depth that forgives a wrong unit."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.metrics._checks import check_fraction
from cvcourse.metrics._depth import checked, mean_within, reduced


def scale_invariant_log_error(
    pred: Float[Tensor, "batch *pixels"],
    target: Float[Tensor, "batch *pixels"],
    valid: Bool[Tensor, "batch *pixels"] | None = None,
    *,
    forgiven: float = 1.0,
    reduction: str = "mean",
) -> Float[Tensor, "*batch"]:
    r"""sqrt(mean d² - λ (mean d)²) of a picture, with d = ln pred - ln target.

    Args:
        pred, target: depths > 0; one map is `depth[None]`.
        valid: where the target is known; the rest may hold anything, nan too.
        forgiven: λ. With 1 a factor on all depths of a picture costs nothing, and the value is the
            standard deviation of d; with 0 it is the root mean square error of ln depth.
        reduction: "mean" of the pictures' values; "none": (batch,).

    **Conventions**: natural logarithms; KITTI's SILog is 100 times this. A valid pred <= 0 gives
    nan or inf. A picture without a valid pixel gives nan and is left out of the mean. The gradient
    is 0 where the error is 0. Half precision is computed in float32.

    Raises ValueError for shapes that differ, integer depths, `forgiven` outside [0, 1], or an
    unknown `reduction`.
    Reference: Eigen et al. 2014, "Depth map prediction from a single image", 1406.2283, equation 4.
    """
    check_fraction("forgiven", forgiven)
    pred, target, valid = checked(pred, target, valid, reduction)
    difference = pred.log() - target.log()
    common = mean_within(difference, valid)
    rest = mean_within((difference - common[:, None]).square(), valid)  # no small minus small
    square = rest + (1 - forgiven) * common.square()
    floor = torch.finfo(square.dtype).tiny  # the slope of sqrt is infinite at 0
    root = square.clamp_min(floor).sqrt().masked_fill(square == 0, 0)
    return reduced(root, valid, reduction)
