"""A network that is asked, not trained: without gradients, or without any training at all."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


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


def settled(net: nn.Module, images: Tensor) -> nn.Module:
    """An untrained network whose batch norms have the plain averages of these images.

    Without any it would be beaten by its scale alone. It is left in evaluation mode.
    """
    for layer in net.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = None
    with torch.no_grad():
        net.train()(images)
    return net.eval()
