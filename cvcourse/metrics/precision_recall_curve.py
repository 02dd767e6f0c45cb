"""Precision and recall of a detector as its score threshold falls."""

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from cvcourse.metrics._checks import check_count, check_floating
from cvcourse.ops._checks import check_tensor


def precision_recall_curve(
    scores: Float[Tensor, "detections"], matched: Bool[Tensor, "detections"], num_targets: int
) -> tuple[
    Float64[Tensor, "detections"], Float64[Tensor, "detections"], Float64[Tensor, "detections"]
]:
    """(precision, recall, scores): point i counts the i + 1 detections of highest score.

    Precision is TP / (TP + FP), recall is TP / num_targets.

    Args:
        scores: confidence of each detection of one class, over all images.
        matched: which of them are true positives (see `match_detections`).
        num_targets: objects to find, found or not.

    **Conventions**: equal scores keep their order, one point each (as VOC and COCO; scikit-learn
    merges them). Without targets recall is nan. The curve is float64 on the CPU, so that a recall
    of 7/10 meets the threshold 0.7.

    Raises ValueError for shapes that differ, nan scores, and fewer targets than matches.
    """
    check_floating("scores", scores)
    check_tensor("matched", matched)
    if scores.ndim != 1 or matched.shape != scores.shape or matched.dtype != torch.bool:
        raise ValueError(
            f"scores and matched must be (detections,), float and bool, got {tuple(scores.shape)} "
            f"{scores.dtype} and {tuple(matched.shape)} {matched.dtype}"
        )
    found = int(matched.sum())
    if num_targets < found:
        raise ValueError(f"num_targets must be >= the {found} matches, got {num_targets}")
    num_targets = check_count("num_targets", num_targets, least=0)
    if scores.isnan().any():
        raise ValueError("scores must not be nan")
    scores, order = scores.detach().cpu().double().sort(descending=True, stable=True)
    hits = matched.cpu()[order].double().cumsum(0)
    precision = hits / torch.arange(1, len(hits) + 1, device=hits.device)
    return precision, hits / num_targets, scores
