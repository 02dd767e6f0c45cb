"""Films of one handwritten digit that moves, before black or before a still photograph."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.classroom.device import fewer
from cvcourse.classroom.subjects.styles import KEPT_APART, SEEN, grey
from cvcourse.data import digits

STILL = 128  # pixels of a photograph's side, of which a film sees a part
DARKER = 0.6  # of the photograph's brightness, so that ink is seldom darker than what it hides


class Film(NamedTuple):
    frames: Tensor  # (N, T, 1, size, size)
    places: Tensor  # (N, T, 2): x and y of the ink's centre of mass, in pixels from the corner
    labels: Tensor  # (N,)


def moving_digits(
    count: int,
    split: str,
    generator: torch.Generator,
    *,
    frames: int = 1,
    speed: float = 0.0,
    size: int = 48,
    digit: int = 14,
    bounce: bool = False,
    photographs: bool = True,
    noise: float = 0.0,
) -> Film:
    """`count` films of `frames` frames; a digit goes `speed` pixels a frame, in any direction.

    split: of the digits: "train", "val" or "test". Photographs behind "train" are others than those
        behind the rest.
    digit: pixels of its side. It stays inside: by default the path is straight and is chosen so
        that it fits; with `bounce` it begins anywhere and is thrown back by the frame, so that
        every frame for itself is equally likely at each speed.
    noise: standard deviation of what is added to each frame, which is not cut off at 0 and 1.

    A rehearsal gets four films at most.

    Raises ValueError where a straight path does not fit.
    """
    room = float(size - digit)
    if not bounce and speed * (frames - 1) > room:
        raise ValueError(f"speed: {frames} frames of {speed} pixels do not fit into {room:.0f}")
    images, labels = digits.load(split)
    count = fewer(count, 4)
    chosen = torch.randint(len(images), (count,), generator=generator)
    angle = 2 * torch.pi * torch.rand(count, 1, generator=generator)
    step = speed * torch.cat([angle.cos(), angle.sin()], 1)
    whole = torch.zeros(count, 2) if bounce else step * (frames - 1)
    low, high = (-whole).clamp(min=0), (room - whole).clamp(max=room)
    start = low + (high - low) * torch.rand(count, 2, generator=generator)
    corner = start[:, None] + step[:, None] * torch.arange(frames)[:, None]  # (N, T, 2)
    corner = room - (corner.remainder(2 * room) - room).abs() if room else corner
    ink = images[chosen]
    at = torch.arange(8) + 0.5
    mass = ink.sum((1, 2, 3))
    own = torch.stack([(ink.sum((1, 2)) @ at) / mass, (ink.sum((1, 3)) @ at) / mass], 1)
    places = corner + own[:, None] * digit / 8
    alpha = _drawn(ink, corner + digit / 2, size, digit)
    behind = torch.zeros(count, 1, 1, size, size)
    if photographs:
        names = SEEN if split == "train" else KEPT_APART
        behind = DARKER * _cut(names, count, size, generator)[:, None]
    film = behind + alpha * (1 - behind)
    if noise:
        film = film + noise * torch.randn(film.shape, generator=generator)
    return Film(film, places, labels[chosen])


def batches(steps: int, count: int, generator: torch.Generator, **how) -> Iterator[Film]:
    """`steps` times `count` films to learn from, made when asked for; two in a rehearsal.

    how: as for `moving_digits`.
    """
    for _ in range(fewer(steps, 2)):
        yield moving_digits(count, "train", generator, **how)


def late(places: Tensor, lags: Sequence[int | None]) -> Tensor:
    """What was true `lags` frames before each frame of a film, (T, 2) of `places` (T, 2).

    Nan where there was no such frame yet, or the lag is None.
    """
    found = torch.full_like(places, torch.nan)
    for t, lag in enumerate(lags):
        if lag is not None and t >= lag:
            found[t] = places[t - lag]
    return found


def marked(frames: Tensor, places: Tensor, half: int = 8) -> Tensor:
    """One film (T, 1, S, S) with an orange frame around a place (T, 2) in each; (T, 3, S, S).

    half: pixels from the place to the frame. Of a place that is not finite nothing is drawn.
    """
    shown = frames.expand(-1, 3, -1, -1).clamp(0, 1).clone()
    orange = torch.tensor([0.9, 0.6, 0.0]).view(3, 1)
    for picture, place in zip(shown, places, strict=True):
        if not place.isfinite().all():
            continue
        left, top = (place.round().long() - half).tolist()
        edge = torch.arange(2 * half + 1)
        ends = torch.zeros_like(edge), torch.full_like(edge, 2 * half)
        x = left + torch.cat([edge, edge, *ends])
        y = top + torch.cat([*ends, edge, edge])
        inside = (x >= 0) & (x < picture.shape[2]) & (y >= 0) & (y < picture.shape[1])
        picture[:, y[inside], x[inside]] = orange
    return shown


def _drawn(ink: Tensor, centres: Tensor, size: int, digit: int) -> Tensor:
    """How much of each pixel is ink, (N, T, 1, size, size)."""
    count, frames = centres.shape[:2]
    scale = size / digit
    theta = torch.zeros(count * frames, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = -scale * (2 * centres.flatten(0, 1) / size - 1)
    grid = F.affine_grid(theta, [len(theta), 1, size, size], align_corners=False)
    drawn = F.grid_sample(ink.repeat_interleave(frames, 0), grid, align_corners=False)
    return drawn.unflatten(0, (count, frames))


def _cut(names: tuple[str, ...], count: int, size: int, generator: torch.Generator) -> Tensor:
    stills = _stills(names)
    which = torch.randint(len(names), (count,), generator=generator)
    rows, columns = torch.randint(STILL - size + 1, (2, count, 1), generator=generator)
    across = torch.arange(size)
    place = (rows + across)[:, :, None], (columns + across)[:, None]
    return stills[which[:, None, None], *place][:, None]


@cache
def _stills(names: tuple[str, ...]) -> Tensor:
    return torch.cat([grey(name, STILL) for name in names])
