"""Sure of each picture, and not of one class for all: the nuclear norm of a batch's predictions."""

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import check_choice, check_matrix
from cvcourse.losses._reduce import at_least_float32

DIVISORS = ("batch", "rank")


def batch_nuclear_norm_loss(
    logits: Float[Tensor, "batch classes"], divisor: str = "batch"
) -> Float[Tensor, ""]:
    r"""Minus the sum of the singular values of the matrix of predictions.

    .. math:: L = -\frac{1}{B} \|A\|_*, \qquad A = softmax(x), \quad B × C

    Large where each row is sure (as a small entropy asks) *and* the rows differ (a rank above 1,
    which a small entropy does not ask): \|A\|_F ≤ \|A\|_* ≤ \sqrt{\min(B, C)} \|A\|_F ≤
    \sqrt{B \min(B, C)}, the last where A is one-hot and balanced.

    Args:
        logits: (B, C), usually of pictures without labels. B of at least C: the rank, and with it
            the number of classes that can show, is at most min(B, C).
        divisor: "batch", B, as in the paper's equation and the authors' semi-supervised code |
            "rank", min(B, C), as in their code for domain adaptation: the mean singular value.

    **Conventions**: the gradient is finite for equal singular values too, and where A lacks rank it
    is the smallest of the subgradients: directions without a singular value get none, so that
    uniform predictions are a place of rest. An empty batch gives 0. Half precision is computed and
    returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape or divisor.

    Reference: Cui et al. 2020, arXiv:2003.12237, equation 12.
    """
    check_matrix("logits", logits)
    check_choice("divisor", divisor, DIVISORS)
    predicted = at_least_float32(logits).softmax(1)
    if not predicted.numel():
        return predicted.sum()
    values = torch.linalg.svdvals(predicted)
    rounding = torch.finfo(values.dtype).eps * max(predicted.shape) * values.detach().amax()
    norm = torch.where(values <= rounding, 0, values).sum()
    return -norm / (len(logits) if divisor == "batch" else min(logits.shape))


def fast_batch_nuclear_norm_loss(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, ""]:
    r"""`batch_nuclear_norm_loss(divisor="rank")` without singular values: lengths of columns.

    Minus the mean of the min(B, C) largest lengths of columns of softmax(x). The same where columns
    are at right angles, as for one-hot predictions; where C ≤ B, at least as far below zero.

    **Conventions** and errors as there.

    Reference: Cui et al. 2021, Fast Batch Nuclear-norm Maximization, arXiv:2107.06154.
    """
    check_matrix("logits", logits)
    predicted = at_least_float32(logits).softmax(1)
    if not predicted.numel():
        return predicted.sum()
    lengths = torch.linalg.vector_norm(predicted, dim=0)
    return -lengths.topk(min(logits.shape)).values.mean()
