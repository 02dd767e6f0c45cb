"""Counts of target against predicted label: what every segmentation score is made of."""

import torch
from jaxtyping import Bool, Int64, Integer
from torch import Tensor

from cvcourse.metrics._checks import check_count, check_labels, check_same_shape, is_ignored
from cvcourse.ops._checks import signed


def confusion_matrix(
    preds: Integer[Tensor, "*shape"] | Bool[Tensor, "*shape"],
    target: Integer[Tensor, "*shape"] | Bool[Tensor, "*shape"],
    num_classes: int,
    *,
    ignore_index: int | None = None,
) -> Int64[Tensor, "{num_classes} {num_classes}"]:
    """`matrix[t, p]`: how many elements of target label t were predicted as p.

    Args:
        preds, target: labels in [0, num_classes), of any one shape.
        ignore_index: target label to leave out, inside that range or not (255, -100, ...).

    **Conventions**: rows are targets, as in scikit-learn. The matrices of batches add up to the
    matrix of the data set. What is predicted where the target is ignored does not matter. Without
    any valid element all counts are 0.

    Raises ValueError for labels out of range; that reads the values, so it waits for a GPU.
    """
    check_same_shape(preds, target)
    preds, target = signed(preds), signed(target)
    num_classes = check_count("num_classes", num_classes)
    rows = num_classes
    if ignore_index is not None:
        ignored = is_ignored(target, ignore_index)
        preds = preds.masked_fill(ignored, 0)
        target = target.long().masked_fill(ignored, num_classes)  # a row of their own
        rows += 1
    check_labels("preds", preds, num_classes)
    check_labels("target", target, rows)

    # 16 bits where all codes fit: 1.8 times as fast on a CPU
    dtype = torch.int16 if rows * num_classes < 2**15 else torch.int64
    codes = target.to(dtype) * num_classes + preds.to(dtype)
    counts = torch.bincount(codes.flatten(), minlength=rows * num_classes)
    return counts.view(rows, num_classes)[:num_classes]
