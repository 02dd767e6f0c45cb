"""Compositing: a foreground over a background, as transparent as it is."""

from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim


def composite(
    alpha: Float[Tensor, "batch 1 height width"],
    foreground: Float[Tensor, "batch channels height width"],
    background: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch channels height width"]:
    """α F + (1 - α) B.

    Args:
        alpha: in [0, 1], 1 where the foreground hides all.
        foreground, background: colours, not multiplied by alpha.

    **Conventions**: α = 1 gives F and α = 0 gives B exactly, where the other one is finite. Half
    precision is computed in float32.

    Raises ValueError for shapes that do not fit, or tensors that are not floating point.

    Reference: Porter & Duff, Compositing digital images, 1984.
    """
    for name, images in (("alpha", alpha), ("foreground", foreground), ("background", background)):
        check_ndim(name, images, "(batch, channels, height, width)")
        check_floating(name, images)
    if background.shape != foreground.shape:
        raise ValueError(
            f"background must have shape {tuple(foreground.shape)}, got {tuple(background.shape)}"
        )
    expected = (len(foreground), 1, *foreground.shape[2:])
    if alpha.shape != expected:
        raise ValueError(f"alpha must have shape {expected}, got {tuple(alpha.shape)}")
    a, f, b = as_float(alpha, foreground, background)
    return (a * f + (1 - a) * b).to(foreground.dtype)
