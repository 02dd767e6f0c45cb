"""Frames of a moving camera through a window that reflects, or through a fence; all is known."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.methods import translate
from cvcourse.ops import blur, composite, gaussian_kernel

_RIM = 16  # pixels around the frames that may come into view
_REFLECTED = 0.4
_JITTER = 0.15  # pixels by which a hand departs from even motion
_FASTEST = 2.5  # pixels a frame along each axis
_WIRE, _MESH = 2.0, 20.0  # pixels


class Obstructed(NamedTuple):
    """Frames in [0, 1]; of the middle one what is behind (in full light), and what is in front.

    `alpha` is the obstruction's share of each pixel of the middle frame, `motion` how far
    background and obstruction move from it to each frame, (x, y) in pixels.
    """

    frames: Float[Tensor, "frames 3 size size"]
    background: Float[Tensor, "3 size size"]
    obstruction: Float[Tensor, "3 size size"]
    alpha: Float[Tensor, "1 size size"]
    motion: Float[Tensor, "2 frames 2"]


def through_window(
    photographs: Float[Tensor, "pictures 3 side side"],
    *,
    seed: int,
    parallax: float | None = None,
    size: int = 96,
    frames: int = 5,
) -> Obstructed:
    """0.6 of one photograph and 0.4 of another, which is a little blurred and moves by itself.

    parallax: by how many pixels a frame the two motions differ; None: by 1.5 or more.

    Raises ValueError where fewer than two photographs are given, or they are too small.
    """
    g = torch.Generator().manual_seed(seed)
    background, reflected = _pieces(photographs, 2, size, g)
    reflected = blur(reflected[None], gaussian_kernel(1.0))[0]
    motion = _motion(frames, parallax, 1.5, g)
    moved = [_moved(x, m) for x, m in zip((background, reflected), motion, strict=True)]
    mixed = (1 - _REFLECTED) * moved[0] + _REFLECTED * moved[1]
    alpha = torch.full((1, size, size), _REFLECTED)
    return Obstructed(mixed, _inner(background), _inner(reflected), alpha, motion)


def through_fence(
    photographs: Float[Tensor, "pictures 3 side side"],
    *,
    seed: int,
    size: int = 96,
    frames: int = 5,
) -> Obstructed:
    """One photograph behind wires of one colour, 2 pixels wide and 20 apart, in two directions.

    What is near moves faster: the motions differ by 2 pixels a frame or more.

    Raises ValueError as `through_window` does.
    """
    g = torch.Generator().manual_seed(seed)
    background, _ = _pieces(photographs, 2, size, g)
    motion = _motion(frames, None, 2.0, g)
    colour = 0.1 + 0.5 * torch.rand(3, 1, 1, generator=g)
    angle = 0.6 + 0.4 * torch.rand(2, generator=g)
    place = torch.arange(size, dtype=torch.float32)
    alphas = []
    for x, y in motion[1].tolist():
        wires = torch.zeros(size, size)
        for slope, across in zip(angle.tolist(), (1.0, -1.0), strict=True):
            turn = torch.tensor(slope)
            along = (place - x) * turn.cos() + across * (place[:, None] - y) * turn.sin()
            away = (along.remainder(_MESH) - _MESH / 2).abs()  # from the middle of a wire
            wires = torch.maximum(wires, (_WIRE / 2 + 0.5 - away).clamp(0, 1))
        alphas.append(wires[None])
    alpha = torch.stack(alphas)
    behind, wire = _moved(background, motion[0]), colour.expand(3, size, size)
    mixed = composite(alpha, wire.expand_as(behind), behind)
    return Obstructed(mixed, _inner(background), wire, alpha[frames // 2], motion)


def velocity_behind(
    frames: Float[Tensor, "frames 3 height width"], fastest: float = 3.0
) -> Float[Tensor, "2"]:
    """(x, y) in pixels a frame under which the frames agree best, once they are moved back.

    The median of all differences counts, so that what covers a part does not. A rough search over
    `fastest` pixels either way, then a fine one around its best; the middle frame does not move.
    """
    grey, best = frames.mean(1, keepdim=True), torch.zeros(2)
    time = torch.arange(len(frames))[:, None] - len(frames) // 2
    for reach, number in ((fastest, 13), (fastest / 12, 5)):
        line = torch.linspace(-reach, reach, number)
        tried = best + torch.cartesian_prod(line, line)
        moved = torch.stack([translate(grey, -velocity * time) for velocity in tried])
        differ = (moved - moved.median(1, keepdim=True).values).abs().flatten(1)
        best = tried[differ.median(1).values.argmin()]
    return best


def fitted(
    found: Float[Tensor, "3 height width"], truth: Float[Tensor, "3 height width"]
) -> Float[Tensor, "3 height width"]:
    """`found` with the gain and offset of each colour under which it comes nearest to `truth`.

    Two layers that add up are known but for a constant; compare after this.

    **Conventions**: least squares; of a colour without contrast the truth's mean is left.
    """
    x, y = found.flatten(1), truth.flatten(1)
    middle, tiny = y.mean(1, keepdim=True), torch.finfo(x.dtype).tiny
    x = x - x.mean(1, keepdim=True)
    gain = (x * (y - middle)).sum(1, keepdim=True) / x.square().sum(1, keepdim=True).clamp(min=tiny)
    return (gain * x + middle).view_as(truth)


def _pieces(photographs: Tensor, count: int, size: int, g: torch.Generator) -> list[Tensor]:
    """Squares of different photographs, with a rim."""
    side = size + 2 * _RIM
    room = min(photographs.shape[2:]) - side + 1
    if len(photographs) < count or room < 1:
        raise ValueError(
            f"photographs must be {count} or more of {side} pixels a side, got "
            f"{tuple(photographs.shape)}"
        )
    pieces = []
    for k in torch.randperm(len(photographs), generator=g)[:count].tolist():
        top, left = torch.randint(room, (2,), generator=g).tolist()
        pieces.append(photographs[k, :, top : top + side, left : left + side])
    return pieces


def _motion(frames: int, parallax: float | None, least: float, g: torch.Generator) -> Tensor:
    """(2, frames, 2), nothing at the middle frame."""
    velocities = _FASTEST * (2 * torch.rand(2, 2, generator=g) - 1)
    while (velocities[0] - velocities[1]).norm() < least:
        velocities = _FASTEST * (2 * torch.rand(2, 2, generator=g) - 1)
    if parallax is not None:
        apart = velocities[1] - velocities[0]
        middle = velocities.mean(0)
        half = 0.5 * parallax * apart / apart.norm()
        velocities = torch.stack([middle - half, middle + half])
    time = torch.arange(frames) - frames // 2
    motion = velocities[:, None] * time[:, None]
    motion = motion + _JITTER * torch.randn(motion.shape, generator=g)
    motion[:, frames // 2] = 0
    return motion


def _moved(piece: Tensor, motion: Tensor) -> Tensor:
    return _inner(translate(piece.expand(len(motion), -1, -1, -1), motion))


def _inner(piece: Tensor) -> Tensor:
    return piece[..., _RIM:-_RIM, _RIM:-_RIM]
