"""A hole in a picture as a question without labels (Pathak et al. 2016, arXiv:1604.07379)."""

import torch
from jaxtyping import Float
from torch import Tensor

MEAN_COLOR = tuple(2 * value / 255 - 1 for value in (117, 104, 123))  # as in the authors' code


def cut_centre(
    images: Float[Tensor, "batch 3 side side"], overlap: int = 4
) -> tuple[Float[Tensor, "batch 3 side side"], Float[Tensor, "batch 3 half half"]]:
    """Images whose middle is filled with one colour, and what was there.

    Args:
        images: (B, 3, S, S) in [-1, 1], S divisible by 4; the hole is the middle S/2 × S/2.
        overlap: pixels along the hole's border that stay visible and are predicted all the same, so
            that the filling joins its surroundings.
    """
    side = images.shape[-1]
    if images.ndim != 4 or images.shape[1:] != (3, side, side) or side % 4:
        raise ValueError(
            f"images must have shape (B, 3, S, S), S divisible by 4, got {tuple(images.shape)}"
        )
    if not 0 <= overlap < side // 4:
        raise ValueError(f"overlap must be from 0 to {side // 4 - 1}, got {overlap}")
    first, last = side // 4, side - side // 4
    target = images[:, :, first:last, first:last].clone()
    holed, inner = images.clone(), slice(first + overlap, last - overlap)
    holed[:, :, inner, inner] = images.new_tensor(MEAN_COLOR)[:, None, None]
    return holed, target


def filling_loss(
    prediction: Float[Tensor, "batch 3 side side"],
    target: Float[Tensor, "batch 3 side side"],
    overlap: int = 4,
    weight: float = 0.999,
) -> Float[Tensor, ""]:
    """Mean squared error, ten times as much along the border that is visible, times `weight`.

    The generator of the authors' code adds 1 - weight times an adversarial loss, and learns ten
    times as fast for it.
    """
    if prediction.shape != target.shape:
        raise ValueError(
            f"target must have the shape of prediction, {tuple(prediction.shape)}, "
            f"got {tuple(target.shape)}"
        )
    if not 0 <= overlap <= prediction.shape[-1] // 2:
        raise ValueError(f"overlap must be from 0 to {prediction.shape[-1] // 2}, got {overlap}")
    weights = torch.full_like(prediction, 10 * weight)
    inner = slice(overlap, prediction.shape[-1] - overlap)
    weights[:, :, inner, inner] = weight
    return (weights * (prediction - target).square()).mean()
