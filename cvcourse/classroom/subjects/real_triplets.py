"""Real films for the lesson on the frame between: squares of Vimeo-90K's triplets."""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader

from cvcourse.data.real import VimeoTriplets
from cvcourse.metrics import psnr


def squares(folder: Path, split: str, *, side: int = 128) -> DataLoader:
    """Batches (8, 3 frames, 3, side, side), each film cut at random; "train" is shuffled.

    Films that are smaller than `side` are as they are. Draws with PyTorch's own generator.
    """

    def cut(film: Float[Tensor, "frames 3 height width"]) -> Tensor:
        y, x = (int(torch.randint(max(length - side, 0) + 1, ())) for length in film.shape[2:])
        return film[..., y : y + side, x : x + side]

    films = VimeoTriplets(folder, split)
    return DataLoader(
        films, 8, split == "train", collate_fn=lambda some: torch.stack([cut(f) for f, _ in some])
    )


@torch.no_grad()
def mean_psnr(
    way: Callable[[Tensor, Tensor], Tensor], folder: Path, *, seed: int = 0, side: int = 128
) -> float:
    """Of `way(first, last)` against the frame between, over the test triplets, in decibels.

    The squares are those of `seed`, whatever the way; answers are clipped to [0, 1].
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        each = [
            psnr(way(films[:, 0], films[:, 2]).clamp(0, 1), films[:, 1], reduction="none")
            for films in squares(folder, "test", side=side)
        ]
    return float(torch.cat(each).mean())
