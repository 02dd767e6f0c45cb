"""Turned pictures as a question without labels (Gidaris et al. 2018, arXiv:1803.07728)."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def rotate(
    images: Float[Tensor, "batch channels side side"], turns: tuple[int, ...] = (0, 1, 2, 3)
) -> tuple[Float[Tensor, "copies channels side side"], Int64[Tensor, " copies"]]:
    """Every image in all its turns, one after another, and which turn each is.

    Args:
        images: (B, C, S, S), square.
        turns: quarters counter-clockwise; label k is `turns[k]`. (0, 2) asks for two.

    Returns (B · len(turns), C, S, S), the copies of one image beside each other as in the authors'
    code, and labels. Quarters need no interpolation, which would give a turn away.
    """
    if images.ndim != 4 or images.shape[2] != images.shape[3]:
        raise ValueError(f"images must have shape (B, C, S, S), got {tuple(images.shape)}")
    if len(turns) < 2 or len({turn % 4 for turn in turns}) < len(turns):
        raise ValueError(f"turns must be two or more different quarters, got {turns}")
    copies = torch.stack([images.rot90(turn, (2, 3)) for turn in turns], 1).flatten(0, 1)
    return copies, torch.arange(len(turns), device=images.device).repeat(len(images))
