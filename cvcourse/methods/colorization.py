"""Colours as classes: soft targets, rebalancing, and reading a colour from a distribution.

Zhang et al. 2016, arXiv:1603.08511; constants of richzhang/colorization.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import check_floating, check_ndim, check_tensor


def encode_colors(
    ab: Float[Tensor, "*batch 2"],
    centres: Float[Tensor, "bins 2"],
    neighbours: int = 10,
    sigma: float = 5.0,
) -> Float[Tensor, "*batch bins"]:
    """Soft targets: Gaussian weights of the nearest bins, which sum to 1.

    Args:
        ab: the colours of CIELAB, about -110 to 110.
        centres: of the bins.
        neighbours: how many bins share a colour; 10 in the authors' code, 5 in the paper.
        sigma: of the Gaussian, in the units of ab.
    """
    _check_centres(centres)
    check_floating("ab", ab)
    if not ab.ndim or ab.shape[-1] != 2:
        raise ValueError(f"ab must have shape (..., 2), got {tuple(ab.shape)}")
    if not 1 <= neighbours <= len(centres):
        raise ValueError(f"neighbours must be from 1 to {len(centres)}, got {neighbours}")
    if not sigma > 0:
        raise ValueError(f"sigma must be above 0, got {sigma}")
    squared = (ab[..., None, :] - centres).square().sum(-1)  # (..., bins)
    nearest, places = squared.topk(neighbours, dim=-1, largest=False)
    weights = (-nearest / (2 * sigma**2)).softmax(-1)
    return torch.zeros_like(squared).scatter_(-1, places, weights)


def rebalancing_weights(prior: Float[Tensor, " bins"], mix: float = 0.5) -> Float[Tensor, " bins"]:
    """What a pixel of each bin counts, more for rare colours; their mean under the prior is 1.

    1 / ((1 - mix) p + mix u) with p the share of pixels in each bin, and u even over the bins that
    occur. mix = 1 switches the rebalancing off.
    """
    check_floating("prior", prior)
    if prior.ndim != 1:
        raise ValueError(f"prior must have shape (bins,), got {tuple(prior.shape)}")
    if not 0 < mix <= 1:
        raise ValueError(f"mix must be above 0 and at most 1, got {mix}")
    if not (prior >= 0).all() or not prior.sum() > 0:
        raise ValueError("prior must be shares, 0 or more and not all 0")
    prior = prior / prior.sum()
    occurs = (prior > 0).to(prior)
    weights = 1 / ((1 - mix) * prior + mix * occurs / occurs.sum())
    weights = weights.nan_to_num(posinf=0.0)  # a bin that never occurs, with every weight on p
    return weights / (prior * weights).sum()


def annealed_mean(
    logits: Float[Tensor, "batch bins height width"],
    centres: Float[Tensor, "bins 2"],
    temperature: float = 0.38,
) -> Float[Tensor, "batch 2 height width"]:
    """One colour from a distribution: its mean after sharpening. 1 gives the mean, 0 the mode."""
    _check_centres(centres)
    check_ndim("logits", logits, "(batch, bins, height, width)")
    if logits.shape[1] != len(centres):
        raise ValueError(f"logits must be of {len(centres)} bins, got {tuple(logits.shape)}")
    if not 0 <= temperature <= 1:
        raise ValueError(f"temperature must be from 0 to 1, got {temperature}")
    if temperature == 0:
        shares = F.one_hot(logits.argmax(1), logits.shape[1]).movedim(-1, 1).to(logits)
    else:
        shares = (logits.log_softmax(1) / temperature).softmax(1)
    return torch.einsum("bqhw,qc->bchw", shares, centres.to(logits))


def _check_centres(centres: Tensor) -> None:
    check_tensor("centres", centres)
    if centres.ndim != 2 or centres.shape[1] != 2:
        raise ValueError(f"centres must have shape (bins, 2), got {tuple(centres.shape)}")
