"""Blur type, then its parameters: a classifier chooses which regression to ask.

    features ─ classifier ─ Gaussian | motion | defocus ─ the `grnn` of that kind ─ σ | M, ω | r

Reference: Yan & Shao, Blind Image Blur Estimation via Deep Learning, IEEE TIP 25(4), 2016.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.methods.grnn import grnn


class Memory(NamedTuple):
    """What the regression of one kind has seen: features, parameters, and how far it looks.

    The parameters of a motion of direction ω are best kept as (M, cos 2ω, sin 2ω).
    """

    samples: Float[Tensor, "samples features"]
    targets: Float[Tensor, "samples parameters"]
    sigma: float


class BlurEstimate(NamedTuple):
    """Kind of each patch, and its parameters, nan beyond those that its kind has."""

    kinds: Int64[Tensor, "batch"]
    parameters: Float[Tensor, "batch parameters"]


def estimate_blur(
    logits: Float[Tensor, "batch classes"],
    features: Float[Tensor, "batch features"],
    memories: Sequence[Memory],
) -> BlurEstimate:
    """The kind of largest logit, and what the memory of that kind says of the features.

    Args:
        logits: of a classifier, in the order of `memories`.
        features: few and of one scale, such as `BlurClassifier.describe`.
        memories: one for each kind.

    Raises ValueError for as many memories as there are not classes, or another number of features.
    """
    if logits.ndim != 2 or logits.shape[1] != len(memories):
        raise ValueError(
            f"logits must be (batch, {len(memories)}), one for each memory, "
            f"got {tuple(logits.shape)}"
        )
    if len(features) != len(logits):
        raise ValueError(f"features must be {len(logits)}, got {len(features)}")
    kinds = logits.argmax(1)
    most = max(memory.targets.shape[1] for memory in memories)
    dtype = torch.promote_types(features.dtype, torch.float32)
    parameters = torch.full((len(kinds), most), torch.nan, device=features.device, dtype=dtype)
    for kind, (samples, targets, sigma) in enumerate(memories):
        of_kind = kinds == kind
        found = grnn(samples, targets, features[of_kind], sigma=sigma)
        parameters[of_kind, : targets.shape[1]] = found.to(dtype)
    return BlurEstimate(kinds, parameters)
