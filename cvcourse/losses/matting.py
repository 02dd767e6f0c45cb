"""Losses of background matting: transparency, its edges, and the picture put together again."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import check_floating, check_same_shape
from cvcourse.losses._reduce import at_least_float32
from cvcourse.ops import composite

_TINY = 1e-6


def normalized_l1_loss(
    pred: Float[Tensor, "batch channels height width"],
    target: Float[Tensor, "batch channels height width"],
    mask: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, ""]:
    r"""Sum of absolute differences within the mask, over its size; mean over the pictures.

    .. math:: L = \frac1B \sum_b \frac{\sum m \, |x - y|}{\sum m + 10^{-6}}

    Args:
        pred, target: (B, C, H, W).
        mask: weights of the pixels, 0 or 1.

    **Conventions**: the size counts pixels once, the sum all channels: three channels weigh three
    times as much. A picture with an empty mask gives 0 and stays in B; an empty batch gives 0. Half
    precision is computed and returned in float32.

    Raises ValueError for another dtype or shape.

    Reference: Sengupta et al., Background Matting, 2020, arXiv:2004.00626, and the authors' code.
    """
    check_floating("pred", pred)
    check_floating("target", target)
    check_floating("mask", mask)
    check_same_shape("target", target, "pred", pred)
    if pred.ndim != 4:
        raise ValueError(f"pred must have shape (B, C, H, W), got {tuple(pred.shape)}")
    expected = (len(pred), 1, *pred.shape[2:])
    if mask.shape != expected:
        raise ValueError(f"mask must have shape {expected}, got {tuple(mask.shape)}")
    x, y, m = at_least_float32(pred), at_least_float32(target), at_least_float32(mask)
    error = (x * m - y * m).abs().sum((1, 2, 3))
    return (error / (m.sum((1, 2, 3)) + _TINY)).sum() / max(1, len(pred))


def alpha_gradient_loss(
    pred: Float[Tensor, "batch 1 height width"],
    target: Float[Tensor, "batch 1 height width"],
    mask: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, ""]:
    """`normalized_l1_loss` of the horizontal Sobel derivatives, plus that of the vertical ones.

    **Conventions**: Sobel's weights 1, 2, 1 as they are, zeros beyond the border. Half precision is
    computed and returned in float32.

    Raises ValueError for another dtype or shape.

    Reference: Sengupta et al., Background Matting, 2020, arXiv:2004.00626.
    """
    check_floating("pred", pred)
    check_floating("target", target)
    check_same_shape("target", target, "pred", pred)
    if pred.ndim != 4:
        raise ValueError(f"pred must have shape (B, C, H, W), got {tuple(pred.shape)}")
    ours, theirs = _sobel(at_least_float32(pred)), _sobel(at_least_float32(target))
    losses = [normalized_l1_loss(x, y, mask) for x, y in zip(ours, theirs, strict=True)]
    return losses[0] + losses[1]


def _sobel(x: Tensor) -> tuple[Tensor, Tensor]:
    p = F.pad(x, (1, 1, 1, 1))
    across = _smoothed(p[..., :-2] - p[..., 2:], -2)
    down = _smoothed(p[..., :-2, :] - p[..., 2:, :], -1)
    return across, down


def _smoothed(values: Tensor, dim: int) -> Tensor:
    """1, 2, 1 along `dim`, which becomes two smaller."""
    size = values.shape[dim] - 2
    first, middle, last = (values.narrow(dim, i, size) for i in range(3))
    return first + 2 * middle + last


def composition_loss(
    image: Float[Tensor, "batch channels height width"],
    alpha: Float[Tensor, "batch 1 height width"],
    foreground: Float[Tensor, "batch channels height width"],
    background: Float[Tensor, "batch channels height width"],
    mask: Float[Tensor, "batch 1 height width"],
) -> Float[Tensor, ""]:
    """`normalized_l1_loss` between a picture and the composite of what was taken apart.

    Args:
        image, foreground, background: colours, of one range.
        alpha: in [-1, 1], as the network gives it; mapped to [0, 1] here.
        mask: the pixels that count.

    Raises ValueError for another dtype or shape.

    Reference: Sengupta et al., Background Matting, 2020, arXiv:2004.00626.
    """
    check_floating("image", image)
    check_floating("alpha", alpha)
    check_floating("foreground", foreground)
    check_floating("background", background)
    alpha = (at_least_float32(alpha) + 1) / 2
    f, b = at_least_float32(foreground), at_least_float32(background)
    return normalized_l1_loss(composite(alpha, f, b), image, mask)
