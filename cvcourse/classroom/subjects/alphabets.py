"""Letters of invented alphabets: as many classes as one wants, and no two copies alike.

A letter is three strokes, each a quadratic curve with three control points. A copy of it has its
control points shifted, all of it turned, sheared and resized, and is drawn with a pen. What
Omniglot (Lake et al. 2015) is to real alphabets, without a download; and Omniglot's own letters.
"""

from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.data.real import Omniglot

STROKES = 3
PEN = 0.16, 0.08  # beyond the first distance there is no ink; it rises to full over the second
POINTS = 10  # along a stroke


def invent(letters: int, seed: int) -> Tensor:
    """(letters, 3, 3, 2): three control points (x, y) of three strokes, in -0.75 to 0.75."""
    if letters < 1:
        raise ValueError(f"letters must be at least 1, got {letters}")
    generator = torch.Generator().manual_seed(seed)
    return 1.5 * torch.rand(letters, STROKES, 3, 2, generator=generator) - 0.75


def write(
    strokes: Tensor,
    copies: int,
    seed: int,
    *,
    size: int = 20,
    jitter: float = 0.06,
    affine: float = 0.15,
) -> Tensor:
    """Copies of each letter (letters, copies, size, size), ink 1 on 0.

    strokes: (letters, 3, 3, 2), of `invent`. jitter: deviation of each control point, where the
    picture reaches from -1 to 1. affine: deviation of the four numbers of the matrix that turns,
    shears and resizes, and half of it of the shift.
    """
    if copies < 1 or size < 4:
        raise ValueError(f"copies must be at least 1 and size at least 4, got {copies} and {size}")
    generator = torch.Generator().manual_seed(seed)
    shape = (len(strokes), copies)
    points = strokes[:, None] + jitter * torch.randn(*shape, STROKES, 3, 2, generator=generator)
    matrix = torch.eye(2) + affine * torch.randn(*shape, 1, 2, 2, generator=generator)
    shift = affine / 2 * torch.randn(*shape, 1, 1, 2, generator=generator)
    points = points @ matrix + shift
    t = torch.linspace(0, 1, POINTS)[:, None]
    bernstein = torch.cat([(1 - t) ** 2, 2 * t * (1 - t), t**2], 1)  # (10, 3)
    along = (bernstein @ points).flatten(2, 3)  # (letters, copies, 30, 2)
    at = (torch.arange(size) + 0.5) / size * 2 - 1
    pixels = torch.stack(torch.meshgrid(at, at, indexing="xy"), 2).view(-1, 2)
    ink = [_ink(part, pixels) for part in along.flatten(0, 1).split(512)]
    return torch.cat(ink).view(*shape, size, size)


def colour(ink: Tensor, hues: Tensor) -> Tensor:
    """Pictures (..., 3, H, W) of ink (..., H, W) in these hues (...), on white.

    A hue is a place on the circle of colours: 0 and 1 red, 1/3 green, 2/3 blue.
    """
    if hues.shape != ink.shape[:-2]:
        raise ValueError(f"hues must have shape {tuple(ink.shape[:-2])}, got {tuple(hues.shape)}")
    sixth = 6 * hues[..., None] + torch.tensor([0.0, 4.0, 2.0])
    rgb = ((sixth % 6 - 3).abs() - 1).clamp(0, 1)
    return 1 - ink[..., None, :, :] * (1 - rgb[..., None, None])


def moments(images: Tensor) -> tuple[Tensor, Tensor]:
    """Of the ink of (N, 1, S, S), in places from -1 to 1: mean (N, 2), covariance (N, 2, 2)."""
    size = images.shape[-1]
    side = (torch.arange(size) + 0.5) / size * 2 - 1
    at = torch.stack(torch.meshgrid(side, side, indexing="xy"), 2).view(-1, 2)
    ink = images.flatten(1) / images.flatten(1).sum(1, keepdim=True)
    mean = ink @ at
    off = at - mean[:, None]
    return mean, torch.einsum("np,npi,npj->nij", ink, off, off)


