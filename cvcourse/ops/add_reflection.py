"""A photograph through a window pane: the background, and a blurred reflection on top."""

from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim
from cvcourse.ops.blur_kernels import blur


def add_reflection(
    background: Float[Tensor, "batch channels height width"],
    reflection: Float[Tensor, "batch channels height width"],
    kernel: Float[Tensor, "rows columns"],
    *,
    dimming: float = 1.3,
) -> tuple[
    Float[Tensor, "batch channels height width"], Float[Tensor, "batch channels height width"]
]:
    """I = B + R, and the R that was added: the reflection blurred and, where I > 1, dimmed.

    Where a picture would have values above 1, `dimming` times their mean excess is taken off its
    reflection, which is then clipped to [0, 1], as is the sum: strong light looks like light, not
    like a picture cut off.

    Args:
        background, reflection: in [0, 1].
        kernel: of the blur, 11 × 11 with σ between 2 and 5 pixels in the paper
            (`gaussian_kernel(sigma, size=11)`).
        dimming: 0 is the naive sum, clipped.

    **Conventions**: the excess is averaged over the exceeding values of all channels of a picture.
    The blur has zeros beyond the border. Half precision is computed in float32.

    Raises ValueError for shapes that differ, or images that are not floating point.

    Reference: Fan et al. 2017, arXiv:1708.03474.
    """
    for name, images in (("background", background), ("reflection", reflection)):
        check_ndim(name, images, "(batch, channels, height, width)")
        check_floating(name, images)
    check_floating("kernel", kernel)
    if reflection.shape != background.shape:
        raise ValueError(
            f"reflection must have shape {tuple(background.shape)}, got {tuple(reflection.shape)}"
        )
    b, r = as_float(background, reflection)
    r = blur(r, kernel.to(r.dtype), border="zeros")
    excess = (b + r - 1).relu()
    count = (excess > 0).sum((1, 2, 3), keepdim=True).clamp(min=1)
    r = (r - dimming * excess.sum((1, 2, 3), keepdim=True) / count).clamp(0, 1)
    return (b + r).clamp(0, 1).to(background.dtype), r.to(background.dtype)
