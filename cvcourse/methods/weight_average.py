"""The running mean of a network's weights: what a GAN's pictures are made with in the end."""

import copy

import torch
from torch import nn

from cvcourse.methods.mean_teacher import update_average


class WeightAverage(nn.Module):
    """A copy of `model` whose weights follow it slowly: average ← decay · average + (1 - decay) w.

    Args:
        model: copied as it is now; the copy does not learn by gradients.
        decay: how much of the average stays at each `update`.

    Calling it calls the copy. Buffers, such as running statistics, are copied as they are. It is a
    module, so that it is saved and loaded, and moved to a device, with what it belongs to.

    StyleGAN2 gives the decay as a half-life of 10,000 images: `half_life_decay(10_000, batch)`.

    Reference: Yazıcı et al., The Unusual Effectiveness of Averaging in GAN Training, 2018,
    arXiv:1806.04498.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        if not 0 <= decay <= 1:
            raise ValueError(f"decay: expected 0 to 1, got {decay}")
        super().__init__()
        self.decay = decay
        self.average = copy.deepcopy(model).requires_grad_(False)

    def forward(self, *args, **options):
        return self.average(*args, **options)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """After a step of `model`, which has the same layers."""
        update_average(self.average, model, self.decay)
        for ours, theirs in zip(self.average.buffers(), model.buffers(), strict=True):
            ours.copy_(theirs)


def half_life_decay(half_life: float, batch: int) -> float:
    """The decay for which a weight counts half after `half_life` images, in batches of `batch`."""
    if not half_life > 0:
        raise ValueError(f"half_life: expected a number above 0, got {half_life}")
    if batch < 1:
        raise ValueError(f"batch: expected 1 or more, got {batch}")
    return 0.5 ** (batch / half_life)
