"""From a loss per element to what the caller asked for."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision as float32, anything else untouched."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def inner_products(x: Tensor, y: Tensor) -> Tensor:
    """(..., N, D), (..., M, D) -> (..., N, M) in their own dtype, also under autocast."""
    with torch.autocast(x.device.type, enabled=False):
        return x @ y.mT


def accumulator(x: Tensor) -> torch.dtype:
    """dtype for sums whose rounding would show: float64, where the device has it."""
    return torch.float32 if x.device.type == "mps" else torch.float64


def reduce_loss(loss: Tensor, reduction: str, count: Tensor | None = None) -> Tensor:
    """`loss` itself, its sum, or its sum over `count` (all elements); the mean of nothing is 0."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    if count is not None:
        return loss.sum() / count.clamp(min=1)
    return loss.mean() if loss.numel() else loss.sum()


def average(loss: Tensor, count: Tensor, reduction: str) -> Tensor:
    """Sum, mean over `count` candidates, or mean over the "nonzero" among them; 0 without any."""
    if reduction == "nonzero":
        count = (loss > 0).sum()
    return reduce_loss(loss, "sum" if reduction == "sum" else "mean", count)
