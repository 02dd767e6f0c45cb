"""The Lovász extension of the Jaccard loss: what the hinge and the softmax form share."""

import torch
from torch import Tensor


def lovasz_extension(errors: Tensor, foreground: Tensor) -> Tensor:
    """(R, P) errors and truth -> (R,) losses; errors <= 0 count as 0.

    Sort the errors, largest first. Counting the pixels as wrong one after the other, the Jaccard
    loss 1 - I/U rises from 0 to 1; the extension weights each error with the rise at its pixel.
    """
    compiling = torch.compiler.is_compiling()
    if errors.device.type == "cpu" and errors.dtype == torch.float32 and not compiling:
        return _PackedExtension.apply(errors, foreground)
    errors, order = errors.sort(dim=1, descending=True, stable=True)
    rise = _jaccard_rise(foreground.gather(1, order), foreground.sum(1, keepdim=True), errors.dtype)
    return (torch.relu(errors) * rise).sum(1)


def _jaccard_rise(foreground: Tensor, total: Tensor, dtype: torch.dtype) -> Tensor:
    """Rise of the Jaccard loss at each of the first pixels in order, `total` being foreground.

    A foreground pixel takes one from I: the rise is 1/U. A background pixel adds one to U: the
    rise is I/(U-1) - I/U = (I/(U-1))/U, and 1 for the first if there is no foreground at all.
    (Differences of 1 - I/U itself would lose all digits of small rises.)
    """
    place = torch.arange(1, foreground.shape[-1] + 1, dtype=torch.int32, device=foreground.device)
    intersection = total - foreground.cumsum(-1, dtype=torch.int32)
    union = (intersection + place).to(dtype)  # = total + background so far
    intersection = intersection.to(dtype)
    return torch.where(foreground | (union == 1), 1, intersection / (union - 1)) / union


class _PackedExtension(torch.autograd.Function):
    """Row by row, with error, place and truth packed into one integer, sorted by numpy.

    6 times as fast as sorting with indices in torch (21 classes of 262k pixels): numpy sorts bare
    integers with vector instructions, and what one row needs stays in the cache.
    """

    @staticmethod
    def forward(ctx, errors: Tensor, foreground: Tensor) -> Tensor:
        gradient = torch.zeros_like(errors)
        losses = errors.new_zeros(len(errors))
        place = torch.arange(errors.shape[1]) << 1
        for row, truth in enumerate(foreground):
            # The bits of floats from 0 up are in the order of the floats; negated: largest first.
            keys = errors[row].relu().view(torch.int32).bitwise_and_(0x7FFFFFFF).long()
            above_0 = keys.count_nonzero()
            keys.neg_().bitwise_left_shift_(32).add_(place).add_(truth).numpy().sort()
            keys = keys[:above_0]
            rise = _jaccard_rise((keys & 1) == 1, truth.sum(dtype=torch.int32), errors.dtype)
            gradient[row].scatter_(0, (keys & 0xFFFFFFFF) >> 1, rise)
            losses[row] = torch.dot((-(keys >> 32)).int().view(errors.dtype), rise)
        ctx.save_for_backward(gradient)
        return losses

    @staticmethod
    def backward(ctx, grad_output: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad_output[:, None], None
