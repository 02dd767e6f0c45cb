"""Real films for the lesson on the frame between: squares of Vimeo-90K's triplets."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader

from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.data.real import VimeoTriplets
from cvcourse.metrics import psnr


def squares(folder: Path, split: str, *, side: int = 128) -> DataLoader:
    """Batches (up to 8, 3 frames, 3, side, side), each film cut at random; "train" is shuffled.

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

    way: a function of frames on the CPU, or a network, asked in evaluation mode where it is.

    The squares are those of `seed`, whatever the way; answers are clipped to [0, 1].
    """
    is_network = isinstance(way, nn.Module)
    device = next(way.parameters()).device if is_network else "cpu"
    each = []
    with torch.random.fork_rng(), evaluating(way) if is_network else nullcontext():
        torch.manual_seed(seed)
        for films in squares(folder, "test", side=side):
            first, between, last = films.to(device).unbind(1)
            each.append(psnr(way(first, last).clamp(0, 1), between, reduction="none"))
    return float(torch.cat(each).mean())
