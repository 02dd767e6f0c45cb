"""A kernel of its own for each pixel, as the outer product of a column and a row (SepConv)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim

TILE = 32  # columns


def separable_convolution(
    image: Float[Tensor, "batch channels padded_height padded_width"],
    vertical: Float[Tensor, "batch taps height width"],
    horizontal: Float[Tensor, "batch taps height width"],
) -> Float[Tensor, "batch channels height width"]:
    r"""Filter each place with its own K × K kernel, given by K + K numbers.

    .. math:: out_c(y, x) = \sum_{i,j} image_c(y + i, x + j) \; vertical_i(y, x) \;
        horizontal_j(y, x)

    Args:
        image: already padded by (K - 1) / 2 at each side, that is K - 1 larger than the kernels.
        vertical: K weights of rows for each place.
        horizontal: K weights of columns for each place.

    **Conventions**: correlation, the kernel is not flipped; all channels share it. Half precision
    is computed in float32 and returned in the dtype of `image`. Differentiable in all three, twice
    too. Memory grows with the image and the kernels, not with K². A value of `image` that is not
    finite makes nan in the rows whose kernels reach it, up to K + 31 columns away.

    Raises ValueError for shapes that do not go together.

    Reference: Niklaus et al., Video Frame Interpolation via Adaptive Separable Convolution, 2017,
    arXiv:1708.01692.
    """
    axes = "(batch, channels, height, width)"
    for name, values in (("image", image), ("vertical", vertical), ("horizontal", horizontal)):
        check_ndim(name, values, axes.replace("channels", "taps") if name != "image" else axes)
        check_floating(name, values)
    if vertical.shape != horizontal.shape:
        raise ValueError(
            f"horizontal must have the shape of vertical, {tuple(vertical.shape)}, "
            f"got {tuple(horizontal.shape)}"
        )
    batch, taps, height, width = vertical.shape
    expected = (batch, image.shape[1], height + taps - 1, width + taps - 1)
    if image.shape != expected or taps < 1:
        raise ValueError(
            f"image must have shape {expected} for {taps} taps at {height} × {width} places, "
            f"got {tuple(image.shape)}"
        )
    values, rows, columns = as_float(image, vertical, horizontal)
    if 0 in (image.shape[0], image.shape[1], height, width):
        return (values[..., :height, :width] * rows[:, :1] * columns[:, :1]).to(image.dtype)
    # Along a row of pixels, a tile of T = 32 at a time, the sum over j is a matrix product with
    # a band of weights: K + 31 pixels of each of K rows, times (K + 31, T).
    tiles, wide = -(-width // TILE), TILE + taps - 1
    values, rows, columns = (F.pad(x, (0, -width % TILE)) for x in (values, rows, columns))
    rows, columns = (
        weights.unflatten(3, (tiles, TILE)).permute(2, 0, 3, 1, 4) for weights in (rows, columns)
    )  # (H, B, n, K, T)
    out = []
    with torch.autocast(image.device.type, enabled=False):
        band = F.pad(columns.mT, (0, TILE)).flatten(3)[..., : TILE * wide]
        band = band.unflatten(3, (TILE, wide)).flatten(0, 2).mT  # (H B n, K + T - 1, T)
        for tall in values.unfold(3, wide, TILE).permute(1, 2, 0, 3, 4).contiguous():
            windows = tall.unfold(0, taps, 1).mT.flatten(0, 2)  # (H B n, K, K + T - 1)
            out.append(((windows @ band).view(rows.shape) * rows).sum(3))
    out = torch.stack(out).permute(2, 0, 1, 3, 4).flatten(3)  # (B, C, H, n T)
    return out[..., :width].to(image.dtype)
