"""Lovász softmax: the Jaccard loss of a multi-class segmentation, made convex in the errors."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.losses._checks import (
    check_choice,
    check_class_map,
    check_logits,
    check_values,
    is_ignored,
)
from cvcourse.losses._lovasz import lovasz_extension
from cvcourse.losses._reduce import at_least_float32, reduce_loss
from cvcourse.ops._checks import signed


def lovasz_softmax_loss(
    logits: Float[Tensor, "batch classes *space"],
    target: Integer[Tensor, "batch *space"],
    classes: str | Sequence[int] = "present",
    per_image: bool = False,
    ignore_index: int | None = None,
) -> Float[Tensor, ""]:
    r"""Surrogate of 1 - mIoU, on the probabilities' errors.

    .. math:: L = \operatorname{avg}_c \overline{Δ_{J_c}}(|[t_i = c] - softmax(x_i)_c|)

    Args:
        logits: (B, C, ...); the softmax is inside.
        target: (B, ...) class indices in [0, C) or `ignore_index`.
        classes: which to average: "present" in the target, "all", or a list of them.
        per_image: mean of the losses of the images; otherwise one loss over all pixels.
        ignore_index: label of pixels that do not count; None: all count.

    **Conventions**: equals the authors' lovasz_softmax of the probabilities. A class that is
    averaged though absent has its largest error as loss. Without pixels that count, or classes,
    the loss of an image is 0, and counts in the mean. Equal errors are taken in the order of the
    pixels. Half precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape or class and, on the CPU, for labels outside [0, C)
    (elsewhere they are of no class).

    Reference: Berman et al. 2018, arXiv:1705.08790.
    """
    check_logits("logits", logits)
    check_class_map(target, logits)
    check_values("target", target, logits.shape[1] - 1, ignore_index)
    chosen = _chosen(classes, logits.shape[1])
    p = at_least_float32(logits).softmax(1)[:, chosen, ..., None].flatten(2)  # (B, chosen, pixels)
    t = signed(target)[:, None, ..., None].flatten(2)  # (B, 1, pixels)
    foreground = t == torch.arange(logits.shape[1], device=t.device)[chosen, None]
    ignored = None
    if ignore_index is not None:
        ignored = is_ignored(t, ignore_index).expand_as(foreground)
        foreground = foreground & ~ignored
    counts = foreground.any(2) | (classes != "present")  # (B, chosen)
    if not per_image:
        counts = counts.any(0, keepdim=True) | (classes != "present")  # (1, chosen)

    losses = lovasz_extension(
        _rows(p, per_image),
        _rows(foreground, per_image),
        None if ignored is None else _rows(ignored, per_image),
        count_absent=classes != "present",
    )
    losses = losses.view(counts.shape).sum(1) / counts.sum(1).clamp(min=1)
    return reduce_loss(losses, "mean")


def _rows(x: Tensor, per_image: bool) -> Tensor:
    """(B, chosen, pixels) to one row, or rows of a picture each, for each value of the loss."""
    return x.flatten(0, 1) if per_image else x.transpose(0, 1)


def _chosen(classes: str | Sequence[int], number: int) -> slice | list[int]:
    """What to index the classes with."""
    if isinstance(classes, str):
        check_choice("classes", classes, ("present", "all"))
        return slice(None)
    if not classes or not all(0 <= c < number for c in classes):
        raise ValueError(f"classes must be indices in [0, {number}), got {classes!r}")
    return list(classes)
