"""What networks of motion and of frames in between call: correlation, warping, a kernel a pixel."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from kornia.geometry.transform import remap
from torch import Tensor

from benchmarks.harness import Case
from cvcourse.ops import correlation, separable_convolution, warp


def cases() -> Iterator[Case]:
    for name, grad in (("", False), (" with backward", True)):
        shifts = "a product for each displacement"
        yield Case(
            name=f"correlation{name}",
            sizes="4 x 64 x 48 x 64, 441 displacements",
            inputs=lambda grad=grad: pair(4, 64, 48, 64, grad=grad),
            ours=correlation,
            peers={shifts: correlation_by_shifts},
            target={shifts: 1.0},
        )
        yield Case(
            name=f"separable_convolution{name}",
            sizes="1 x 3 x 64 x 64, 51 taps",
            inputs=lambda grad=grad: (
                torch.rand(1, 3, 114, 114, requires_grad=grad),
                *pair(1, 51, 64, 64, grad=grad),
            ),
            ours=separable_convolution,
            peers={"unfold and einsum": separable_by_unfolding},
            target={"unfold and einsum": 3.0},
            rtol=1e-3,
            atol=1e-3,
        )
        yield Case(
            name=f"warp{name}",
            sizes="8 x 3 x 256 x 256",
            inputs=lambda grad=grad: (
                torch.rand(8, 3, 256, 256, requires_grad=grad),
                between_pixels(8, 2, 256, 256).requires_grad_(grad),
            ),
            ours=warp,
            peers={"kornia": kornia_warp, "F.grid_sample": sampled},
            rtol=1e-3,
            atol=1e-3,
        )


def pair(*shape: int, grad: bool) -> tuple[Tensor, Tensor]:
    return torch.randn(shape, requires_grad=grad), torch.randn(shape, requires_grad=grad)


def between_pixels(*shape: int) -> Tensor:
    """Displacements whose slope does not hang on a rounding, as it does at whole pixels."""
    return torch.randint(-8, 8, shape) + 0.1 + 0.8 * torch.rand(shape)


def correlation_by_shifts(first: Tensor, second: Tensor) -> Tensor:
    height, width = first.shape[2:]
    around = F.pad(second, [20] * 4)
    steps = range(0, 41, 2)
    maps = [
        (first * around[..., y : y + height, x : x + width]).mean(1) for y in steps for x in steps
    ]
    return torch.stack(maps, 1)


def separable_by_unfolding(image: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    taps = vertical.shape[1]
    windows = image.unfold(2, taps, 1).unfold(3, taps, 1)
    return torch.einsum("bchwij,bihw,bjhw->bchw", windows, vertical, horizontal)


def points(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Where each pixel looks, (B, H, W)."""
    y, x = (torch.arange(n, device=flow.device) for n in flow.shape[2:])
    return flow[:, 0] + x, flow[:, 1] + y[:, None]


def kornia_warp(image: Tensor, flow: Tensor) -> Tensor:
    return remap(image, *points(flow), align_corners=True)


def sampled(image: Tensor, flow: Tensor) -> Tensor:
    height, width = flow.shape[2:]
    x, y = points(flow)
    grid = torch.stack((2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1), 3)
    return F.grid_sample(image, grid, align_corners=True)
