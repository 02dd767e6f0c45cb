"""One number for a precision-recall curve: the mean precision over recall, in three traditions."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor

from cvcourse.metrics._checks import check_choice, check_floating

RECALL_STEPS = {"coco": 100, "voc07": 10}  # recall thresholds 0, 1/steps, ..., 1


def average_precision(
    precision: Float[Tensor, "points"], recall: Float[Tensor, "points"], method: str = "coco"
) -> Float64[Tensor, ""]:
    """Mean of p(r) over recall r, where p(r) is the best precision at a recall of r or more.

    Args:
        precision, recall: a curve in order of falling score, as from `precision_recall_curve`.
        method: "coco": mean over r = 0, 0.01, ..., 1; "voc07": over r = 0, 0.1, ..., 1;
            "area": the exact area under p(r) (VOC since 2010).

    **Conventions**: p is 0 beyond the last recall. An empty curve gives 0: nothing was found. A
    class without targets (recall nan) gives nan: leave it out of a mean over classes. Not the same
    as scikit-learn's `average_precision_score`, which sums precision without taking the best.

    Raises ValueError for an unknown `method`, shapes that differ, a precision outside [0, 1], or a
    recall that does not rise within it.
    References: Everingham et al. 2010 (VOC, 11 points); Lin et al. 2014 (COCO), arXiv 1405.0312.
    """
    check_choice("method", method, [*RECALL_STEPS, "area"])
    check_floating("precision", precision)
    check_floating("recall", recall)
    if precision.ndim != 1 or recall.shape != precision.shape:
        raise ValueError(
            f"precision and recall must both be (points,), "
            f"got {tuple(precision.shape)} and {tuple(recall.shape)}"
        )
    precision, recall = precision.detach().cpu().double(), recall.detach().cpu().double()
    if (recall.diff() < 0).any() or ((recall < 0) | (recall > 1)).any():
        raise ValueError("recall must rise within [0, 1]: sort the curve by falling score")
    if ((precision < 0) | (precision > 1)).any():
        raise ValueError("precision must lie in [0, 1]")
    if recall.isnan().any():
        return recall.new_tensor(torch.nan)

    best = precision.flip(0).cummax(0).values.flip(0)  # best precision at this recall or beyond
    if method == "area":
        return (recall.diff(prepend=recall.new_zeros(1)) * best).sum()
    steps = RECALL_STEPS[method]
    step = torch.arange(steps + 1, dtype=recall.dtype, device=recall.device)
    thresholds = step * (1 / steps)  # numpy's linspace
    first = torch.searchsorted(recall, thresholds)  # first point that reaches each threshold
    return F.pad(best, (0, 1))[first].mean()
