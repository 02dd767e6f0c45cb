"""A kernel of its own for each pixel, as the outer product of a column and a row (SepConv)."""

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim


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
    too. Memory grows with the image and the kernels, not with K².

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
    rows, columns = (weights[:, None].unbind(2) for weights in (rows, columns))  # K of (B, 1, H, W)
    shifted = [values[..., j : j + width] for j in range(taps)]  # K of (B, C, H + K - 1, W)
    out = torch.zeros_like(values[..., :height, :width])
    for i, weight in enumerate(rows):
        row = torch.zeros_like(out)
        for column, moved in zip(columns, shifted, strict=True):
            row = torch.addcmul(row, moved[:, :, i : i + height], column)
        out = torch.addcmul(out, row, weight)
    return out.to(image.dtype)
