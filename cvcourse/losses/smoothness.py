"""Smoothness priors: total variation, and smoothness that lets go at the edges of a picture."""

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import REDUCTIONS, check_choice
from cvcourse.losses._differences import check_images, variation
from cvcourse.losses._reduce import at_least_float32, reduce_loss
from cvcourse.ops._pieces import in_pieces


def total_variation(
    img: Float[Tensor, "*any height width"], p: int = 1, reduction: str = "mean"
) -> Float[Tensor, "..."]:
    r"""How much an image changes from pixel to pixel (anisotropic).

    .. math:: TV = \sum_{y,x} |I_{y,x+1} - I_{y,x}|^p + |I_{y+1,x} - I_{y,x}|^p

    Args:
        img: (B, ..., H, W), any range; (H, W) is a batch of one.
        p: 1 | 2.
        reduction: "none" (B,), the sum of each image | "sum" | "mean".

    **Conventions**: "mean" is mean |dx| + mean |dy|, which does not depend on the resolution
    (kornia's mean); "none" and "sum" equal torchmetrics' (whose "mean" is the sum over B). An axis
    of one pixel gives 0, an empty image too. Half precision is computed and returned in float32.
    nan stays nan.

    Raises ValueError for another dtype, shape, p or reduction.

    Reference: Rudin, Osher, Fatemi 1992; Mahendran and Vedaldi 2015, arXiv:1412.0035.
    """
    img = img[None] if img.ndim == 2 else img
    check_images("img", img)
    check_choice("p", p, (1, 2))
    check_choice("reduction", reduction, REDUCTIONS)
    return variation(at_least_float32(img), p, reduction)


def edge_aware_smoothness_loss(
    depth: Float[Tensor, "batch 1 height width"],
    image: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, ""]:
    r"""Mean change of an (inverse) depth map, discounted where the picture changes too.

    .. math:: L = \overline{|∂_x d| e^{-|∂_x I|}} + \overline{|∂_y d| e^{-|∂_y I|}}

    Args:
        depth: (B, 1, H, W), usually inverse depth; Monodepth2 divides it by its mean first.
        image: (B, C, H, W); |∂I| is the mean over its channels.

    **Conventions**: equals kornia's inverse_depth_smoothness_loss. Gradients flow to the image,
    too, unless it is detached. An axis of one pixel gives 0, an empty batch too. Half precision is
    computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype or shape.

    Reference: Godard et al. 2017, arXiv:1609.03677.
    """
    check_images("depth", depth)
    check_images("image", image)
    expected = (len(image), 1, *image.shape[-2:])
    if image.ndim != 4 or depth.shape != expected:
        raise ValueError(f"depth must have shape {expected}, got {tuple(depth.shape)}")
    each = in_pieces(_edge_aware_change, at_least_float32(depth), at_least_float32(image))
    return reduce_loss(each, "mean")


def _edge_aware_change(depth: Tensor, image: Tensor) -> Tensor:
    """The loss of each picture: (B,)."""
    total = 0.0
    for dim in (-1, -2):
        edge = image.diff(dim=dim).abs().mean(1, keepdim=True)
        change = (depth.diff(dim=dim).abs() * torch.exp(-edge)).flatten(1)
        total = total + change.sum(1) / max(1, change.shape[1])
    return total
