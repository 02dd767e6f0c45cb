"""Two frames and the flow between them, where it is known: what the question about motion asks."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from cvcourse.classroom.explorer.showing import Pair, middle
from cvcourse.classroom.subjects import motion
from cvcourse.classroom.subjects.flying import fly
from cvcourse.data import pictures

SIDE = 64  # pixels: what lesson 21's networks learnt on
FURTHEST = 8  # pixels: of a shift, in each direction


def shifted(image: Tensor, right: int, down: int) -> Pair:
    """The middle of a picture (3, H, W), of 64 x 64 pixels, and the same window of the picture
    moved by so many of these pixels: nothing is made up at the borders.

    Raises ValueError for a shift of more than 8 pixels.
    """
    for name, by in (("right", right), ("down", down)):
        if abs(by) > FURTHEST:
            raise ValueError(f"{name} must be from -{FURTHEST} to {FURTHEST}, but is {by}")
    wide = middle(image, SIDE + 2 * FURTHEST)
    first, second = (
        wide[:, FURTHEST - y : FURTHEST - y + SIDE, FURTHEST - x : FURTHEST - x + SIDE]
        for x, y in ((0, 0), (right, down))
    )
    flow = torch.tensor([float(right), float(down)])[:, None, None].expand(2, SIDE, SIDE)
    return Pair(first, second, flow)


def _things_that_fly(seed: int) -> Pair:
    photographs = torch.stack([pictures.load(n, 160) for n in ("astronaut", "chelsea", "coffee")])
    drawn = fly(photographs, 1, generator=torch.Generator().manual_seed(seed))
    return Pair(*(part[0] for part in drawn[:3]))


def _motorcycle() -> Pair:
    return Pair(*(part[0] for part in motion.motorcycle(8)[:3]))


PAIRS: dict[str, Callable[[], Pair]] = {
    "two frames: things that fly": partial(_things_that_fly, 77),
    "two frames: a motorcycle, left eye and right": _motorcycle,
}
