"""Intersection over union of label maps, averaged over classes."""

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from cvcourse.metrics._checks import check_choice
from cvcourse.metrics.confusion_matrix import confusion_matrix
from cvcourse.ops._checks import check_tensor, signed

AVERAGES = ("macro", "micro", "weighted", "none")


def mean_iou(
    preds: Integer[Tensor, "..."] | Bool[Tensor, "..."],
    target: Integer[Tensor, "..."] | Bool[Tensor, "..."] | None = None,
    num_classes: int | None = None,
    average: str = "macro",
    ignore_index: int | None = None,
) -> Float[Tensor, "*num_classes"]:
    """Jaccard index per class, IoU_c = TP_c / (TP_c + FP_c + FN_c) over all pixels.

    Args:
        preds: labels in [0, num_classes); or, without `target`, a (K, K) `confusion_matrix`, such
            as the sum over the batches of a data set (give it `ignore_index` too).
        average: "macro": mean over the classes present; "none": (K,), one value per class;
            "micro": pooled over classes; "weighted": by target pixels (frequency weighted IoU).
        ignore_index: target label to leave out, inside [0, num_classes) or not.

    **Conventions**: a class neither predicted nor in the target is absent: nan in "none", left out
    of the others; and so is the class `ignore_index`, predicted or not. Equals torchmetrics'
    `multiclass_jaccard_index`, which says 0 for absent in "none". No valid pixel at all: nan. Call
    it per image and average for the per-image variant.

    Raises ValueError for an unknown `average`, labels out of range, or a matrix that is not square.
    """
    check_choice("average", average, AVERAGES)
    if target is not None:
        if num_classes is None:
            raise ValueError("num_classes must be given with target, got None")
        matrix = confusion_matrix(preds, target, num_classes, ignore_index=ignore_index)
    else:
        matrix = _checked_matrix(preds, num_classes)
    ignored = -1 if ignore_index is None else ignore_index
    counts = torch.arange(len(matrix), device=matrix.device) != ignored
    matrix = matrix * counts[:, None]
    intersection = matrix.diagonal()
    support = matrix.sum(1)
    union = (support + matrix.sum(0) - intersection) * counts
    if average == "micro":
        return intersection.sum() / union.sum()
    iou = intersection / union  # 0 / 0 = nan: the class is absent
    if average == "none":
        return iou
    if average == "weighted":
        return (iou * support).nansum() / support.sum()
    return iou.nanmean()


def _checked_matrix(matrix: Tensor, num_classes: int | None) -> Tensor:
    check_tensor("preds", matrix)
    if num_classes is not None:
        raise ValueError("num_classes must be given with target only; preds alone is a matrix")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.dtype == torch.bool:
        raise ValueError(
            f"preds without target must be a square confusion matrix of counts, "
            f"got shape {tuple(matrix.shape)} of {matrix.dtype}"
        )
    return signed(matrix)
