"""Pictures whose pieces look right and whose whole does not, as a question without labels.

Jenni et al. 2020, arXiv:2004.02331; constants of sjenni/LCI.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.methods._drawing import DRAWN
from cvcourse.methods._windows import cut_windows
from cvcourse.ops import warp
from cvcourse.ops._checks import as_float, check_rgb

UNTOUCHED, FILLED, TURNED, WARPED = 0, 1, (2, 3, 4), 5


def erase_middle(
    patches: Float[Tensor, "batch 3 side side"],
    hole: int = 42,
    noise: float = 0.1,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "batch 3 side side"], Float[Tensor, "batch 1 side side"]]:
    """Patches with normal noise in the middle, and where they are still seen, 1 or 0.

    Args:
        patches: (B, 3, S, S); 48 pixels in the authors' code.
        hole: its side; 42 leaves a frame of three pixels: the limited context.
        noise: its deviation, about 0.
    """
    side = _square("patches", patches)
    if not 1 <= hole <= side:
        raise ValueError(f"hole must be from 1 to {side}, got {hole}")
    first = (side - hole) // 2
    inner = slice(first, first + hole)
    seen = torch.ones_like(patches[:, :1])
    seen[:, :, inner, inner] = 0
    grain = noise * torch.randn(patches.shape, generator=generator, **DRAWN).to(patches)
    return seen * patches + (1 - seen) * grain, seen


def paste_patches(
    images: Float[Tensor, "batch 3 height width"],
    patches: Float[Tensor, "batch 3 side side"],
    corners: Int64[Tensor, "batch 2"],
) -> Float[Tensor, "batch 3 height width"]:
    """Images with a patch each over them, whose first row and column `corners` says."""
    side = _square("patches", patches)
    last = images.new_tensor(images.shape[2:]) - side
    if len(images) != len(patches) or corners.shape != (len(images), 2):
        raise ValueError(
            f"images, patches and corners must be as many, got {len(images)}, {len(patches)}, "
            f"{tuple(corners.shape)}"
        )
    if (corners < 0).any() or (corners > last).any():
        raise ValueError(f"corners must be from 0 to {tuple(last.int().tolist())}")
    steps = torch.arange(side, device=images.device)
    rows, columns = (corners.to(images.device)[..., None] + steps).unbind(1)  # (B, side) each
    which = torch.arange(len(images), device=images.device)[:, None, None]
    out = images.clone()
    out[which, :, rows[..., None], columns[:, None]] = patches.permute(0, 2, 3, 1).to(images.dtype)
    return out


def thin_plate_flow(
    moves: Float[Tensor, "batch points 2"],
    points: Float[Tensor, "batch points 2"],
    size: tuple[int, int],
) -> Float[Tensor, "batch 2 height width"]:
    """The smoothest flow of an image that has these moves (x, y) at these points (x, y).

    A thin-plate spline, Σ w r² log r and a linear part: exact at the points, least bent between
    them. Three points or more of each image must not lie on a line. Computed in float64.
    """
    if points.shape != moves.shape or points.ndim != 3 or points.shape[2] != 2:
        raise ValueError(
            f"points and moves must have one shape (B, points, 2), "
            f"got {tuple(points.shape)} and {tuple(moves.shape)}"
        )
    if points.shape[1] < 3:
        raise ValueError(f"points must be 3 or more, got {points.shape[1]}")
    height, width = size
    at, by = points.double() / max(size), moves.double()  # about 1, for the sake of the digits
    linear = F.pad(at, (0, 1), value=1.0)  # (B, P, 3)
    corner = linear.new_zeros(len(at), 3, 3)
    system = torch.cat(
        [torch.cat([_bending(at, at), linear], 2), torch.cat([linear.mT, corner], 2)], 1
    )
    weights = torch.linalg.solve(system, F.pad(by, (0, 0, 0, 3)))  # (B, P + 3, 2)
    y, x = torch.meshgrid(
        *(torch.arange(n, device=at.device).double() / max(size) for n in size), indexing="ij"
    )
    pixels = torch.stack([x, y], 2).flatten(0, 1).expand(len(at), -1, 2)  # (B, H · W, 2)
    basis = torch.cat([_bending(pixels, at), F.pad(pixels, (0, 1), value=1.0)], 2)
    return (basis @ weights).mT.unflatten(2, (height, width)).to(moves.dtype)


def warp_smoothly(
    images: Float[Tensor, "batch channels height width"],
    *,
    points: int = 16,
    strength: float = 1 / 16,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch channels height width"]:
    """Images bent by a thin-plate spline: random points moved, all else as smoothly as can be.

    Args:
        points: as many; 16 in the paper.
        strength: each is moved by up to this part of the height, along x and y.
    """
    height, width = images.shape[2:]
    draw = torch.rand(2, len(images), points, 2, generator=generator, **DRAWN).to(images.device)
    source = draw[0] * draw.new_tensor([width, height])
    moves = (2 * draw[1] - 1) * strength * height
    flow = -thin_plate_flow(moves, source + moves, (height, width))  # looked up backwards
    return warp(images, flow.to(images), padding="border")


class LimitedContext(NamedTuple):
    """Six views of each image, and what the inpainter learns from.

    views (6B, 3, C, C), kind by kind, and labels (6B,); patches, filled and encoded (B, 3, S, S) of
    each image as it was, with its middle filled in, and auto-encoded; seen (B, 1, S, S).
    """

    views: Tensor
    labels: Tensor
    patches: Tensor
    filled: Tensor
    encoded: Tensor
    seen: Tensor


def limited_context_batch(
    images: Float[Tensor, "batch 3 side side"],
    inpaint: Callable[[Tensor], Tensor],
    *,
    patch: int = 48,
    hole: int = 42,
    crop: int = 64,
    tilt: float = 0.07 * math.pi,
    generator: torch.Generator | None = None,
) -> LimitedContext:
    """What was done to it? Untouched, filled in, turned by 1, 2, 3 quarters, or warped: 0 to 5.

    Args:
        images: (B, 3, S, S) in [-1, 1]; 80 pixels in the authors' code for STL-10.
        inpaint: patches to patches, such as `PatchInpainter`.
        patch: side of what is cut out, at a random place of each image.
        hole: side of what is erased of it and filled in by `inpaint`.
        crop: side of the views, at a random place.
        tilt: half of each kind is turned by up to this angle in radians.

    So that no trace of the making answers, half of the untouched images have a patch that went
    through `inpaint` whole, and half of every kind are interpolated.
    """
    side = _square("images", images)
    if not 1 <= hole <= patch <= side or not 1 <= crop <= side:
        raise ValueError(
            f"hole, patch and crop must be from 1 to {side}, the hole not above the patch, "
            f"got {hole}, {patch}, {crop}"
        )
    batch = len(images)
    corners = torch.randint(side - patch + 1, (batch, 2), generator=generator, device="cpu")
    corners = corners.to(images.device)
    patches = cut_windows(images, corners[:, None], patch)[:, 0]
    erased, seen = erase_middle(patches, hole, generator=generator)
    encoded, filled = inpaint(torch.cat([patches, erased])).chunk(2)
    raw = batch // 2
    untouched = torch.cat([images[:raw], paste_patches(images, encoded, corners)[raw:]])
    bent = warp_smoothly(images, generator=generator)
    kinds = (untouched, paste_patches(images, filled, corners), bent)
    whole, inpainted, warped = (_tilt_and_crop(k, crop, tilt, generator) for k in kinds)
    views = [whole, inpainted, *(whole.rot90(k, (2, 3)) for k in (1, 2, 3)), warped]
    labels = torch.arange(6, device=images.device).repeat_interleave(batch)
    return LimitedContext(torch.cat(views), labels, patches, filled, encoded, seen)


def inpainting_loss(
    scores: Float[Tensor, " pairs"],
    batch: LimitedContext,
    class_loss: Float[Tensor, ""],
    weight: float = 50.0,
) -> Float[Tensor, ""]:
    """What the inpainter minimises: real to the patch discriminator, untouched to the classifier.

    -mean(scores) - class_loss + weight · (error on the frame that is seen + error of whole patches)

    Args:
        scores: of the discriminator for filled patches.
        batch: of `limited_context_batch`.
        class_loss: the classifier's cross-entropy on `batch.views`.
        weight: of the two squared errors, each a mean over the pixels that count.
    """
    frame = batch.seen.expand_as(batch.patches)
    error = (batch.filled - batch.patches).square()
    of_frame = (frame * error).sum() / frame.sum().clamp(min=1)
    of_whole = F.mse_loss(batch.encoded, batch.patches)
    return -scores.mean() - class_loss + weight * (of_frame + of_whole)


def patch_pairs(patches: Float[Tensor, "batch 3 side side"]) -> Float[Tensor, "half 6 side side"]:
    """Two different patches each, one on the other, for `PatchPairDiscriminator`."""
    if len(patches) % 2:
        raise ValueError(f"patches must be an even number, got {len(patches)}")
    return torch.cat(patches.chunk(2), 1)


def patch_discriminator_loss(
    real: Float[Tensor, " pairs"], filled: Float[Tensor, " pairs"]
) -> Float[Tensor, ""]:
    """What the patch discriminator minimises: mean max(0, 1 - real) + mean max(0, 1 + filled)."""
    return (1 - real).relu().mean() + (1 + filled).relu().mean()


def _square(name: str, images: Tensor) -> int:
    check_rgb(name, images)
    if images.shape[2] != images.shape[3]:
        raise ValueError(f"{name} must be square, got {tuple(images.shape)}")
    return images.shape[2]


def _bending(to: Tensor, points: Tensor) -> Tensor:
    """r² log r of every pair, 0 where they meet."""
    squared = (to[:, :, None] - points[:, None]).square().sum(-1)
    return torch.special.xlogy(squared, squared) / 2


def _tilt_and_crop(
    images: Tensor, crop: int, tilt: float, generator: torch.Generator | None
) -> Tensor:
    batch, side = len(images), images.shape[2]
    tilted = batch - batch // 2
    angles = tilt * (2 * torch.rand(tilted, generator=generator, **DRAWN) - 1)
    sine, cosine, none = angles.sin(), angles.cos(), torch.zeros_like(angles)
    turn = torch.stack([cosine, -sine, none, sine, cosine, none], 1).view(-1, 2, 3)
    values, turn = as_float(images[:tilted], turn.to(images.device))
    grid = F.affine_grid(turn, values.shape, align_corners=False)
    turned = F.grid_sample(values, grid, align_corners=False).to(images.dtype)
    corners = torch.randint(side - crop + 1, (batch, 1, 2), generator=generator, device="cpu")
    return cut_windows(torch.cat([turned, images[tilted:]]), corners, crop)[:, 0]
