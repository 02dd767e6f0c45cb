"""Knowledge distillation: learn from the softened output of a teacher."""

import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.losses._checks import (
    check_choice,
    check_class_map,
    check_floating,
    check_logits,
    check_positive,
    check_range,
    check_same_shape,
    check_values,
)
from cvcourse.losses._reduce import at_least_float32, reduce_loss


def distillation_loss(
    student_logits: Float[Tensor, "batch classes *space"],
    teacher_logits: Float[Tensor, "batch classes *space"],
    temperature: float = 4.0,
    target: Integer[Tensor, "batch *space"] | None = None,
    alpha: float = 1.0,
    reduction: str = "batchmean",
) -> Float[Tensor, "..."]:
    r"""Divergence from the teacher's softened prediction, mixed with that from the labels.

    .. math:: L = α T^2 \, KL(softmax(t / T) \,\|\, softmax(s / T)) + (1 - α) \, CE(s, y)

    Args:
        student_logits: (B, C, ...).
        teacher_logits: the same shape. Detached.
        temperature: T > 0; the factor T² keeps the size of gradients.
        target: (B, ...) class indices in [0, C), needed if alpha < 1.
        alpha: weight of the teacher, in [0, 1].
        reduction: "batchmean" | "sum" | "none" (B, ...).

    **Conventions**: KL is summed over classes, and "batchmean" divides by batch and positions, not
    by classes (as `F.kl_div(reduction="mean")` would, a common mistake: hence the name). A target
    of -100 has no CE term. An empty batch gives 0. Half precision is computed and returned in
    float32. nan stays nan; -inf logits of the teacher give nan.

    Raises ValueError for another dtype, shape, temperature, alpha or reduction, or a missing
    target; on the CPU, for a label outside [0, C).

    Reference: Hinton et al. 2015, arXiv:1503.02531.
    """
    check_logits("student_logits", student_logits)
    check_floating("teacher_logits", teacher_logits)
    check_same_shape("teacher_logits", teacher_logits, "student_logits", student_logits)
    check_positive("temperature", temperature)
    check_range("alpha", alpha, 0, 1)
    check_choice("reduction", reduction, ("batchmean", "sum", "none"))
    if target is None and alpha < 1:
        raise ValueError(f"target must be given since alpha is {alpha}, got None")
    student, teacher = at_least_float32(student_logits), at_least_float32(teacher_logits).detach()
    log_student = (student / temperature).log_softmax(1)
    log_teacher = (teacher / temperature).log_softmax(1)
    kl = F.kl_div(log_student, log_teacher, reduction="none", log_target=True).sum(1)  # (B, ...)
    loss = temperature**2 * kl
    if target is not None:
        check_class_map(target, student_logits)
        target = target.long()
        check_values("target", target, student.shape[1] - 1, ignore_index=-100)
        ce = F.cross_entropy(student, target, reduction="none")
        loss = alpha * loss + (1 - alpha) * ce
    return reduce_loss(loss, "mean" if reduction == "batchmean" else reduction)
