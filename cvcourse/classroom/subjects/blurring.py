"""Blurs of known kind and size, and patches of photographs seen through them."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.classroom.subjects import styles
from cvcourse.data import pictures
from cvcourse.ops import defocus_kernel, gaussian_kernel, motion_kernel

KINDS = ("Gaussian", "motion", "defocus")
SIZES = ((1.0, 3.5), (6.0, 16.0), (2.5, 7.0))  # least and largest σ, length, radius, in pixels
_PATCH, _SIDE = 128, 256
_BORDER, _STEP, _CONTRAST = 12, 24, 0.03


def kernel_of(kind: int, size: float, angle: float = 0.0) -> Tensor:
    """The kernel of one of KINDS, by its number; only a motion has an angle, in radians."""
    if kind == 1:
        return motion_kernel(size, angle)
    return (gaussian_kernel if kind == 0 else defocus_kernel)(size)


def transfer(kernel: Tensor, side: int) -> Tensor:
    """(side, side // 2 + 1), complex: what a kernel (odd, odd) does to each frequency."""
    half, missing = kernel.shape[0] // 2, side - kernel.shape[0]
    if missing < 0:
        raise ValueError(f"side must be at least the kernel's {kernel.shape[0]}, got {side}")
    wide = F.pad(kernel, (0, missing, 0, missing))
    return torch.fft.rfft2(wide.roll((-half, -half), (0, 1)))


def grey_photographs(names: Sequence[str], sizes: Sequence[int] = (_SIDE,)) -> list[Tensor]:
    """Each photograph at each size (a square's side) that its original has, (size, size)."""
    return [
        styles.grey(name, size)[0]
        for name, size in itertools.product(names, sizes)
        if size <= min(pictures.load(name).shape[1:])
    ]


def patches_of(photograph: Tensor, own: torch.Generator, most: int) -> Tensor:
    """(n, 128, 128), n ≤ most: drawn from those with contrast, away from the border."""
    inner = photograph[_BORDER:-_BORDER, _BORDER:-_BORDER]
    windows = inner.unfold(0, _PATCH, _STEP).unfold(1, _PATCH, _STEP).flatten(0, 1)
    windows = windows[windows.std((1, 2)) > _CONTRAST]
    return windows[torch.randperm(len(windows), generator=own)[:most]]


def blurred_examples(
    photographs: Sequence[Tensor],
    count: int,
    seed: int,
    describe: Callable[[Tensor], Tensor],
    each: int = 6,
    noise: tuple[float, float] = (0.0, 0.0),
) -> tuple[Tensor, Tensor, Tensor]:
    """What `describe` says of the patches of `count` blurs, their kinds (N,), their targets (N, 3).

    A piece of 256 × 256 pixels of a photograph is turned, mirrored, blurred by the next kind with a
    size and a direction ω at random, given a noise of a strength drawn from the range, and rounded
    to whole grey levels (not clipped: noise may leave 0 to 255); up to `each` of its patches are
    taken. Targets: the size, from 0 (the least of SIZES) to 1 (the largest), and of a motion cos 2ω
    and sin 2ω, 0 for the others.
    """
    own, found = torch.Generator().manual_seed(seed), []
    for k in range(count):
        kind, (share, turn) = k % 3, torch.rand(2, generator=own).tolist()
        low, high = SIZES[kind]
        kernel = kernel_of(kind, low + share * (high - low), torch.pi * turn)
        picture = photographs[int(torch.randint(len(photographs), (1,), generator=own))]
        i, j = (int(torch.randint(n - _SIDE + 1, (1,), generator=own)) for n in picture.shape)
        picture = picture[i : i + _SIDE, j : j + _SIDE].rot90(k // 3 % 4)
        picture = picture.flip(1) if k // 12 % 2 else picture
        soft = torch.fft.irfft2(torch.fft.rfft2(picture) * transfer(kernel, _SIDE))
        grain = noise[0] + (noise[1] - noise[0]) * torch.rand(1, generator=own)
        soft = soft + grain * torch.randn(soft.shape, generator=own)
        windows = patches_of((255 * soft).round() / 255, own, each)
        double = 2 * torch.pi * turn
        told = [share, np.cos(double) * (kind == 1), np.sin(double) * (kind == 1)]
        found.append((describe(windows), [kind] * len(windows), [told] * len(windows)))
    described, kinds, targets = zip(*found, strict=True)
    kinds, targets = (list(itertools.chain(*of)) for of in (kinds, targets))
    return torch.cat(described), torch.tensor(kinds), torch.tensor(targets).float()
