"""Contrastive prediction of the matching key (CPC, MoCo, CLIP)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import (
    REDUCTIONS,
    check_choice,
    check_floating,
    check_matrix,
    check_positive,
    check_same_shape,
)
from cvcourse.losses._distances import prepare
from cvcourse.losses._reduce import inner_products, reduce_loss


def info_nce_loss(
    query: Float[Tensor, "batch features"],
    key: Float[Tensor, "batch features"],
    negatives: Float[Tensor, "queue features"] | None = None,
    temperature: float = 0.07,
    symmetric: bool = False,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Find the key of each query among its negatives.

    .. math:: L_i = -\log \frac{\exp(q_i·k_i / T)}{\exp(q_i·k_i / T) + \sum_n \exp(q_i·k_n / T)}

    Args:
        query, key: embeddings (N, D); row i of each belongs together. Scaled to unit length.
        negatives: embeddings (M, D) shared by all queries, as MoCo's queue, which then are the
            only negatives; None: the keys of the other queries.
        temperature: > 0.
        symmetric: average with the loss that finds the query of each key, as CLIP does.
        reduction: "none" (N,) | "mean" | "sum".

    **Conventions**: no gradient is stopped; MoCo calls `.detach()` on keys and queue. A query
    without negatives has loss 0, an empty batch too. Cross-entropy of one matrix of logits, so no
    temperature underflows. Half precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, temperature or reduction, and for `symmetric` with
    `negatives`.

    Reference: van den Oord et al. 2018, arXiv:1807.03748; He et al. 2019, arXiv:1911.05722;
    Radford et al. 2021, arXiv:2103.00020.
    """
    check_matrix("query", query)
    check_floating("key", key)
    check_same_shape("key", key, "query", query)
    check_positive("temperature", temperature)
    check_choice("reduction", reduction, REDUCTIONS)
    query, key = prepare(query, normalize=True), prepare(key, normalize=True)
    if negatives is None:
        logits = inner_products(query, key)  # (N, N)
        match = torch.arange(len(query), device=query.device)
    else:
        check_matrix("negatives", negatives)
        if negatives.shape[1] != query.shape[1]:
            raise ValueError(
                f"negatives must have {query.shape[1]} features, got {negatives.shape[1]}"
            )
        if symmetric:
            raise ValueError("symmetric must be False with negatives, got True")
        positive = (query * key).sum(1, keepdim=True)
        logits = torch.cat([positive, inner_products(query, prepare(negatives, normalize=True))], 1)
        match = torch.zeros(len(query), dtype=torch.int64, device=query.device)
    logits = logits / temperature
    loss = F.cross_entropy(logits, match, reduction="none")
    if symmetric:
        loss = (loss + F.cross_entropy(logits.T, match, reduction="none")) / 2
    return reduce_loss(loss, reduction)
