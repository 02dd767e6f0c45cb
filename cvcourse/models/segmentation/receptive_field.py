"""What one output of a stack of convolutions can see: computed, and measured by gradients.

    size = 1 + Σ (kernel - 1) · dilation · jump,    jump = product of the strides before the layer

Dilation widens the view at no cost in parameters or resolution (Yu & Koltun 2015,
arXiv:1511.07122): 3×3 layers with dilation 1, 2, 4, 8 see 31 pixels, where plain ones see 9.
Seeing a width is not using every pixel in it: dilations 2, 2, 2 leave holes (Wang et al. 2017,
arXiv:1702.08502), which `gradient_footprint` shows.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import check_floating


class ReceptiveField(NamedTuple):
    """Along one axis, output i sees `size` inputs, the first of them at `start + i * jump`."""

    size: int
    jump: int
    start: int


def receptive_field(layers: Iterable[tuple[int, int, int, int]]) -> ReceptiveField:
    """The receptive field of convolutions or poolings, first layer first, along one axis.

    Args:
        layers: for each `(kernel, stride, dilation, padding)`.

    **Conventions**: with padding, `start` is negative: outputs at the edge also see zeros.
    """
    size, jump, start = 1, 1, 0
    for layer in layers:
        kernel, stride, dilation, padding = layer
        if min(kernel, stride, dilation) < 1 or padding < 0:
            raise ValueError(
                "layers: expected kernel, stride, dilation of 1 or more and padding of 0 or more, "
                f"got {tuple(layer)}"
            )
        size += (kernel - 1) * dilation * jump
        start -= padding * jump
        jump *= stride
    return ReceptiveField(size, jump, start)


def gradient_footprint(
    model: Callable[[Tensor], Tensor],
    images: Float[Tensor, "batch channels height width"],
    *,
    at: tuple[int, int] | None = None,
) -> Float[Tensor, "height width"]:
    """How strongly one output pixel depends on each input pixel: mean of |∂ output / ∂ input|.

    Args:
        model: from images to maps (batch, channels, h, w).
        images: where the derivative is taken; several average out what ReLU and max-pooling hide.
        at: row and column of the output pixel, the middle one if None.

    **Conventions**: the gradient of the sum over the output pixel's channels, its absolute value
    averaged over images and input channels. Leave batch normalisation in evaluation mode, or its
    statistics connect every pixel with every other.
    """
    check_floating("images", images)
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        maps = model(images)
        row, column = (size // 2 for size in maps.shape[-2:]) if at is None else at
        (gradient,) = torch.autograd.grad(maps[..., row, column].sum(), images)
    return gradient.abs().mean((0, 1))
