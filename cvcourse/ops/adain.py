"""Adaptive instance normalisation: the statistics of maps exchanged for others."""

from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim


def adain(
    content: Float[Tensor, "batch channels height width"],
    style: Float[Tensor, "batch channels rows columns"],
    *,
    eps: float = 1e-5,
) -> Float[Tensor, "batch channels height width"]:
    r"""Each map of `content` with the mean and deviation of the same map of `style`.

    .. math:: \sigma(y) \, \frac{x - \mu(x)}{\sigma(x)} + \mu(y)

    Args:
        content, style: features of two pictures, of any two sizes.
        eps: added to both variances.

    **Conventions**: variances divide by N - 1, as in the authors' code; a map of one pixel has
    none: it gets the style's mean. Where a generator gives scale and shift itself (StyleGAN, ALAE),
    they take the place of σ(y) and μ(y). Half precision is computed in float32 and returned in the
    dtype of `content`.

    Raises ValueError for other shapes or dtypes.

    Reference: Huang and Belongie, Arbitrary Style Transfer in Real-time with Adaptive Instance
    Normalization, 2017, arXiv:1703.06868.
    """
    for name, maps in (("content", content), ("style", style)):
        check_ndim(name, maps, "(batch, channels, height, width)")
        check_floating(name, maps)
    if style.shape[:2] != content.shape[:2]:
        raise ValueError(
            f"style must have the batch and channels of content, {tuple(content.shape[:2])}, "
            f"got {tuple(style.shape[:2])}"
        )
    x, y = as_float(content, style)
    (mean_x, scale_x), (mean_y, scale_y) = (_statistics(maps, eps) for maps in (x, y))
    return ((x - mean_x) / scale_x * scale_y + mean_y).to(content.dtype)


def _statistics(maps: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    mean = maps.mean((2, 3), keepdim=True)
    pixels = maps.shape[2] * maps.shape[3]
    variance = (maps - mean).square().sum((2, 3), keepdim=True) / max(1, pixels - 1)
    return mean, (variance + eps).sqrt()
