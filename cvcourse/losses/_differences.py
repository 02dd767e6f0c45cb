"""Forward differences of images and what becomes of them."""

from torch import Tensor

from cvcourse.losses._checks import check_floating
from cvcourse.losses._reduce import reduce_loss


def check_images(name: str, x: Tensor) -> None:
    """Floating point (B, ..., H, W)."""
    check_floating(name, x)
    if x.ndim < 3:
        raise ValueError(f"{name} must have shape (B, ..., H, W), got {tuple(x.shape)}")


def variation(x: Tensor, p: int, reduction: str, valid: Tensor | None = None) -> Tensor:
    """|difference|^p to the next column, and to the next row, where both pixels are valid.

    "mean" adds the means of the two, "sum" and "none" (B,) their sums.
    """
    total = 0.0
    for dim in (-1, -2):
        difference = x.diff(dim=dim)
        error = difference.abs() if p == 1 else difference.square()
        count = None
        if valid is not None:
            size = difference.shape[dim]
            pair = valid.narrow(dim, 0, size) & valid.narrow(dim, valid.shape[dim] - size, size)
            pair = pair.expand_as(error)
            error, count = error * pair, pair.sum()
        if reduction == "none":
            error = error.flatten(1).sum(1)
        total = total + reduce_loss(error, reduction, count)
    return total
