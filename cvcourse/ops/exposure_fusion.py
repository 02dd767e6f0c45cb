"""Exposure fusion: of several exposures each pixel from where it looks best (Mertens 2007)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating
from cvcourse.ops._pictures import grey, mirrored
from cvcourse.ops.laplacian_pyramid import (
    collapse_pyramid,
    gaussian_pyramid,
    laplacian_pyramid,
)


def fusion_weights(
    images: Float[Tensor, "*batch exposures 3 height width"],
    *,
    contrast: float = 1.0,
    saturation: float = 1.0,
    exposedness: float = 1.0,
    sigma: float = 0.2,
) -> Float[Tensor, "*batch exposures height width"]:
    r"""How good each pixel of each exposure is, in shares that add to 1 over the exposures.

    .. math:: w \propto |Δ|^{w_c} \cdot s^{w_s} \cdot
              \prod_c e^{-(x_c - ½)^2 / 2σ^2 \cdot w_e} + 10^{-12}

    Δ is the 3 × 3 Laplacian of the grey picture, s the standard deviation over the channels.

    Args:
        images: the exposures, RGB in [0, 1], aligned.
        contrast, saturation, exposedness: exponents of the three; 0 leaves one out.
        sigma: how far from the middle grey ½ a well exposed channel may be.

    **Conventions**: mirrored borders; where all exposures are equally bad, such as in flat black,
    each has the same share. Half precision is computed in float32.

    Raises ValueError for images of another dtype or shape, negative exponents, or a sigma not above
    0.
    """
    check_floating("images", images)
    if images.ndim < 4 or images.shape[-3] != 3 or images.shape[-4] < 1:
        raise ValueError(
            f"images must have shape (..., exposures, 3, height, width), got {tuple(images.shape)}"
        )
    powers = {"contrast": contrast, "saturation": saturation, "exposedness": exposedness}
    for name, value in powers.items():
        if not value >= 0:
            raise ValueError(f"{name} must be 0 or more, got {value}")
    if not sigma > 0:
        raise ValueError(f"sigma must be above 0, got {sigma}")
    (x,) = as_float(images)
    weight = torch.ones_like(x[..., 0, :, :])
    if contrast:
        weight = weight * _laplacian(x).abs() ** contrast
    if saturation:
        variance = x.var(-3, correction=0)
        flat = variance == 0
        weight = weight * variance.masked_fill(flat, 1).sqrt().masked_fill(flat, 0) ** saturation
    if exposedness:
        distance = ((x - 0.5) / sigma).square().sum(-3)
        weight = weight * torch.exp(-exposedness * distance / 2)
    weight = weight + 1e-12
    return (weight / weight.sum(-3, keepdim=True)).to(images.dtype)


def exposure_fusion(
    images: Float[Tensor, "*batch exposures 3 height width"],
    *,
    levels: int | None = None,
    contrast: float = 1.0,
    saturation: float = 1.0,
    exposedness: float = 1.0,
    sigma: float = 0.2,
) -> Float[Tensor, "*batch 3 height width"]:
    """The exposures added up by their `fusion_weights`, at each scale by itself.

    At each level of the pyramids the details of the pictures are mixed by weights of that
    coarseness: no seams, no halos.

    Args:
        images: the exposures, RGB in [0, 1], aligned.
        levels: of the pyramids; by default as many as there are halvings of the shorter side, and
            one; 1 mixes without pyramids.
        contrast, saturation, exposedness, sigma: of `fusion_weights`.

    **Conventions**: equals OpenCV's MergeMertens within 4e-3, and within 1e-2 at the border, which
    it enlarges by another rule. May leave [0, 1] a little. Half precision is computed in float32.

    Raises ValueError as `fusion_weights` and `gaussian_pyramid`.

    Reference: Mertens, Kautz, Van Reeth, Exposure Fusion, 2007.
    """
    check_floating("images", images)
    (x,) = as_float(images)
    weights = fusion_weights(
        x, contrast=contrast, saturation=saturation, exposedness=exposedness, sigma=sigma
    )
    if levels is None:
        levels = max(1, min(x.shape[-2:])).bit_length()
    details, shares = laplacian_pyramid(x, levels), gaussian_pyramid(weights, levels)
    mixed = _mixed(details, shares)
    return collapse_pyramid(mixed).to(images.dtype)


def _mixed(details: Sequence[Tensor], shares: Sequence[Tensor]) -> list[Tensor]:
    return [(d * w.unsqueeze(-3)).sum(-4) for d, w in zip(details, shares, strict=True)]


def _laplacian(x: Tensor) -> Tensor:
    brightness = grey(x)
    total = -4 * brightness
    for dim in (-2, -1):
        size = brightness.shape[dim]
        padded = mirrored(brightness, dim, 1)
        total = total + padded.narrow(dim, 0, size) + padded.narrow(dim, 2, size)
    return total
