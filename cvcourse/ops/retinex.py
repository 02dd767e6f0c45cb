"""Retinex: a picture is what things reflect, times the light on them."""

from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_positive
from cvcourse.ops.blur_kernels import blur, gaussian_kernel


def split_illumination(
    images: Float[Tensor, "batch channels height width"],
    *,
    sigma: float | None = None,
    eps: float = 1e-3,
) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch 1 height width"]]:
    """Reflectance and illumination, whose product is the images.

    Args:
        images: in [0, 1].
        sigma: of the Gaussian that smooths the light, in pixels; None leaves it as it is.
        eps: the least light there is; without it black would be divided by nothing.

    **Conventions**: the light is the largest channel of each pixel, smoothed with replicated
    borders, and at least `eps`. Brighten with `reflectance * illumination**gamma`. Half precision
    is computed in float32.

    Raises ValueError for images of another dtype or shape, and sigma or eps not positive.

    Reference: Land & McCann, Lightness and Retinex Theory, 1971; the maximum as in Guo, Li, Ling,
    LIME, 2017.
    """
    check_floating("images", images)
    check_positive("eps", eps)
    if images.ndim != 4 or images.shape[1] < 1:
        raise ValueError(
            f"images must have shape (batch, channels, height, width), got {tuple(images.shape)}"
        )
    (x,) = as_float(images)
    light = x.amax(1, keepdim=True)
    if sigma is not None:
        check_positive("sigma", sigma)
        kernel = gaussian_kernel(sigma, device=x.device, dtype=x.dtype)
        light = blur(light, kernel, border="replicate")
    light = light.clamp(min=eps)
    return (x / light).to(images.dtype), light.to(images.dtype)