def normalised(images: Tensor, *, rounded: bool = True) -> Tensor:
    """Pictures (N, 1, S, S) whose ink is centred and, if rounded, spread alike in all directions.

    The ink's covariance becomes 0.16 times the identity, where a picture reaches from -1 to 1: what
    shifts, resizes and shears is undone; what turns is not.
    """
    mean, covariance = moments(images)
    root = torch.eye(2).expand(len(images), 2, 2)
    if rounded:
        values, vectors = torch.linalg.eigh(covariance)
        root = vectors @ torch.diag_embed(values.clamp(min=1e-3).sqrt()) @ vectors.mT / 0.4
    matrix = torch.cat([root, mean[..., None]], 2)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def _ink(along: Tensor, pixels: Tensor) -> Tensor:
    distance = torch.cdist(pixels.expand(len(along), -1, 2), along).amin(2)
    return ((PEN[0] - distance) / PEN[1]).clamp(0, 1)


def cards(
    letters: int,
    copies: int,
    seed: int,
    *,
    hues: int = 12,
    jitter: float = 0.09,
    affine: float = 0.15,
    hue_noise: float = 0.06,
) -> Tensor:
    """(letters, hues, copies, 3, 20, 20): every letter of a new alphabet in every colour.

    No card is like another: each copy is written anew, and its hue is off by `hue_noise` (the
    deviation; neighbours among 12 hues are 0.083 apart).
    """
    written = write(
        invent(letters, seed), hues * copies, seed + 1, jitter=jitter, affine=affine
    ).view(letters, hues, copies, 20, 20)
    return _dyed(written, seed + 2, hue_noise)


def cards_of_drawings(
    ink: Tensor, copies: int, seed: int, *, hues: int = 12, hue_noise: float = 0.06
) -> Tensor:
    """(letters, hues, copies, 3, H, W), as `cards`, of drawings that people made.

    ink: (letters, drawings, H, W), such as `omniglot` gives. Of each letter and hue the copies are
    different drawings; two hues of a letter may share some.
    """
    letters, drawings = ink.shape[:2]
    if not 1 <= copies <= drawings:
        raise ValueError(f"copies must be from 1 to {drawings}, the drawings, got {copies}")
    generator = torch.Generator().manual_seed(seed + 1)
    chosen = torch.rand(letters, hues, drawings, generator=generator).argsort(2)[..., :copies]
    return _dyed(ink[torch.arange(letters)[:, None, None], chosen], seed + 2, hue_noise)


@cache
def omniglot(folder: str | Path, number: int, *, size: int = 20) -> Tensor:
    """Ink (letters, 20, size, size) of Omniglot's letters, in three parts without a common one.

    number: 1 two thirds of the background letters, 2 the others, 3 all of the evaluation. Lines get
    thinner as drawings are made smaller, so ink is doubled, up to 1.
    """
    if number not in (1, 2, 3):
        raise ValueError(f"number must be 1, 2 or 3, got {number}")
    drawings = Omniglot(folder, "evaluation" if number == 3 else "background")
    small = [F.adaptive_avg_pool2d(ink, size)[0] for ink, _ in drawings]
    ink = (2 * torch.stack(small)).clamp(max=1).unflatten(0, (len(drawings.names), -1))
    cut = 2 * len(ink) // 3
    return {1: ink[:cut], 2: ink[cut:], 3: ink}[number]


def _dyed(written: Tensor, seed: int, hue_noise: float) -> Tensor:
    """Ink (letters, hues, copies, H, W) in the colour of its place, off by `hue_noise`."""
    letters, hues, copies = written.shape[:3]
    generator = torch.Generator().manual_seed(seed)
    off = hue_noise * torch.randn(letters, hues, copies, generator=generator)
    return colour(written, torch.arange(hues)[:, None] / hues + off)
