"""Focal loss on independent binary logits (RetinaNet)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

from cvcourse.losses._checks import (
    REDUCTIONS,
    check_choice,
    check_floating,
    check_range,
    check_same_shape,
    check_values,
)
from cvcourse.losses._reduce import at_least_float32, reduce_loss
from cvcourse.ops._checks import is_plain


def sigmoid_focal_loss(
    inputs: Float[Tensor, "*shape"],
    targets: Shaped[Tensor, "*shape"],
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    reduction: str = "none",
) -> Float[Tensor, "..."]:
    r"""Cross-entropy that turns away from what is already right.

    .. math:: FL = -α_t (1 - p_t)^γ \log p_t, \quad p_t = p t + (1 - p)(1 - t), \quad p = σ(x)

    Args:
        inputs: logits, any shape.
        targets: same shape; 0 or 1 as float, integer or bool, or soft labels in between.
        alpha: weight of the positives, 1 - alpha that of the negatives; None (or -1): no weights.
        gamma: focusing exponent >= 0; 0 is (weighted) binary cross-entropy.
        reduction: "none" | "mean" | "sum".

    **Conventions**: equals torchvision's, soft targets too, except that the mean of an empty input
    is 0 and that gradients are finite for every gamma. The mean divides by all elements; RetinaNet
    instead divides the sum by `max(1, number of positives)`, which is left to the caller. Half
    precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, alpha, gamma or reduction, and, on the CPU, for
    targets outside [0, 1] (such as a 255 for "ignore").

    Reference: Lin et al. 2017, arXiv:1708.02002.
    """
    check_floating("inputs", inputs)
    check_same_shape("targets", targets, "inputs", inputs)
    check_values("targets", targets, 1)
    if alpha is not None and alpha != -1:
        check_range("alpha", alpha, 0, 1)
    check_range("gamma", gamma, 0)
    check_choice("reduction", reduction, REDUCTIONS)
    inputs = at_least_float32(inputs)
    if alpha == -1:
        alpha = None
    if _can_fuse(inputs, targets, reduction):
        loss = _FusedFocalSum.apply(inputs, targets, alpha, gamma)
        return loss / max(1, inputs.numel()) if reduction == "mean" else loss
    return reduce_loss(_focal(inputs, targets.to(inputs.dtype), alpha, gamma), reduction)


def _focal(x: Tensor, t: Tensor, alpha: float | None, gamma: float) -> Tensor:
    """The formula, element by element."""
    miss = (1 - t) * torch.sigmoid(x) + t * torch.sigmoid(-x)  # 1 - p_t without cancellation
    # A power below 1 has an infinite slope at 0, where saturated logits end: stay just above.
    focus = miss.clamp(min=torch.finfo(x.dtype).tiny) ** gamma
    loss = focus * F.binary_cross_entropy_with_logits(x, t, reduction="none")
    return loss if alpha is None else (alpha * t + (1 - alpha) * (1 - t)) * loss


def _can_fuse(x: Tensor, t: Tensor, reduction: str) -> bool:
    wanted = reduction != "none" and not t.requires_grad
    return wanted and x.dtype == torch.float32 and is_plain(x) and is_plain(t)


class _FusedFocalSum(torch.autograd.Function):
    """Sum of `_focal` and its gradient in one pass over pieces that stay in the cache.

    10 times as fast as the formula, with one full-size buffer instead of ten (16M logits, 2 cores).
    """

    PIECE = 1 << 17

    @staticmethod
    def forward(ctx, inputs: Tensor, targets: Tensor, alpha: float | None, gamma: float) -> Tensor:
        gradient = inputs.new_empty(inputs.numel()) if ctx.needs_input_grad[0] else None
        total = inputs.new_zeros((), dtype=torch.float64)
        pieces = zip(
            inputs.reshape(-1).split(_FusedFocalSum.PIECE),
            targets.reshape(-1).split(_FusedFocalSum.PIECE),
            strict=True,
        )
        for i, (x, t) in enumerate(pieces):
            t = t.to(x.dtype)
            p, sign = torch.sigmoid(x), 1 - 2 * t
            ce = F.binary_cross_entropy_with_logits(x, t, reduction="none")
            miss = torch.addcmul(t, sign, p).clamp_(min=torch.finfo(x.dtype).tiny)
            weight = miss**gamma  # of ce in the loss
            if alpha is not None:
                weight *= (2 * alpha - 1) * t + (1 - alpha)
            total += (weight * ce).sum()
            if gradient is not None:
                slope = ce.mul_(gamma).div_(miss).mul_(sign)  # ce times d(log focus)/dp
                piece = gradient[i * _FusedFocalSum.PIECE :][: x.numel()]
                torch.addcmul(p - t, slope, p - p * p, out=piece).mul_(weight)
        ctx.save_for_backward(
            inputs, targets, None if gradient is None else gradient.view(inputs.shape)
        )
        ctx.alpha, ctx.gamma = alpha, gamma
        return total.to(inputs.dtype)

    @staticmethod
    def backward(ctx, grad_output: Tensor) -> tuple[Tensor, None, None, None]:
        inputs, targets, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted, which the formula has
            loss = _focal(inputs, targets.to(inputs.dtype), ctx.alpha, ctx.gamma).sum()
            (gradient,) = torch.autograd.grad(loss, inputs, create_graph=True)
        elif grad_output == 1:
            return gradient, None, None, None
        return gradient * grad_output, None, None, None
