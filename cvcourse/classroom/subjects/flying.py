"""Pairs of frames with their true flow, made in batches: cut-outs of photographs that fly.

FlyingChairs' recipe (Dosovitskiy et al. 2015, arXiv:1504.06852): a photograph moves by an affine
map, and things cut out of others move over it, each by a map of its own on top of the background's.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.ops import warp_is_inside


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
    layers = things + 1

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    centres = uniform(0.1 * size, 0.9 * size, count, layers, 2)
    centres[:, 0] = size / 2
    there, away = _shift(centres), _shift(-centres)
    length, way = uniform(0, reach, count, layers), uniform(-math.pi, math.pi, count, layers)
    step = _shift(torch.stack((length * way.cos(), length * way.sin()), -1))
    spin = _turn(uniform(-turn, turn, count, layers), uniform(1 - turn, 1 + turn, count, layers))
    moves = step @ there @ spin @ away
    moves[:, 1:] = moves[:, :1] @ moves[:, 1:]  # (N, L, 3, 3), from first to second frame
    still = torch.eye(3).expand_as(moves)
    origin = torch.stack((still, torch.linalg.inv(moves)), 2)  # (N, L, 2, 3, 3), to the first frame

    pixels = torch.arange(size) + 0.5
    y, x = torch.meshgrid(pixels, pixels, indexing="ij")
    frame = torch.stack((x, y, torch.ones_like(x)))  # (3, S, S)

    cover = _outlines(_apply(away[:, 1:, None] @ origin[:, 1:], frame), size, uniform)
    shown = _textures(photographs, origin, frame, uniform, camouflage)  # (N, L, 2, 3, S, S)
    frames, top = shown[:, 0], torch.zeros(count, 2, size, size, dtype=torch.long)
    for layer in range(1, layers):
        alpha = cover[:, layer - 1]  # (N, 2, S, S)
        frames = torch.lerp(frames, shown[:, layer], alpha[:, :, None])
        top = torch.where(alpha > 0.5, layer, top)
    frames = frames + noise * torch.randn(frames.shape, generator=generator)

    thing, later = top.unbind(1)
    flows = _apply(moves, frame) - frame[:2]  # (N, L, 2, S, S)
    flow = flows.gather(1, thing[:, None, None].expand(-1, 1, 2, -1, -1))[:, 0]
    seen = warp_is_inside(flow) & (_nearest(later, flow) == thing)
    return Pairs(*frames.clamp(0, 1).unbind(1), flow, seen, thing)


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
    """Opacity (N, T, 2, S, S) of blobs around 0: circles with waves along their edge."""
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
    """What each layer shows in both frames, were it everywhere (N, L, 2, 3, S, S)."""
    count, layers = origin.shape[:2]
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
    grid = spots.permute(0, 1, 2, 4, 5, 3).reshape(count * layers, 2 * size, size, 2)
    sheet = photographs.transpose(0, 1).flatten(1, 2)[None].expand(len(grid), -1, -1, -1)
    shown = F.grid_sample(sheet, grid, align_corners=False)  # (N L, 3, 2 S, S)
    return shown.unflatten(2, (2, size)).transpose(1, 2).unflatten(0, (count, layers))


def _nearest(numbers: Tensor, flow: Tensor) -> Tensor:
    """Of numbers (N, S, S) the one nearest to where the flow points; outside, the border's."""
    height, width = numbers.shape[1:]
    x = (torch.arange(width) + flow[:, 0]).round().long().clamp(0, width - 1)
    y = (torch.arange(height)[:, None] + flow[:, 1]).round().long().clamp(0, height - 1)
    return numbers.flatten(1).gather(1, (y * width + x).flatten(1)).view_as(numbers)
