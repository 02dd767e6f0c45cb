"""Recall@k between two kinds of things: of pictures for a sound, and of sounds for a picture."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.metrics._checks import check_floating
from cvcourse.metrics.recall_at_k import recall_at_k


def cross_modal_recall(
    first: Float[Tensor, "items dims"],
    second: Float[Tensor, "others dims"],
    ks: Sequence[int] = (1, 5, 10),
    *,
    first_labels: Integer[Tensor, "items"] | None = None,
    second_labels: Integer[Tensor, "others"] | None = None,
    metric: str = "cosine",
    chunk: int = 256,
) -> Float[Tensor, "2 ks"]:
    """Share of queries whose partner is among the k nearest of the other kind.

    Row 0 looks for things of `second`, with those of `first` as queries; row 1 the other way.

    Args:
        first, second: embeddings in one space, such as of pictures and of sounds.
        first_labels, second_labels: which belong together, both or none; by default row i of each.
            With five captions a picture, `arange(pictures)` and its `repeat_interleave(5)`.
        metric, chunk: as in `recall_at_k`.

    **Conventions**: those of `recall_at_k`: any one partner counts; a query without a partner is
    left out; equally near others come first. By chance recall@k is k of the number of items, where
    each has one partner.

    Raises ValueError as `recall_at_k`, and for as many rows only where no labels are given.
    """
    for name, value in (("first", first), ("second", second)):
        check_floating(name, value)
        if value.ndim != 2 or value.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"{name} must be (items, dims), with the dims of first, got {tuple(value.shape)}"
            )
    if (first_labels is None) != (second_labels is None):
        raise ValueError("first_labels and second_labels must be given together")
    if first_labels is None or second_labels is None:
        if len(first) != len(second):
            raise ValueError(
                f"first and second must have the same length without labels, "
                f"got {len(first)} and {len(second)}"
            )
        first_labels = second_labels = torch.arange(len(first), device=first.device)
    options = {"metric": metric, "chunk": chunk}
    there = recall_at_k(
        first, first_labels, ks, gallery=second, gallery_labels=second_labels, **options
    )
    back = recall_at_k(
        second, second_labels, ks, gallery=first, gallery_labels=first_labels, **options
    )
    return torch.stack([there, back])
