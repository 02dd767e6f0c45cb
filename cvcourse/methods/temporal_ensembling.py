"""Temporal ensembling: an image's target is the average of what was said of it (Laine, Aila 2016).

    Z ← α Z + (1 - α) softmax(z)        once an epoch, one row an image
    target = Z / (1 - αᵗ)               t epochs in the average, which began at zero

Without the division the first targets would sum to 1 - α instead of 1, as Adam's first moments do.
"""

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from cvcourse.losses._checks import check_floating, check_integers
from cvcourse.ops._checks import is_plain


class TemporalEnsembling(nn.Module):
    """The memory of a data set's predictions; its state is in the `state_dict`.

    In each step: `targets(indices)`, the loss, `update(indices, predictions)`. As each image comes
    once an epoch, its target is then of the epochs before.

    Args:
        images: of the data set, labelled or not.
        classes: of a prediction.
        decay: α in [0, 1), 0.6 in the paper.

    An image's row counts its own updates, so that the correction is right for images that miss an
    epoch. Rows are float32.

    Raises ValueError for sizes below 1, another decay, indices outside, or an image twice.

    Reference: Temporal Ensembling for Semi-Supervised Learning, arXiv:1610.02242, section 2.2.
    """

    def __init__(self, images: int, classes: int, decay: float = 0.6) -> None:
        for name, value in (("images", images), ("classes", classes)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if not 0 <= decay < 1:
            raise ValueError(f"decay must lie in [0, 1), got {decay}")
        super().__init__()
        self.decay = decay
        self.register_buffer("average", torch.zeros(images, classes, dtype=torch.float32))
        self.register_buffer("updates", torch.zeros(images, dtype=torch.int64))

    def targets(self, indices: Integer[Tensor, "batch"]) -> Float[Tensor, "batch classes"]:
        """Averages that sum to 1; zeros for images without an update, whose weight is to be 0."""
        self._check(indices)
        updates = self.updates[indices]
        share = 1 - self.decay ** updates.to(self.average.dtype)  # 0 where there was none
        return self.average[indices] / torch.where(updates > 0, share, 1)[:, None]

    @torch.no_grad()
    def update(
        self, indices: Integer[Tensor, "batch"], predictions: Float[Tensor, "batch classes"]
    ) -> None:
        """predictions: probabilities, the softmax of this epoch's noisy pass."""
        self._check(indices)
        check_floating("predictions", predictions)
        if predictions.shape != (len(indices), self.average.shape[1]):
            raise ValueError(
                f"predictions must have shape {(len(indices), self.average.shape[1])}, "
                f"got {tuple(predictions.shape)}"
            )
        if is_plain(indices) and len(indices.unique()) < len(indices):
            raise ValueError("indices must be different, got an image twice")
        new = (1 - self.decay) * predictions.to(self.average.dtype)
        self.average[indices] = self.decay * self.average[indices] + new
        self.updates[indices] += 1

    def _check(self, indices: Tensor) -> None:
        check_integers("indices", indices)
        if is_plain(indices) and len(indices):
            low, high = (int(bound) for bound in indices.aminmax())
            if low < 0 or high >= len(self.average):
                raise ValueError(
                    f"indices must be from 0 to {len(self.average) - 1}, got {low} to {high}"
                )
