"""Boundary label relaxation: near a border any of the classes there will do (Zhu et al. 2019)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from cvcourse.losses._checks import (
    REDUCTIONS,
    check_choice,
    check_class_map,
    check_logits,
    check_values,
)
from cvcourse.losses._reduce import at_least_float32, reduce_loss
from cvcourse.ops._checks import signed


def label_relaxation_loss(
    logits: Float[Tensor, "batch classes height width"],
    target: Integer[Tensor, "batch height width"],
    window: int = 1,
    ignore_index: int = 255,
    strict: Sequence[int] = (),
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Minus the logarithm of the probability of all classes that lie within the window.

    .. math:: L = -\overline{\log \sum_{c \in N(y, x)} softmax_c(logits(y, x))}

    Args:
        logits: (B, C, H, W).
        target: (B, H, W) class indices in [0, C), or `ignore_index`.
        window: N(y, x) are the classes in the (2 · window + 1)² places around; 0 is cross-entropy.
        ignore_index: a class that never counts; no other can be outside [0, C).
        strict: classes whose places are not relaxed, such as thin poles.
        reduction: "none" (B, H, W) | "sum" | "mean" over the places with a class.

    **Conventions**: equals cross-entropy where the window has one class. An ignored place beside
    labelled ones learns their classes, as with the authors; one without any has loss 0. The authors
    divide by the number of places plus 1. Half precision is computed and returned in float32.

    Raises ValueError for shapes and dtypes that do not fit, a negative window, a strict class
    outside [0, C), or an unknown reduction; on the CPU, for a label outside [0, C).

    Reference: Zhu et al., Improving Semantic Segmentation via Video Propagation and Label
    Relaxation, 2019, arXiv:1812.01593, equation 5.
    """
    check_logits("logits", logits)
    if logits.ndim != 4:
        raise ValueError(f"logits must have shape (B, C, H, W), got {tuple(logits.shape)}")
    check_class_map(target, logits)
    check_choice("reduction", reduction, REDUCTIONS)
    check_values("target", target, logits.shape[1] - 1, ignore_index=ignore_index)
    near = classes_within(target, logits.shape[1], window, ignore_index, strict)
    some = near.any(1)  # (B, H, W)
    logits = at_least_float32(logits)
    wanted = logits.masked_fill(~near & some[:, None], -torch.inf)
    loss = logits.logsumexp(1) - wanted.logsumexp(1)  # 0 where there is no class
    return reduce_loss(loss, reduction, some.sum())


def classes_within(
    target: Integer[Tensor, "batch height width"],
    num_classes: int,
    window: int = 1,
    ignore_index: int = 255,
    strict: Sequence[int] = (),
) -> Bool[Tensor, "batch classes height width"]:
    """Which classes occur in the (2 · window + 1)² places around each place.

    Outside the picture there are none; places of a `strict` class have that one only.

    Raises ValueError for a negative window or a strict class outside [0, num_classes).
    """
    if window < 0:
        raise ValueError(f"window must be at least 0, got {window}")
    if any(not 0 <= c < num_classes for c in strict):
        raise ValueError(f"strict must hold classes from 0 to {num_classes - 1}, got {strict}")
    labels = signed(target).long()
    labels = labels.masked_fill(labels == ignore_index, num_classes)
    own = F.one_hot(labels, num_classes + 1)[..., :num_classes].movedim(-1, 1)  # (B, C, H, W)
    if not own.numel():
        return own.bool()
    near = F.max_pool2d(own.float(), 2 * window + 1, stride=1, padding=window)
    if strict:
        kept = torch.isin(labels, torch.tensor(list(strict), device=labels.device))
        near = torch.where(kept[:, None], own, near)
    return near.bool()
