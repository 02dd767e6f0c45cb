"""Hints: a thin student imitates what a teacher computes half-way (FitNets)."""

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.losses._checks import check_choice, check_floating, check_same_shape
from cvcourse.losses._reduce import at_least_float32, reduce_loss


def hint_loss(
    guided: Float[Tensor, "batch channels *space"],
    hint: Float[Tensor, "batch channels *space"],
    reduction: str = "batchmean",
) -> Float[Tensor, "..."]:
    r"""Half the squared distance between the student's features and the teacher's.

    .. math:: L = ½ \, \| u - r \|^2 \quad \text{at each position, over the channels}

    Args:
        guided: (B, C, ...) features of the student, after the regressor that fits their shape to
            the teacher's (`HintRegressor`).
        hint: the same shape, features of the teacher. Detached.
        reduction: "batchmean" | "sum" | "none" (B, ...).

    **Conventions**: squares are summed over channels, and "batchmean" divides by batch and
    positions, as in the authors' code; the mean over everything, which others call hint loss, is
    C/2 times smaller. An empty batch gives 0. Half precision is computed and returned in float32.

    Raises ValueError for another dtype, shape or reduction.

    Reference: Romero et al., FitNets, 2015, arXiv:1412.6550.
    """
    check_floating("guided", guided)
    check_floating("hint", hint)
    if guided.ndim < 2:
        raise ValueError(
            f"guided must have shape (batch, channels, ...), got {tuple(guided.shape)}"
        )
    check_same_shape("hint", hint, "guided", guided)
    check_choice("reduction", reduction, ("batchmean", "sum", "none"))
    difference = at_least_float32(guided) - at_least_float32(hint).detach()
    loss = difference.square().sum(1) / 2  # (B, ...)
    return reduce_loss(loss, "mean" if reduction == "batchmean" else reduction)


class HintRegressor(nn.Sequential):
    """From the student's guided layer to the shape and kind of the teacher's hint layer.

    A convolution without padding whose kernel is as large as the student's map exceeds the
    teacher's, plus one: it fits the sizes with fewer weights than a fully connected layer. Then
    ReLU, since the hint layer has it. Thrown away when the hint has been taken.

    Args:
        in_channels, out_channels: of the guided and the hint layer.
        in_size, out_size: side of their maps in pixels, `in_size >= out_size`.

    Raises ValueError where the student's map is smaller than the teacher's.
    """

    def __init__(self, in_channels: int, out_channels: int, *, in_size: int, out_size: int) -> None:
        if not in_size >= out_size > 0:
            raise ValueError(
                f"in_size must be at least out_size, which must be above 0, "
                f"got {in_size} and {out_size}"
            )
        conv = nn.Conv2d(in_channels, out_channels, in_size - out_size + 1)
        super().__init__(conv, nn.ReLU())
