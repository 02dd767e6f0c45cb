"""Dropping parts of a picture's code, and the game about it (Jenni and Favaro 2018).

arXiv:1806.05024; constants of sjenni/LearningToSpotArtifacts.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.methods._drawing import DRAWN
from cvcourse.ops._checks import check_fraction, check_ndim


def local_average(
    maps: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch channels height width"]:
    """Each place's mean with its neighbours; at a border, with those that are there."""
    check_ndim("maps", maps, "(batch, channels, height, width)")
    return F.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)


def drop_positions(
    code: Float[Tensor, "batch channels height width"],
    keep: float = 0.3,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch 1 height width"]]:
    """Ω φ + (1 - Ω) (u ∗ φ): some places of a code keep their features, the others take a mean.

    Args:
        code: φ, (B, C, H, W).
        keep: chance of each place, with all its channels; 0.3 in the authors' code.
        generator: source of the random numbers, on the CPU.

    Returns the code and Ω, (B, 1, H, W), 1 where it was kept.
    """
    check_ndim("code", code, "(batch, channels, height, width)")
    check_fraction("keep", keep)
    draw = torch.rand(len(code), 1, *code.shape[2:], generator=generator, **DRAWN)
    kept = (draw < keep).to(code)
    return kept * code + (1 - kept) * local_average(code), kept


def spotted_mask_loss(
    logits: Float[Tensor, "batch height width"], kept: Float[Tensor, "batch 1 height width"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy of which places were kept, a mean over places.

    -mean(Ω log σ(s) + (1 - Ω) log(1 - σ(s))); log 2 for logits of 0, whatever Ω is.
    """
    if logits.ndim != 3 or kept.shape != (len(logits), 1, *logits.shape[1:]):
        raise ValueError(
            f"logits must have shape (B, H, W) and kept (B, 1, H, W), "
            f"got {tuple(logits.shape)} and {tuple(kept.shape)}"
        )
    return F.binary_cross_entropy_with_logits(logits, kept[:, 0].to(logits))


def spotting_loss(
    real: tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch height width"]],
    repaired: tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch height width"]],
    kept: Float[Tensor, "batch 1 height width"],
    weight: float = 0.1,
) -> Float[Tensor, ""]:
    """What the discriminator minimises: which images are repaired, and `weight` times where.

    Args:
        real, repaired: what it answers about decoded images that are whole, and about repaired
            ones: logits (B, 2), class 1 for whole, and logits (B, H, W) of a place's being kept.
        kept: (B, 1, H, W) of the repaired images; in whole ones everything was.
        weight: of the mask loss.

    Images for `real` are decoded as well: against originals, the decoder's blur alone would tell.
    """
    scores = torch.cat([real[0], repaired[0]])
    labels = torch.arange(2, device=scores.device).flip(0).repeat_interleave(len(real[0]))
    where = spotted_mask_loss(
        torch.cat([real[1], repaired[1]]), torch.cat([torch.ones_like(kept), kept])
    )
    return F.cross_entropy(scores, labels) + weight * where


def repair_loss(
    scores: Float[Tensor, "batch 2"],
    repaired: Float[Tensor, "batch 3 high wide"],
    images: Float[Tensor, "batch 3 high wide"],
    kept: Float[Tensor, "batch 1 height width"],
    weight: float = 30.0,
) -> Float[Tensor, ""]:
    """What the repair network minimises: to pass for whole, without changing what was kept.

    Args:
        scores: the discriminator's of the repaired images; class 1 is aimed at, the
            non-saturating form of the paper's minimax.
        repaired, images: (B, 3, high, wide); a squared error where the code's place was kept.
        kept: (B, 1, H, W); enlarged to the images.
        weight: of the squared error, a mean over the pixels that count.

    The released code adds the discriminator's own loss, which it finds in the same collection; the
    paper does not, and neither does this.
    """
    if repaired.shape != images.shape:
        raise ValueError(
            f"repaired must have the shape of images, {tuple(images.shape)}, "
            f"got {tuple(repaired.shape)}"
        )
    seen = F.interpolate(kept, images.shape[2:], mode="nearest").expand_as(images)
    error = (seen * (repaired - images).square()).sum() / seen.sum().clamp(min=1)
    return (
        F.cross_entropy(scores, torch.ones_like(scores[:, 0], dtype=torch.int64)) + weight * error
    )
