"""Films of things that act: what it is can be seen in one frame, what it does in none.

A thing of the simulator (`Scenes`) is rendered once and then moved over a photograph, so that
thousands of films are made in seconds. All actions of one subject share everything but the motion.
"""

import itertools
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.data import pictures
from cvcourse.data.scenes import Scenes

THINGS = ("star", "ring", "cross", "heart", "crescent", "arrow", "coin", "horse")
ACTIONS = ("left", "right", "up", "down", "clockwise", "counterclockwise", "sways", "bobs")
REVERSED = (1, 0, 3, 2, 5, 4, 6, 7)  # which action a film shows that is run backwards
FAST = ACTIONS[4:]  # these come back after a period; the others drift
PLACES = {
    "train": ("china", "flower", "coffee", "rocket", "brick", "grass"),
    "test": ("astronaut", "chelsea", "gravel"),
}


class Cast(NamedTuple):
    """Things to act with, and places to act in."""

    looks: Tensor  # (N, 4, 40, 40): colours, and opacity
    kinds: Tensor  # (N,) index in THINGS
    places: Tensor  # (P, 3, 200, 200)


class Films(NamedTuple):
    frames: Tensor  # (N, 3, T, size, size) in [0, 1]
    action: Tensor  # (N,) index in ACTIONS
    thing: Tensor  # (N,) index in THINGS


def cast_of(split: str, count: int, *, seed: int = 0) -> Cast:
    """`count` things of each kind, and the photographs of a split, "train" or "test"."""
    looks = [_look(kind, i, split, seed) for i in range(count) for kind in THINGS]
    places = torch.stack([pictures.load(name, 200) for name in PLACES[split]])
    return Cast(torch.stack(looks), torch.arange(len(THINGS)).repeat(count), places)


def only(cast: Cast, kind: str) -> Cast:
    """Of the cast the things of one kind."""
    [these] = (cast.kinds == THINGS.index(kind)).nonzero(as_tuple=True)
    return Cast(cast.looks[these], cast.kinds[these], cast.places)


