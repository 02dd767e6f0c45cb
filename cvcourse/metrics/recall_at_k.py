"""Recall@k of metric learning: is any of the k nearest neighbours of the same class?"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.metrics._checks import check_counts
from cvcourse.metrics._retrieval import similarity_chunks
from cvcourse.ops._checks import check_tensor


def recall_at_k(
    embeddings: Float[Tensor, "queries dims"],
    labels: Integer[Tensor, "queries"],
    ks: Sequence[int] = (1,),
    *,
    gallery: Float[Tensor, "items dims"] | None = None,
    gallery_labels: Integer[Tensor, "items"] | None = None,
    metric: str = "cosine",
    chunk: int = 256,
) -> Float[Tensor, "ks"]:
    """Share of queries with an item of their class among the k nearest, for each k of `ks`.

    Args:
        embeddings, labels: the queries.
        gallery, gallery_labels: what to search; default: the other queries.
        metric: "cosine" or "euclidean" (the same for vectors of length 1).
        chunk: queries compared at a time: memory is chunk x items.

    **Conventions**: a query without any match in the gallery is left out (as precision@1 of
    pytorch-metric-learning, which this equals at k = 1). Where an item of another class is exactly
    as near as the nearest match, it comes first, so that collapsed embeddings score 0. No query
    with a match: nan.

    Raises ValueError for shapes that do not fit, a wrong `ks` or `metric`, and embeddings that are
    not finite (waits for a GPU).
    Reference: Musgrave et al. 2020, "A metric learning reality check", arXiv 2003.08505.
    """
    ks = check_counts("ks", ks)
    check_tensor("embeddings", embeddings)
    k = torch.as_tensor(ks, device=embeddings.device)
    hits, queries = torch.zeros_like(k), torch.zeros_like(k[0])  # integers: floats stop at 2**24
    for similarity, same in similarity_chunks(
        embeddings, labels, gallery, gallery_labels, metric, chunk
    ):
        nearest_match = torch.where(same, similarity, -torch.inf).amax(1, keepdim=True)
        others = torch.where(same, -torch.inf, similarity)
        if max(ks) == 1:  # whether there is one is enough, and found sooner
            ahead = others.amax(1, keepdim=True) >= nearest_match
        else:
            ahead = (others >= nearest_match).sum(1, keepdim=True, dtype=torch.int32)
        has_match = nearest_match > -torch.inf
        hits += (has_match & (ahead < k)).sum(0)
        queries += has_match.sum()
    return hits.to(torch.promote_types(embeddings.dtype, torch.float32)) / queries
