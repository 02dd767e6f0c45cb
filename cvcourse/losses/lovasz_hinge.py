"""Lovász hinge: the Jaccard loss of a binary segmentation, made convex."""

from jaxtyping import Float, Shaped
from torch import Tensor

from cvcourse.losses._checks import (
    check_floating,
    check_integers,
    check_same_shape,
    check_values,
    is_ignored,
)
from cvcourse.losses._lovasz import lovasz_extension
from cvcourse.losses._reduce import at_least_float32


def lovasz_hinge_loss(
    logits: Float[Tensor, "batch *channel height width"],
    target: Shaped[Tensor, "batch *channel height width"],
    per_image: bool = True,
    ignore_index: int | None = None,
) -> Float[Tensor, ""]:
    r"""Surrogate of 1 - IoU of the foreground, on hinge errors.

    .. math:: L = \overline{Δ_J}(\max(0, 1 - x_i (2 t_i - 1)))

    Args:
        logits: (B, H, W) or (B, 1, H, W).
        target: 0 and 1 (or bool), or `ignore_index`; (B, H, W) or (B, 1, H, W).
        per_image: mean of the losses of the images; otherwise one loss over all pixels.
        ignore_index: label of pixels that do not count; None: all count.

    **Conventions**: equals the authors' lovasz_hinge. An image without foreground has its largest
    error as loss; an image without pixels that count has 0, and counts in the mean; an empty batch
    gives 0. Equal errors are taken in the order of the pixels. Half precision is computed and
    returned in float32. nan stays nan.

    Raises ValueError for another dtype or shape and, on the CPU, for labels other than 0, 1 and
    `ignore_index` (elsewhere they are background).

    Reference: Berman et al. 2018, arXiv:1705.08790; Yu and Blaschko 2015, arXiv:1512.07797.
    """
    check_floating("logits", logits)
    check_integers("target", target)
    x, t = _maps("logits", logits), _maps("target", target)
    check_same_shape("target", t, "logits", x)
    check_values("target", t, 1, ignore_index)
    rows = (len(x), -1) if per_image and x.numel() else (1, -1)
    x, t = at_least_float32(x).reshape(rows), t.reshape(rows)  # (rows, pixels)
    foreground, ignored = t == 1, None
    if ignore_index is not None:
        ignored = is_ignored(t, ignore_index)
        foreground = foreground & ~ignored
    # with p = (1 + x) / 2 the error 1 ± x is twice that of a probability
    return 2 * lovasz_extension((1 + x) / 2, foreground, ignored, count_absent=True).mean()


def _maps(name: str, x: Tensor) -> Tensor:
    """(B, H, W) or (B, 1, H, W) -> (B, H, W)."""
    if x.ndim != 3 and not (x.ndim == 4 and x.shape[1] == 1):
        raise ValueError(f"{name} must have shape (B, H, W) or (B, 1, H, W), got {tuple(x.shape)}")
    return x if x.ndim == 3 else x.squeeze(1)
