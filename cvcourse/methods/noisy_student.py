"""Noisy Student: a teacher labels what has no labels, a larger and noised student learns from both.

    teacher, without noise ─ soft labels of unlabelled pictures ─ keep the sure, balance the classes
    student, equal or larger, with dropout, stochastic depth and strong augmentation ─ becomes the
    next teacher

Xie et al. 2020, arXiv:1911.04252. Noise is the networks' and the data's; here is what is between.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from cvcourse.losses._checks import (
    check_embeddings,
    check_logits,
    check_matrix,
    check_positive,
    check_range,
    check_same_shape,
    check_values,
)
from cvcourse.losses._reduce import at_least_float32


def noisy_student_loss(
    logits: Float[Tensor, "labelled classes"],
    labels: Integer[Tensor, "labelled"],
    unlabelled_logits: Float[Tensor, "unlabelled classes"],
    teacher_logits: Float[Tensor, "unlabelled classes"],
    *,
    ratio: float = 1.0,
    temperature: float = 1.0,
    smoothing: float = 0.1,
) -> Float[Tensor, ""]:
    """CE(logits, labels) + ratio · CE(unlabelled_logits, softmax(teacher_logits / temperature)).

    Args:
        logits, labels: of pictures with labels.
        unlabelled_logits: of the noised student, for pictures without.
        teacher_logits: of the teacher without noise, for the same pictures. Detached.
        ratio: unlabelled pictures a labelled one in a batch, if both terms are to count each
            picture alike; both terms are means.
        temperature: of the teacher's softmax; soft labels (1) serve pictures of other kinds better
            than hard ones.
        smoothing: of the labels, not of the teacher's.

    **Conventions**: the mean of no pictures is 0. Half precision is computed in float32.

    Raises ValueError for shapes that do not fit, labels of no class (on the CPU), a temperature not
    above 0, a negative ratio, or a smoothing outside [0, 1].
    """
    check_matrix("logits", logits)
    check_embeddings(logits, labels)
    check_values("labels", labels, logits.shape[1] - 1)
    check_logits("unlabelled_logits", unlabelled_logits)
    check_same_shape("teacher_logits", teacher_logits, "unlabelled_logits", unlabelled_logits)
    check_positive("temperature", temperature)
    check_range("ratio", ratio, 0)
    check_range("smoothing", smoothing, 0, 1)
    student, soft = at_least_float32(unlabelled_logits), at_least_float32(teacher_logits).detach()
    supervised = F.cross_entropy(
        at_least_float32(logits), labels.long(), label_smoothing=smoothing, reduction="sum"
    )
    taught = F.cross_entropy(student, (soft / temperature).softmax(1), reduction="sum")
    return supervised / max(1, len(logits)) + ratio * taught / max(1, len(student))


def select_pseudo_labels(
    predictions: Float[Tensor, "pictures classes"], *, least: float = 0.3, per_class: int = 130_000
) -> Int64[Tensor, "chosen"]:
    """Numbers of the pictures to learn from: sure enough, and as many of each class.

    Args:
        predictions: the teacher's probabilities.
        least: pictures whose highest probability is not above this are left out: they are likely of
            none of the classes.
        per_class: of each predicted class that many, the surest; where a class has fewer, its
            pictures are repeated. A class without any stays empty.

    Returns the numbers, class by class, the surest first. Raises ValueError for another shape, a
    `least` outside [0, 1), or `per_class` below 1.
    """
    if predictions.ndim != 2:
        raise ValueError(f"predictions must be (pictures, classes), got {tuple(predictions.shape)}")
    if not 0 <= least < 1:
        raise ValueError(f"least must lie in [0, 1), got {least}")
    if per_class < 1:
        raise ValueError(f"per_class must be at least 1, got {per_class}")
    sure, label = at_least_float32(predictions).max(1)
    order = sure.argsort(descending=True, stable=True)
    order = order[sure[order] > least]
    chosen = [order[:0]]
    for c in range(predictions.shape[1]):
        found = order[label[order] == c]
        if len(found):
            chosen.append(found.repeat(-(-per_class // len(found)))[:per_class])
    return torch.cat(chosen)
