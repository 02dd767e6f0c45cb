"""Frames with their true flow, made in batches: cut-outs of photographs that fly.

FlyingChairs' recipe (Dosovitskiy et al. 2015, arXiv:1504.06852): a photograph moves by an affine
map, and things cut out of others move over it, each by a map of its own on top of the background's.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.ops import warp_is_inside


class Film(NamedTuple):
    frames: Tensor  # (N, T, 3, size, size) in [0, 1]
    flow: Tensor  # (N, T, 2, size, size): what is at p in the chosen frame is at p + flow in each
    seen: Tensor  # (N, T, size, size) bool: whether that frame shows it
    thing: Tensor  # (N, size, size): what is at p in the chosen frame, 0 the background


class Pairs(NamedTuple):
    first: Tensor  # (N, 3, size, size) in [0, 1]
    second: Tensor  # (N, 3, size, size)
    flow: Tensor  # (N, 2, size, size): what is at p in the first is at p + flow in the second
    seen: Tensor  # (N, size, size) bool: whether the second frame shows it
    thing: Tensor  # (N, size, size): what is at p in the first frame, 0 the background


def fly(
    photographs: Tensor,
    count: int,
    *,
    size: int = 64,
    things: int = 3,
    reach: float = 6.0,
    turn: float = 0.1,
    noise: float = 0.02,
    camouflage: bool = False,
    generator: torch.Generator | None = None,
) -> Pairs:
    """`count` pairs of frames, cut out of photographs (P, 3, H, W) that are larger than they.

    things: cut-outs over the background; later ones are in front.
    reach: the background moves by up to so many pixels in a random direction, and each thing by up
        to as many on top of that; all lengths are equally likely.
    turn: the largest turn in radians, and the largest change of size, as a share.
    noise: standard deviation of what is added to each frame.
    camouflage: things are cut out of the background's own photograph, equally enlarged.

    Both frames are resampled alike, so that blur does not give away what moved.
    """
    film = fly_film(
        photographs,
        count,
        (0.0, 1.0),
        chosen=0,
        size=size,
        things=things,
        reach=reach,
        turn=turn,
        noise=noise,
        camouflage=camouflage,
        generator=generator,
    )
    first, second = film.frames.unbind(1)
    return Pairs(first, second, film.flow[:, 1], film.seen[:, 1], film.thing)


def fly_film(
    photographs: Tensor,
    count: int,
    times: Sequence[float] = (0.0, 0.5, 1.0),
    *,
    chosen: int = 1,
    size: int = 64,
    things: int = 3,
    reach: float = 6.0,
    turn: float = 0.1,
    noise: float = 0.02,
    camouflage: bool = False,
    generator: torch.Generator | None = None,
) -> Film:
    """`count` films with a frame at each of `times`; shifts, turns and growth are even in time.

    times: 0 is the first frame and 1 the second of `fly`, whose arguments the others are.
    chosen: the frame, by its place in times, from which flow is told and in which things are.
    """
    layers = things + 1

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    centres = uniform(0.1 * size, 0.9 * size, count, layers, 2)
    centres[:, 0] = size / 2
    there, away = _shift(centres)[:, :, None], _shift(-centres)[:, :, None]
    length, way = uniform(0, reach, count, layers), uniform(-math.pi, math.pi, count, layers)
    step = torch.stack((length * way.cos(), length * way.sin()), -1)
    angle, growth = uniform(-turn, turn, count, layers), uniform(1 - turn, 1 + turn, count, layers)
    growth = growth - 1
    at = torch.tensor(times, dtype=step.dtype)
    spin = _turn(angle[..., None] * at, 1 + growth[..., None] * at)
    moves = _shift(step[:, :, None] * at[:, None]) @ there @ spin @ away
    moves[:, 1:] = moves[:, :1] @ moves[:, 1:]  # (N, L, T, 3, 3), from time 0 to each
    origin = torch.linalg.inv(moves)

    pixels = torch.arange(size) + 0.5
    y, x = torch.meshgrid(pixels, pixels, indexing="ij")
    frame = torch.stack((x, y, torch.ones_like(x)))  # (3, S, S)

    cover = _outlines(_apply(away[:, 1:] @ origin[:, 1:], frame), size, uniform)
    shown = _textures(photographs, origin, frame, uniform, camouflage)  # (N, L, T, 3, S, S)
    frames = shown[:, 0]
    top = torch.zeros(count, len(at), size, size, dtype=torch.long)
    for layer in range(1, layers):
        alpha = cover[:, layer - 1]  # (N, T, S, S)
        frames = torch.lerp(frames, shown[:, layer], alpha[:, :, None])
        top = torch.where(alpha > 0.5, layer, top)
    frames = frames + noise * torch.randn(frames.shape, generator=generator)

    thing = top[:, chosen]
    from_chosen = moves @ origin[:, :, chosen, None]
    flows = _apply(from_chosen, frame) - frame[:2]  # (N, L, T, 2, S, S)
    index = thing[:, None, None, None].expand(-1, 1, len(at), 2, -1, -1)
    flow = flows.gather(1, index)[:, 0]
    flat = flow.flatten(0, 1)
    there = _nearest(top.flatten(0, 1), flat).unflatten(0, top.shape[:2])
    seen = warp_is_inside(flat).unflatten(0, top.shape[:2]) & (there == thing[:, None])
    return Film(frames.clamp(0, 1), flow, seen, thing)


def _shift(by: Tensor) -> Tensor:
    """Matrices (..., 3, 3) that move points by `by` (..., 2)."""
    maps = torch.eye(3).repeat(*by.shape[:-1], 1, 1)
    maps[..., :2, 2] = by
    return maps


def _turn(angle: Tensor, zoom: Tensor) -> Tensor:
    """Matrices (..., 3, 3) that turn and enlarge about the origin."""
    maps = torch.eye(3).repeat(*angle.shape, 1, 1)
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    maps[..., 0, 0], maps[..., 0, 1], maps[..., 1, 0], maps[..., 1, 1] = cos, -sin, sin, cos
    return maps


def _apply(maps: Tensor, frame: Tensor) -> Tensor:
    """Points (..., 2, S, S) of a frame (3, S, S) by maps (..., 3, 3)."""
    return (maps[..., :2, :] @ frame.flatten(1)).unflatten(-1, frame.shape[1:])


def _outlines(places: Tensor, size: int, uniform: Callable) -> Tensor:
    """Opacity (N, things, T, S, S) of blobs around 0: circles with waves along their edge."""
    x, y = places.unbind(3)
    each = (*places.shape[:2], 1, 1, 1)
    angle, edge = torch.atan2(y, x), torch.ones_like(x)
    for waves in (2, 3, 4, 5):
        phase = angle.mul(waves).add_(uniform(-math.pi, math.pi, *each)).cos_()
        edge.addcmul_(phase, uniform(0, 0.3, *each) / math.sqrt(waves))
    radius = size * uniform(0.12, 0.3, *each)
    return edge.mul_(radius).add_(0.5).sub_(torch.hypot(x, y)).clamp_(0, 1)


def _textures(
    photographs: Tensor, origin: Tensor, frame: Tensor, uniform: Callable, camouflage: bool
) -> Tensor:
    """What each layer shows in each frame, were it everywhere (N, L, T, 3, S, S)."""
    count, layers, times = origin.shape[:3]
    height, width = photographs.shape[2:]
    size, sides = frame.shape[1], torch.tensor([width, height])
    chosen = uniform(0, len(photographs), count, layers).long()
    angle, zoom = uniform(-math.pi, math.pi, count, layers), uniform(0.7, 1.3, count, layers)
    if camouflage:
        chosen, zoom = (x[:, :1].expand(-1, layers) for x in (chosen, zoom))
    middle = 0.65 * size + uniform(0, 1, count, layers, 2) * (sides - 1.3 * size)
    turned = _turn(angle, zoom)
    half = torch.full((2,), size / 2)
    spots = _apply((_shift(middle) @ turned @ _shift(-half))[:, :, None] @ origin, frame)
    spots = torch.minimum(spots.clamp_(min=0.5), sides[:, None, None] - 0.5)
    spots[:, :, :, 1] += height * chosen[:, :, None, None, None]  # all photographs, one below other
    spots.mul_(2 / (sides * torch.tensor([1, len(photographs)]))[:, None, None]).sub_(1)
    grid = spots.permute(0, 1, 2, 4, 5, 3).reshape(count * layers, times * size, size, 2)
    sheet = photographs.transpose(0, 1).flatten(1, 2)[None].expand(len(grid), -1, -1, -1)
    shown = F.grid_sample(sheet, grid, align_corners=False)  # (N L, 3, T S, S)
    return shown.unflatten(2, (times, size)).transpose(1, 2).unflatten(0, (count, layers))


def _nearest(numbers: Tensor, flow: Tensor) -> Tensor:
    """Of numbers (N, S, S) the one nearest to where the flow points; outside, the border's."""
    height, width = numbers.shape[1:]
    x = (torch.arange(width) + flow[:, 0]).round().long().clamp(0, width - 1)
    y = (torch.arange(height)[:, None] + flow[:, 1]).round().long().clamp(0, height - 1)
    return numbers.flatten(1).gather(1, (y * width + x).flatten(1)).view_as(numbers)
