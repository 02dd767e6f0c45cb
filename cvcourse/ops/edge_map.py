"""How strong the edge is at each pixel, as a network that removes reflections is told."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_choice, check_floating, check_ndim


def edge_map(
    images: Float[Tensor, "batch channels height width"], *, border: str = "halved"
) -> Float[Tensor, "batch 1 height width"]:
    r"""Mean absolute difference to the two neighbours on each axis, over all channels and axes.

    .. math:: E = \sum_c ½ (|∂_x^-| + |∂_x^+| + |∂_y^-| + |∂_y^+|)

    Args:
        images: of any range, which the map shares.
        border: a pixel with one neighbour has half of its difference ("halved", CEILNet) or all of
            it ("full", ERRNet).

    **Conventions**: an axis of one pixel gives 0. Half precision is computed in float32.

    Raises ValueError for images of another dtype or shape, or an unknown border.

    Reference: Fan et al., A Generic Deep Architecture for Single Image Reflection Removal and Image
    Smoothing, 2017, arXiv:1708.03474.
    """
    check_ndim("images", images, "(batch, channels, height, width)")
    check_floating("images", images)
    check_choice("border", border, ("halved", "full"))
    (x,) = as_float(images)
    total = torch.zeros_like(x[:, :1])
    for dim, before, after in ((2, (0, 0, 1, 0), (0, 0, 0, 1)), (3, (1, 0), (0, 1))):
        steps = x.diff(dim=dim).abs().sum(1, keepdim=True)
        both = F.pad(steps, before) + F.pad(steps, after)
        neighbours = torch.full((x.shape[dim],), 2.0, device=x.device, dtype=x.dtype)
        if border == "full" and x.shape[dim] > 1:
            ends = torch.arange(x.shape[dim], device=x.device) % (x.shape[dim] - 1) == 0
            neighbours = neighbours.masked_fill(ends, 1.0)
        total = total + both / (neighbours[:, None] if dim == 2 else neighbours)
    return total.to(images.dtype)
