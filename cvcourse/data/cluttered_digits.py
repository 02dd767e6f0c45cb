"""Handwritten digits turned, resized and moved, among scraps of others: find one, and read it.

After the "cluttered translated MNIST" of Mnih et al. 2014, arXiv:1406.6247, and the rotated digits
of Jaderberg et al. 2015, arXiv:1506.02025, with the digits of `cvcourse.data.digits`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from . import digits

SIDE = 40  # pixels of a picture
DIGIT = 20  # of a digit, on average
SCRAPS, SCRAP = 4, 6  # how many pieces of other digits, and their side


def cluttered_digits(
    count: int,
    split: str,
    generator: torch.Generator,
    *,
    turns: tuple[float, float] = (0.0, 60.0),
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures (count, 1, 40, 40) of one digit each, labels (count,) int64, and centres (count, 2).

    count: pictures; each digit of the split once, in random order, and then all once more, and so
        on. turns: (least, most) degrees that a digit is turned by, to either side. The digit, 16 to
        24 pixels wide, lies inside of the picture; of four other digits a scrap of 6 x 6 pixels is
        added. centres: x and y of the digit's centre, in pixels from the picture's.
    """
    images, labels = digits.load(split)  # (N, 1, 8, 8)
    rounds = [
        torch.randperm(len(labels), generator=generator) for _ in range(-(-count // len(labels)))
    ]
    chosen = torch.cat(rounds)[:count]

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    side = torch.where(uniform(0, 1, count) < 0.5, -1, 1)
    angle = (side * uniform(*turns, count)).deg2rad()
    size = uniform(0.8 * DIGIT, 1.2 * DIGIT, count)
    centre = uniform(-1, 1, count, 2) * (1 - 1.2 * DIGIT / SIDE)  # from -1 to 1
    back = torch.stack([angle.cos(), angle.sin(), -angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    back = back * (SIDE / size)[:, None, None]  # from a place in the picture to one in the digit
    theta = torch.cat([back, -back @ centre[..., None]], 2)  # (count, 2, 3)
    grid = F.affine_grid(theta, [count, 1, SIDE, SIDE], align_corners=False)
    pictures = F.grid_sample(images[chosen], grid, align_corners=False)

    large = F.interpolate(images, (DIGIT, DIGIT), mode="bilinear")
    i, step = torch.arange(count)[:, None, None], torch.arange(SCRAP)
    for _ in range(SCRAPS):
        other = torch.randint(len(labels), (count, 1, 1), generator=generator)
        row, column = torch.randint(DIGIT - SCRAP, (2, count, 1), generator=generator)
        scrap = large[other, 0, (row + step)[:, :, None], (column + step)[:, None]]
        row, column = torch.randint(SIDE - SCRAP, (2, count, 1), generator=generator)
        place = i, 0, (row + step)[:, :, None], (column + step)[:, None]
        pictures[place] = pictures[place].maximum(scrap)
    return pictures, labels[chosen], centre * SIDE / 2
