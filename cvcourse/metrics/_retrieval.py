"""Similarity of queries to a gallery, a chunk of queries at a time."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.metrics._checks import check_choice, check_count, check_floating
from cvcourse.metrics._precision import at_least_float32
from cvcourse.ops._checks import check_tensor


def similarity_chunks(
    embeddings: Tensor,
    labels: Tensor,
    gallery: Tensor | None,
    gallery_labels: Tensor | None,
    metric: str,
    chunk: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """(similarity, same class), both (chunk, gallery), of `chunk` queries after the other.

    Without a gallery the queries are each other's; a query is no match of itself, and -inf similar.
    """
    check_choice("metric", metric, ("cosine", "euclidean"))
    chunk = check_count("chunk", chunk)
    _check_embeddings("embeddings", embeddings, "labels", labels)
    leave_one_out = gallery is None and gallery_labels is None
    if leave_one_out:
        gallery, gallery_labels = embeddings, labels
    elif gallery is None or gallery_labels is None:
        raise ValueError("gallery and gallery_labels must be given together")
    else:
        _check_embeddings("gallery", gallery, "gallery_labels", gallery_labels)
    if gallery.shape[1] != embeddings.shape[1]:
        raise ValueError(f"gallery must have {embeddings.shape[1]} dims, got {gallery.shape[1]}")

    embeddings, gallery = at_least_float32(embeddings.detach(), gallery.detach())
    if metric == "cosine":
        embeddings, gallery = F.normalize(embeddings, dim=1), F.normalize(gallery, dim=1)
    if not len(gallery):
        return
    for start in range(0, len(embeddings), chunk):
        rows = slice(start, start + chunk)
        similarity = _similarity(embeddings[rows], gallery, metric)
        same = labels[rows, None] == gallery_labels
        if leave_one_out:
            similarity.diagonal(start).fill_(-torch.inf)
            same.diagonal(start).fill_(False)
        yield similarity, same


def _similarity(query: Tensor, gallery: Tensor, metric: str) -> Tensor:
    if metric == "cosine":
        with torch.autocast(query.device.type, enabled=False):
            return query @ gallery.T
    # exact: by matrix product, near neighbours of long vectors lose all their digits
    return -torch.cdist(query, gallery, compute_mode="donot_use_mm_for_euclid_dist")


def _check_embeddings(name: str, embeddings: Tensor, labels_name: str, labels: Tensor) -> None:
    check_floating(name, embeddings)
    check_tensor(labels_name, labels)
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        raise ValueError(
            f"{name} must be (items, dims) and {labels_name} (items,), "
            f"got {tuple(embeddings.shape)} and {tuple(labels.shape)}"
        )
    (wide,) = at_least_float32(embeddings.detach())
    if not (4 * wide.square().sum(1)).isfinite().all():  # bounds every squared distance
        raise ValueError(
            f"{name} must be finite, and so their distances, got nan, inf or too large"
        )
