"""Correlation of two feature maps over a window of displacements: FlowNetC's cost volume."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim


def correlation(
    first: Float[Tensor, "batch channels height width"],
    second: Float[Tensor, "batch channels height width"],
    max_displacement: int = 20,
    stride: int = 2,
) -> Float[Tensor, "batch displacements height width"]:
    r"""How alike each place of `first` is to the places around it in `second`.

    .. math:: out_{dy, dx}(y, x) = \frac{1}{C} \sum_c first_c(y, x) \; second_c(y + dy, x + dx)

    Args:
        first: features.
        second: features of the same shape.
        max_displacement: D >= 0; dy and dx run over -D, -D + stride, ... up to D.
        stride: between displacements. FlowNetC has D = 20 and stride 2: 21 · 21 = 441 maps.

    **Conventions**: row-major over (dy, dx), dy slowest; outside `second` are zeros; each place is
    compared by itself (kernel 1). Half precision is computed in float32 and returned as it came.

    Raises ValueError for other shapes or dtypes, D < 0 or stride < 1.

    Reference: Dosovitskiy et al., FlowNet, 2015, arXiv:1504.06852, section 3; divided by the number
    of channels as in the published implementations.
    """
    check_ndim("first", first, "(batch, channels, height, width)")
    check_floating("first", first)
    check_floating("second", second)
    if second.shape != first.shape:
        raise ValueError(
            f"second must have the shape of first, {tuple(first.shape)}, got {tuple(second.shape)}"
        )
    if max_displacement < 0 or stride < 1:
        raise ValueError(
            "max_displacement must be at least 0 and stride at least 1, "
            f"got {max_displacement} and {stride}"
        )
    a, b = as_float(first, second)
    height = a.shape[2]
    reach = max_displacement // stride * stride
    steps = range(0, 2 * reach + 1, stride)
    with torch.autocast(a.device.type, enabled=False):
        a = a.permute(2, 0, 3, 1).contiguous() / max(a.shape[1], 1)  # (H, B, W, C)
        b = F.pad(b, [reach] * 4).permute(2, 0, 1, 3).contiguous()  # (H + 2D, B, C, W + 2D)
        bands = (_band(a @ b[y : y + height])[..., ::stride] for y in steps)  # n of (H, B, W, n)
        out = torch.cat([band.permute(1, 3, 0, 2).contiguous() for band in bands], dim=1)
    return out.to(first.dtype)


def _band(products: Float[Tensor, "h b w wide"]) -> Float[Tensor, "h b w band"]:
    """From all pairs of columns those from x to x + 2D, in each row x."""
    width, wide = products.shape[-2:]
    rows = F.pad(products.flatten(-2), (0, width)).unflatten(-1, (width, wide + 1))
    return rows[..., : wide - width + 1]
