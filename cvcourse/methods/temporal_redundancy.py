"""Compute what changed: layers that work on differences between frames.

    y_t = y_{t-1} + W (x_t - x̂),   x̂: what was last let through

A linear layer of a difference is the difference of its results. Where nothing changed there is
nothing to do, and where little changed one may do nothing: the change is kept for later, since it
is measured against what was last let through, not against the last frame.
References: O'Connor & Welling, Sigma Delta Quantized Networks, 2016, arXiv:1611.02024; Habibian et
al., Skip-Convolutions for Efficient Video Processing, 2021, arXiv:2104.11487.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class DeltaLayer(nn.Module):
    """A convolution or linear layer that is fed the frames of a video, one by one.

    Args:
        layer: `nn.Conv2d` with zero padding, or `nn.Linear`; its weights are shared.
        threshold: a value is let through when it differs by more than this from what was last let
            through. With 0 the results are the layer's, up to rounding.

    After a call, `share` is the share of input values that were let through: of a convolution's
    multiply-adds as many are needed by an implementation that skips zeros. This one does not: it
    counts. `reset()` begins another video; the first frame goes through whole.

    Raises ValueError for other layers, padding, a negative threshold, or a frame of another size
    than the last one.
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear, threshold: float = 0.0) -> None:
        super().__init__()
        padded = isinstance(layer, nn.Conv2d) and layer.padding_mode != "zeros"
        if not isinstance(layer, nn.Conv2d | nn.Linear) or padded:
            raise ValueError(
                f"layer: expected a Conv2d padded with zeros, or a Linear, got {layer}"
            )
        if not threshold >= 0:
            raise ValueError(f"threshold: expected at least 0, got {threshold}")
        self.layer, self.threshold = layer, threshold
        self.reset()

    def reset(self) -> None:
        self.passed: Tensor | None = None
        self.output: Tensor | None = None
        self.share = 1.0

    def forward(self, x: Float[Tensor, "batch *axes"]) -> Float[Tensor, "batch *out_axes"]:
        if self.passed is None:
            self.passed, self.output, self.share = x, self.layer(x), 1.0
            return self.output
        if x.shape != self.passed.shape:
            raise ValueError(
                f"x: expected the shape of the last frame, {tuple(self.passed.shape)}, "
                f"got {tuple(x.shape)}"
            )
        change = x - self.passed
        through = change.abs() > self.threshold
        self.share = through.float().mean().item()
        self.output = self.output + self._without_bias(change * through)
        self.passed = torch.where(through, x, self.passed)
        return self.output

    def _without_bias(self, change: Tensor) -> Tensor:
        if isinstance(self.layer, nn.Linear):
            return F.linear(change, self.layer.weight)
        conv = self.layer
        geometry = (conv.stride, conv.padding, conv.dilation, conv.groups)
        return F.conv2d(change, conv.weight, None, *geometry)


def delta_network(network: nn.Sequential, threshold: float = 0.0) -> nn.Sequential:
    """The same network with a `DeltaLayer` for each convolution and linear layer; weights shared.

    Other layers, such as ReLU and max-pool, work on whole maps, so that differences are taken after
    them: a value that a ReLU cuts off does not change.
    """
    linear = (nn.Conv2d, nn.Linear)
    layers = [DeltaLayer(x, threshold) if isinstance(x, linear) else x for x in network]
    return nn.Sequential(*layers)
