"""A network that is asked, not trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within it, all of `model` is in evaluation mode and nothing is noted for gradients.

    Afterwards each of its parts has its own mode again: a frozen one may stay in evaluation mode
    within a model in training mode.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
