"""A convolution whose weights each picture scales by its own style (StyleGAN2)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim
from cvcourse.ops.upfirdn2d import TAPS, upfirdn2d


def modulated_conv2d(
    images: Float[Tensor, "batch in_channels height width"],
    weight: Float[Tensor, "out_channels in_channels rows columns"],
    style: Float[Tensor, "batch in_channels"],
    *,
    demodulate: bool = True,
    up: int = 1,
    eps: float = 1e-8,
) -> Float[Tensor, "batch out_channels out_height out_width"]:
    r"""Convolve with s w, so scaled that inputs of variance 1 give outputs of variance 1.

    .. math:: w'_{oik} = s_i w_{oik}, \quad
        w''_{oik} = w'_{oik} \Big/ \sqrt{\textstyle\sum_{i,k} w'^2_{oik} + \epsilon}

    Args:
        images: what is convolved.
        weight: shared by the batch, with two equal odd sides.
        style: s, one number for each picture and input channel.
        demodulate: divide by the root; without, the weights are w'.
        up: 2 doubles the size: transposed convolution, then `upfirdn2d` with its taps.

    **Conventions**: zeros around, so that the size stays (or doubles); correlation for `up` 1, true
    convolution for 2, as in the authors' code. The weights of each picture are never made: the
    inputs are scaled by s and the outputs by one over the root, which is the same and leaves one
    convolution for the whole batch. Half precision is computed in float32 and returned in the dtype
    of `images`. Differentiable twice.

    Raises ValueError for shapes that do not go together, other sides, or another `up`.

    Reference: Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2020,
    arXiv:1912.04958, section 2.2.
    """
    check_ndim("images", images, "(batch, in_channels, height, width)")
    check_ndim("weight", weight, "(out_channels, in_channels, rows, columns)")
    check_ndim("style", style, "(batch, in_channels)")
    for name, values in (("images", images), ("weight", weight), ("style", style)):
        check_floating(name, values)
    batch, channels = images.shape[:2]
    side = weight.shape[2]
    if weight.shape[1] != channels or weight.shape[3] != side or side % 2 == 0:
        raise ValueError(
            f"weight must have {channels} input channels and two equal odd sides, "
            f"got {tuple(weight.shape)}"
        )
    if style.shape != (batch, channels):
        raise ValueError(f"style must have shape {(batch, channels)}, got {tuple(style.shape)}")
    if up not in (1, 2):
        raise ValueError(f"up must be 1 or 2, got {up}")
    x, w, s = as_float(images, weight, style)
    with torch.autocast(images.device.type, enabled=False):
        x = x * s[:, :, None, None]
        if up == 1:
            x = F.conv2d(x, w, padding=side // 2)
        else:  # only every fourth pixel is not 0: the filter makes up for it
            x = F.conv_transpose2d(x, 4 * w.transpose(0, 1), stride=2)
            around = 2 - side // 2
            x = upfirdn2d(x, TAPS, padding=(around, around))
        if demodulate:
            energy = s.square() @ w.square().sum((2, 3)).T  # (B, out): sum of (s w)²
            x = x * (energy + eps).rsqrt()[:, :, None, None]
    return x.to(images.dtype)
