"""Gradient loss: the edges of a prediction shall be those of the truth."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.losses._checks import REDUCTIONS, check_choice, check_floating, check_same_shape
from cvcourse.losses._differences import check_images, variation
from cvcourse.losses._reduce import at_least_float32
from cvcourse.ops._checks import check_tensor


def gradient_loss(
    pred: Float[Tensor, "batch *any height width"],
    target: Float[Tensor, "batch *any height width"],
    p: int = 1,
    mask: Bool[Tensor, "batch *_any height width"] | None = None,
    scales: int = 1,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Total variation of the difference of two images; a constant offset is free.

    .. math:: L = \sum_s \operatorname{mean} |∂_x (x - y)|^p + \operatorname{mean} |∂_y (x - y)|^p

    Args:
        pred, target: (B, ..., H, W).
        p: 1 | 2.
        mask: valid pixels, of the same shape or 1 in the dimensions between B and H; a difference
            counts if both of its pixels do. What pixels that do not count hold (nan, say) is free.
        scales: s = 0, ..., scales - 1 takes every 2^s-th pixel (MiDaS takes 4), added up.
        reduction: "none" (B,), the sum of each image | "sum" | "mean".

    **Conventions**: forward differences, not padded. The mean divides by the differences that
    count, apart for x and y and for each scale; without any it is 0. Half precision is computed
    and returned in float32. nan of pixels that count stays nan.

    Raises ValueError for another dtype, shape, p, mask, scales or reduction.

    Reference: Eigen and Fergus 2015, arXiv:1411.4734; scales: Ranftl et al. 2020,
    arXiv:1907.01341.
    """
    check_images("pred", pred)
    check_floating("target", target)
    check_same_shape("target", target, "pred", pred)
    check_choice("p", p, (1, 2))
    check_choice("reduction", reduction, REDUCTIONS)
    if not isinstance(scales, int) or scales < 1:
        raise ValueError(f"scales must be an integer of at least 1, got {scales!r}")
    difference = at_least_float32(pred) - at_least_float32(target)
    if mask is not None:
        _check_mask(mask, pred)
        difference = difference.masked_fill(~mask, 0)
    losses = []
    for step in (2**s for s in range(scales)):
        valid = None if mask is None else mask[..., ::step, ::step]
        losses.append(variation(difference[..., ::step, ::step], p, reduction, valid))
    return torch.stack(losses).sum(0)


def _check_mask(mask: Tensor, pred: Tensor) -> None:
    check_tensor("mask", mask)
    between = [m in (1, n) for m, n in zip(mask.shape[1:-2], pred.shape[1:-2], strict=False)]
    alike = mask.ndim == pred.ndim and len(mask) == len(pred) and mask.shape[-2:] == pred.shape[-2:]
    if mask.dtype != torch.bool or not alike or not all(between):
        raise ValueError(
            f"mask must be bool {tuple(pred.shape)}, or 1 in the middle, "
            f"got {mask.dtype} {tuple(mask.shape)}"
        )
