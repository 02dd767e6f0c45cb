"""Max unpooling: put each maximum back where the pooling found it."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64, Num
from torch import Tensor

from cvcourse.ops._checks import check_tensor, is_plain, pair


def max_unpool(
    input: Num[Tensor, "*batch height width"],
    indices: Int64[Tensor, "*batch height width"],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> Num[Tensor, "*batch out_height out_width"]:
    """Zeros, but for each value of `input` at its flat index in the unpooled map.

    Args:
        input: what `F.max_pool2d` gave, (batch, channels, height, width) or without the batch.
        indices: the second output of `F.max_pool2d(..., return_indices=True)`.
        kernel_size, stride, padding: of that pooling; `stride` is `kernel_size` if None.
        output_size: (height, width) before pooling, or the full shape; needed where pooling dropped
            rows or columns, or rounded up. Default: (n - 1) stride - 2 padding + kernel_size.

    **Conventions**: where windows overlap, an index can occur twice; it holds one of the values,
    and both have its gradient. Equals `F.max_unpool2d`.

    Raises ValueError for wrong shapes, an `output_size` a stride or more away from the default, and
    indices out of range (on a GPU the device asserts).

    Reference: Badrinarayanan et al., SegNet, 2015, arXiv:1511.00561.
    """
    check_tensor("input", input)
    check_tensor("indices", indices)
    if input.ndim not in (3, 4):
        raise ValueError(
            "input must have shape (batch, channels, height, width) or (channels, height, width), "
            f"got {tuple(input.shape)}"
        )
    if indices.shape != input.shape or indices.dtype != torch.int64:
        raise ValueError(
            f"indices must be int64 of shape {tuple(input.shape)}, "
            f"got {indices.dtype} of {tuple(indices.shape)}"
        )
    kernels = pair("kernel_size", kernel_size)
    strides = kernels if stride is None else pair("stride", stride)
    paddings = pair("padding", padding, least=0)
    size = [
        (n - 1) * s - 2 * p + k
        for n, s, p, k in zip(input.shape[-2:], strides, paddings, kernels, strict=True)
    ]
    if min(size) < 0:
        raise ValueError(f"padding must not exceed the unpooled map, got {padding}")
    if output_size is not None:
        size = _checked_size(tuple(output_size)[-2:], size, strides)
    height, width = size
    if is_plain(indices) and indices.numel():
        low, high = (int(bound) for bound in indices.aminmax())
        if low < 0 or high >= height * width:
            raise ValueError(
                f"indices must lie in [0, {height * width - 1}] for an output of "
                f"{height} x {width}, got {low} to {high}"
            )
    out = input.new_zeros(*input.shape[:-2], height * width)
    out = out.scatter(-1, indices.flatten(-2), input.flatten(-2))
    return out.unflatten(-1, (height, width))


def _checked_size(
    wanted: Sequence[int], default: Sequence[int], strides: Sequence[int]
) -> Sequence[int]:
    near = [abs(w - d) < s for w, d, s in zip(wanted, default, strides, strict=False)]
    if len(wanted) != 2 or not all(near):
        raise ValueError(
            f"output_size must be less than a stride {tuple(strides)} away from {tuple(default)}, "
            f"got {tuple(wanted)}"
        )
    return wanted