def act(
    cast: Cast,
    count: int,
    *,
    frames: int = 16,
    size: int = 32,
    period: float = 5.0,
    noise: float = 0.02,
    every: bool = False,
    generator: torch.Generator | None = None,
) -> Films:
    """`count` films, each of a thing, a place and an action of its own.

    period: frames in which a circle is closed (clockwise as it is seen), and in which what sways
        (left and right) or bobs (up and down) is back where it began.
    noise: standard deviation of what is added to each frame.
    every: each of `count` subjects acts in all actions, one after the other in the result, with the
        same thing, place, circle and noise: count · 8 films that differ by the motion alone.
    """

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    who = torch.randint(len(cast.looks), (count,), generator=generator)
    walls = _walls(cast.places, count, size, generator)
    x, y = uniform(0.44, 0.56) * size, uniform(0.44, 0.56) * size
    radius, pace, phase = uniform(0.28, 0.34) * size, uniform(0.8, 1.2), uniform(-math.pi, math.pi)
    grain = noise * torch.randn(count, 3, frames, size, size, generator=generator)
    acts = [range(len(ACTIONS))] * count
    if not every:
        acts = torch.randint(len(ACTIONS), (count, 1), generator=generator).tolist()
    films = []
    for n, numbers in enumerate(acts):
        for i in numbers:
            way = steps(ACTIONS[i], frames, pace[n].item(), phase[n].item(), period)
            centres = torch.stack((x[n], y[n])) + way * size / 32
            film = _moved(cast.looks[who[n]], walls[n], centres, radius[n])
            films.append((film + grain[n]).clamp_(0, 1))
    action = torch.tensor([i for numbers in acts for i in numbers])
    thing = cast.kinds[who].repeat_interleave(len(films) // count)
    return Films(torch.stack(films), action, thing)


def steps(action: str, frames: int, pace: float, phase: float, period: float = 5.0) -> Tensor:
    """How far a thing is from its place in each frame: (frames, 2), x and y in 32nds of a side.

    Drifts go by 0.8 · `pace` a frame, and are in their place in the middle of the film. Circles
    have a radius of 3 · `pace`, and begin in their place, which is at the angle `phase` of them;
    what sways or bobs goes along one axis of the circle.
    """
    t = torch.arange(frames, dtype=torch.float32)
    drift = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
    if action in drift:
        return 0.8 * pace * (t - t.mean())[:, None] * torch.tensor(drift[action])
    turn = -1 if action == "counterclockwise" else 1
    angle = turn * 2 * math.pi * (t / period % 1) + phase  # y points down: growing is clockwise
    way = 3 * pace * torch.stack((angle.cos(), angle.sin()), 1)
    kept = torch.tensor({"sways": (1.0, 0.0), "bobs": (0.0, 1.0)}.get(action, (1.0, 1.0)))
    return (way - way[:1]) * kept


def soft_matching(films: Tensor, *, reach: int = 2, tau: float = 0.001) -> Tensor:
    """Motion from each frame to the next: (N, 3, T, S, S) to (N, 2 (T - 1), S/2, S/2), y and x.

    Each place of a frame, at half the size, is compared with the places of the next up to `reach`
    away: D is the squared difference of brightness, as a mean of 3 x 3 places. The shifts are
    averaged with weights exp(-D / tau): what lies farther away is not found.
    """
    grey = F.avg_pool2d(films.mean(1), 2)
    first, second = grey[:, :-1], F.pad(grey[:, 1:], [reach] * 4, mode="replicate")
    side, places = first.shape[-1], list(itertools.product(range(2 * reach + 1), repeat=2))
    apart = [(second[..., i : i + side, j : j + side] - first).square() for i, j in places]
    apart = torch.stack([F.avg_pool2d(x, 3, 1, 1) for x in apart], 2)
    shifts = torch.tensor(places, device=films.device).float() - reach  # rows are y, x
    return torch.einsum("ntkhw,kc->ntchw", (-apart / tau).softmax(2), shifts).flatten(1, 2)


def _look(kind: str, i: int, split: str, seed: int) -> Tensor:
    """A thing (4, 40, 40) that fills its square, cut out of a scene."""
    scenes = Scenes(
        i + 1, size=64, seed=seed, split=split, objects=1, classes=("background", kind),
        scale=(0.5, 0.5), rotation=30, shadow=0, noise=0, blur=0,
    )  # fmt: skip
    image, target = scenes[i]
    left, top, right, bottom = target["boxes"][0].tolist()
    side = max(right - left, bottom - top) + 2
    there = torch.cat((image, target["masks"].float()))[None]
    offset = ((torch.arange(40) + 0.5) / 40 - 0.5) * side
    x, y = (offset + (low + high) / 2 for low, high in ((left, right), (top, bottom)))
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None] / 32 - 1
    return F.grid_sample(there, grid, align_corners=False)[0]


def _walls(places: Tensor, count: int, size: int, generator) -> Tensor:
    """Parts of the photographs (count, 3, size, size), dark and out of focus."""
    place = torch.randint(len(places), (count,), generator=generator).tolist()
    corner = torch.randint(200 - 64 + 1, (count, 2), generator=generator).tolist()
    walls = [places[p, :, y : y + 64, x : x + 64] for p, (y, x) in zip(place, corner, strict=True)]
    return 0.4 * F.interpolate(F.avg_pool2d(torch.stack(walls), 8), (size, size), mode="bilinear")


def _moved(look: Tensor, wall: Tensor, centres: Tensor, radius: Tensor) -> Tensor:
    """A film (3, T, S, S): the look over the wall, at each of the centres (T, 2)."""
    pixels = torch.arange(wall.shape[1]) + 0.5
    x, y = ((pixels - centres[:, k, None]) / radius for k in (0, 1))  # (T, S)
    grid = torch.stack(torch.broadcast_tensors(x[:, None], y[:, :, None]), -1)
    shown = F.grid_sample(look[None].expand(len(centres), -1, -1, -1), grid, align_corners=False)
    return torch.lerp(wall[:, None], shown[:, :3].transpose(0, 1), shown[:, 3])
