"""Fraction of samples whose class is among the k highest scores."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.metrics._checks import check_counts, check_floating, check_labels, is_ignored
from cvcourse.ops._checks import check_tensor, signed

ROWS = 256  # samples that are ranked at a time on a CPU, so that they stay in its cache


def topk_accuracy(
    preds: Float[Tensor, "samples classes"],
    target: Integer[Tensor, "samples"],
    topk: Sequence[int] = (1,),
    *,
    ignore_index: int | None = None,
) -> Float[Tensor, "ks"]:
    """How often fewer than k classes score above the target class, for each k of `topk`.

    Args:
        preds: scores, logits or probabilities; only their order within a row counts.
        target: class in [0, classes).
        topk: one or more k; a k above the number of classes counts as that number.
        ignore_index: target label of samples to leave out.

    **Conventions**: a fraction of 1, not percent; mean over samples ("micro"; torchmetrics' default
    is per class). Of equal scores the lower class comes first, so the value is deterministic and
    constant scores earn nothing. nan scores come first, but a target's own nan is never a hit. No
    sample: nan. Equals kornia's `accuracy` / 100.

    Raises ValueError for a wrong shape, `topk`, or labels out of range (waits for a GPU).
    """
    topk = check_counts("topk", topk)
    check_floating("preds", preds)
    check_tensor("target", target)
    target = signed(target)
    if preds.ndim != 2 or target.shape != preds.shape[:1]:
        raise ValueError(
            f"preds must be (samples, classes) and target (samples,), "
            f"got {tuple(preds.shape)} and {tuple(target.shape)}"
        )
    if ignore_index is not None:
        valid = ~is_ignored(target, ignore_index)
        preds, target = preds[valid], target[valid]
    check_labels("target", target, preds.shape[1])

    if preds.device.type == "cpu" and len(preds):
        rank = _ranks_in_cache(preds, target, max(topk))
    else:
        rank = _ranks(preds, target)
    k = rank.new_tensor(topk).clamp_max(preds.shape[1])
    return (rank[:, None] < k).sum(0) / len(rank)


def _ranks(preds: Tensor, target: Tensor) -> Tensor:
    """Number of classes ahead of the target class in each row; all of them where it is nan."""
    column = torch.arange(preds.shape[1], device=preds.device)
    score = preds.gather(1, target[:, None].long())
    ahead = ~(preds <= score) | ((preds == score) & (column < target[:, None]))
    return ahead.sum(1)


def _ranks_in_cache(preds: Tensor, target: Tensor, k: int) -> Tensor:
    """`_ranks` where it is below k, any number from k up elsewhere, several times as fast.

    Ties matter to few rows. Without them one count tells the rank (of floats, which a CPU adds up
    several times as fast as bools), and for k = 1 the place of the maximum does. (`amax` would be
    faster with vector instructions; without them it takes 2.7 times as long as `argmax`.)
    """
    if k == 1:
        score = preds.gather(1, target[:, None].long())[:, 0]
        return ((preds.argmax(1) != target) | score.isnan()).long()
    behind = preds.new_empty(ROWS, preds.shape[1], dtype=torch.float32)
    parts = zip(preds.split(ROWS), target.split(ROWS), strict=True)
    return torch.cat([_ranks_of_few(p, t, k, behind[: len(p)]) for p, t in parts])


def _ranks_of_few(preds: Tensor, target: Tensor, k: int, behind: Tensor) -> Tensor:
    score = preds.gather(1, target[:, None].long())
    rank = preds.shape[1] - torch.le(preds, score, out=behind).sum(1).long()
    near = (rank < k).nonzero()[:, 0]
    tied = near[(preds[near] == score[near]).sum(1) > 1]
    if len(tied):
        rank[tied] = _ranks(preds[tied], target[tied])
    return rank
