"""Jigsaw puzzles as a question without labels (Noroozi and Favaro 2016, arXiv:1603.09246)."""

from itertools import permutations

import numpy as np
import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from cvcourse.losses._checks import check_integers
from cvcourse.methods._windows import cut_windows
from cvcourse.ops._checks import check_ndim, is_plain


def jigsaw_permutations(
    count: int, tiles: int = 9, method: str = "max_mean", first: int = 0
) -> Int64[Tensor, "count tiles"]:
    """Permutations of the tiles that are far from each other, chosen one by one (Algorithm 1).

    Args:
        count: how many, at most tiles!.
        tiles: 2 to 9; all tiles! permutations are looked at.
        method: the next is the one with the largest mean ("max_mean", the paper) or the largest
            smallest ("max_min") Hamming distance to those chosen.
        first: number of the first, in lexicographic order; 0 is the identity.

    **Conventions**: ties go to the first in lexicographic order, so the set is always the same. No
    more than 9 permutations of 9 tiles can differ everywhere, and no more than 72 in 8 places.
    """
    if not 2 <= tiles <= 9:
        raise ValueError(f"tiles must be from 2 to 9, got {tiles}")
    every = np.array(list(permutations(range(tiles))), np.uint8)  # (tiles!, tiles)
    for name, value, low, high in (
        ("count", count, 1, len(every)), ("first", first, 0, len(every) - 1)
    ):  # fmt: skip
        if not low <= value <= high:
            raise ValueError(f"{name} must be from {low} to {high}, got {value}")
    if method not in ("max_mean", "max_min"):
        raise ValueError(f"method must be 'max_mean' or 'max_min', got {method!r}")
    columns = np.ascontiguousarray(every.T)
    score = np.full(len(every), 0 if method == "max_mean" else tiles + 1, np.int32)
    chosen = [first]
    while len(chosen) < count:
        distance = sum((row != value).astype(np.int32) for row, value in
                       zip(columns, every[chosen[-1]], strict=True))  # fmt: skip
        score = score + distance if method == "max_mean" else np.minimum(score, distance)
        score[chosen[-1]] = -1 << 30
        chosen.append(int(score.argmax()))
    return torch.from_numpy(every[chosen].astype(np.int64))


def make_puzzles(
    images: Float[Tensor, "batch channels height width"],
    orders: Integer[Tensor, "count tiles"],
    tile: int,
    *,
    normalize: bool = True,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "batch tiles channels tile tile"], Int64[Tensor, " batch"]]:
    """Each image cut into a grid of cells, a tile at a random place of each cell, and shuffled.

    Args:
        images: (B, C, H, W); the grid has as many rows as columns.
        orders: permutations as `jigsaw_permutations` gives them; one is drawn for each image.
        tile: its side in pixels. Smaller than a cell leaves gaps, so that edges do not continue.
        normalize: each tile to mean 0 and deviation 1, so that brightness does not tell.
        generator: source of the random numbers, on the CPU.

    Returns tiles, of which number j is the cell `orders[label][j]` of the image, and the labels.
    """
    check_integers("orders", orders)
    side = round(orders.shape[1] ** 0.5) if orders.ndim == 2 else 0
    if not orders.numel() or side * side != orders.shape[1]:
        raise ValueError(
            f"orders must be permutations of a square number of tiles, got {tuple(orders.shape)}"
        )
    every = torch.arange(side * side, device=orders.device)
    if is_plain(orders) and not (orders.long().sort(1)[0] == every).all():
        raise ValueError(f"orders must be permutations of 0 to {side * side - 1}")
    check_ndim("images", images, "(batch, channels, height, width)")
    height, width = (size // side for size in images.shape[2:])
    if not 1 <= tile <= min(height, width):
        raise ValueError(f"tile must be from 1 to {min(height, width)} pixels, got {tile}")
    batch, count = len(images), side * side

    def draw(high: int, shape: tuple[int, ...]) -> Tensor:
        return torch.randint(high, shape, generator=generator, device="cpu").to(images.device)

    cells = torch.arange(count, device=images.device)
    top = (cells // side) * height + draw(height - tile + 1, (batch, count))
    left = (cells % side) * width + draw(width - tile + 1, (batch, count))
    cut = cut_windows(images, torch.stack([top, left], 2), tile)  # (B, tiles, C, tile, tile)
    if normalize:
        std, mean = torch.std_mean(cut, (2, 3, 4), correction=0, keepdim=True)
        cut = (cut - mean) / std.clamp(min=1e-5)
    labels = draw(len(orders), (batch,))
    order = orders.to(images.device)[labels]  # (B, tiles)
    return cut[torch.arange(batch, device=images.device)[:, None], order], labels
