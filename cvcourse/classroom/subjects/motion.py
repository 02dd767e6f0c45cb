"""What lesson 21 shows and measures on: hidden things, crossing curves, a motorcycle seen twice."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.classroom.subjects.flying import fly
from cvcourse.data import pictures

# level, height, waves, phase: the first curve is the one that moves
_CURVES = (
    (0.5, 0.25, 3, 0), (0.2, 0.2, 5, 1), (0.8, 0.2, 4, 2), (0.6, 0.3, 2, 4.5),
    (0.3, 0.15, 6, 4), (0.8, 0.15, 5, 5), (0.45, 0.35, 4, 4), (0.6, 0.25, 6, 2),
)  # fmt: skip


def hidden_things(seed: int, things: int, time: float, *, size: int = 96) -> Tensor:
    """A frame (3, size, size): gravel, and things cut out of the same gravel, at `time` -1 to 1.

    They move evenly with time, each its own way, and at time 0 nothing gives them away.
    """
    gravel = pictures.load("gravel", 200)[None]
    draws = torch.Generator().manual_seed(seed)
    still = {"things": things, "size": size, "turn": 0, "noise": 0, "camouflage": True}
    return fly(gravel, 1, reach=10 * time, generator=draws, **still).second[0]


def crossing_curves(time: float, *, size: int = 96) -> Tensor:
    """A frame (3, size, size): black curves on white, of which one moves up and down with time."""
    x = torch.linspace(0, 1, 300)
    level, height, waves, phase = torch.tensor(_CURVES).T[..., None]
    y = level + height * (waves * x + phase).sin()
    y[0] += 0.04 * time
    points = torch.stack((y, x.expand_as(y)), 2).flatten(0, 1) * size
    pixels = torch.cartesian_prod(torch.arange(size), torch.arange(size)) + 0.5
    distance = torch.cdist(pixels, points).amin(1).view(1, size, size)
    return (distance - 0.7).clamp(0, 1).expand(3, -1, -1)


def motorcycle(k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The stereo pair of `pictures`, made smaller k times: left, right, flow, where it is known.

    Pictures (1, 3, H, W) are means over blocks, flow (1, 2, H, W) is the left view's at the middle
    of each block, in small pixels and nan where unknown; known (1, H, W).
    """
    stereo = pictures.stereo()
    height, width = (side // k * k for side in stereo.disparity.shape)
    left, right = (
        F.avg_pool2d(view[None, :, :height, :width], k) for view in (stereo.left, stereo.right)
    )
    u = -stereo.disparity[:height, :width][k // 2 :: k, k // 2 :: k] / k
    return left, right, torch.stack((u, 0 * u))[None], u.isfinite()[None]


def best_constant(flow: Tensor, known: Tensor) -> Tensor:
    """The medians of the known vectors of each field (N, 2, H, W), everywhere: it peeks."""
    middle = [[part[k].median() for part in field] for field, k in zip(flow, known, strict=True)]
    return torch.tensor(middle)[:, :, None, None].expand_as(flow)
