"""MAP@R of metric learning: are all neighbours of the same class near, and in front?"""

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.metrics._checks import check_floating
from cvcourse.metrics._retrieval import similarity_chunks


def mean_average_precision_at_r(
    embeddings: Float[Tensor, "queries dims"],
    labels: Integer[Tensor, "queries"],
    *,
    gallery: Float[Tensor, "items dims"] | None = None,
    gallery_labels: Integer[Tensor, "items"] | None = None,
    metric: str = "cosine",
    chunk: int = 256,
) -> Float[Tensor, ""]:
    """Mean over queries of 1/R Σ_{i ≤ R} P(i) rel(i), R the number of items of the query's class.

    rel(i) is 1 if the i-th nearest item is of the query's class, P(i) the share of such items among
    the i nearest.

    Args: as of `recall_at_k`.

    **Conventions**: 1 if and only if every query's R nearest items are its own class. A query
    without any match is left out; none left: nan. Equals pytorch-metric-learning. Equally near
    items come in any order.

    Raises ValueError as `recall_at_k` does.
    Reference: Musgrave et al. 2020, "A metric learning reality check", arXiv 2003.08505.
    """
    check_floating("embeddings", embeddings)
    dtype = torch.promote_types(embeddings.dtype, torch.float32)
    total, queries = torch.zeros((), dtype=dtype, device=embeddings.device), 0
    for similarity, same in similarity_chunks(
        embeddings, labels, gallery, gallery_labels, metric, chunk
    ):
        relevant = same.sum(1)  # R of each query
        nearest = similarity.topk(int(relevant.max()), dim=1).indices
        position = torch.arange(1, nearest.shape[1] + 1, device=nearest.device)
        hit = same.gather(1, nearest) & (position <= relevant[:, None])
        precision = hit.to(dtype).cumsum(1) / position
        total += ((precision * hit).sum(1) / relevant.clamp_min(1)).sum()
        queries += (relevant > 0).sum()
    return total / queries
