"""Layers learnt one by one without labels, as restricted Boltzmann machines (Hinton 2002, 2006).

    v ─ h = σ(W v + b), drawn as 0 or 1 ─ v' from Wᵀ h + a ─ h' = σ(W v' + b)
    W += rate · mean(h vᵀ - h' v'ᵀ)         one step of contrastive divergence (CD-1)

A stack of such layers is where a classifier with sigmoid units may begin, when labels are few.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

VISIBLE = ("gaussian", "binary")


def contrastive_divergence(
    weight: Float[Tensor, "hidden visible"],
    hidden_bias: Float[Tensor, "hidden"],
    visible_bias: Float[Tensor, "visible"],
    data: Float[Tensor, "batch visible"],
    *,
    visible: str = "binary",
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "hidden visible"], Float[Tensor, "hidden"], Float[Tensor, "visible"]]:
    """The directions in which CD-1 moves weight, hidden and visible bias: upwards in likelihood.

    Args:
        data: in [0, 1] for "binary" units, standardised for "gaussian" ones (of variance 1).
        visible: how the data is made anew: by probabilities, or by means.
        generator: draws the hidden units, on the data's device.

    Raises ValueError for shapes that do not fit, or an unknown kind of visible unit.

    Reference: Hinton, Training Products of Experts by Minimizing Contrastive Divergence, 2002.
    """
    if visible not in VISIBLE:
        raise ValueError(f"visible must be one of {VISIBLE}, got {visible!r}")
    if data.ndim != 2 or weight.shape != (len(hidden_bias), data.shape[1]):
        raise ValueError(
            f"data must be (batch, {weight.shape[1]}) for weight {tuple(weight.shape)}, "
            f"got {tuple(data.shape)}"
        )
    hidden = torch.sigmoid(F.linear(data, weight, hidden_bias))
    dtype = torch.promote_types(hidden.dtype, torch.float32)
    drawn = torch.rand(hidden.shape, generator=generator, device=data.device, dtype=dtype) < hidden
    means = F.linear(drawn.to(data.dtype), weight.T, visible_bias)
    again = torch.sigmoid(means) if visible == "binary" else means
    hidden_again = torch.sigmoid(F.linear(again, weight, hidden_bias))
    moves = (hidden.T @ data - hidden_again.T @ again) / max(1, len(data))
    return moves, (hidden - hidden_again).mean(0), (data - again).mean(0)


@torch.no_grad()
def pretrain_layers(
    layers: Iterable[nn.Linear],
    data: Float[Tensor, "samples features"],
    *,
    epochs: int = 3,
    learning_rate: float = 0.01,
    batch_size: int = 100,
    generator: torch.Generator | None = None,
) -> None:
    """Train linear layers, each followed by a sigmoid, one after the other, in place.

    Args:
        layers: the hidden layers of a network, in order.
        data: standardised; the first layer sees it as Gaussian units, the others see the
            probabilities of the layer before.
        epochs: over the data, for each layer.
        learning_rate, batch_size: of contrastive divergence, plain steps without momentum.
        generator: draws batches and hidden units, on the data's device.

    Raises ValueError for layers that do not fit the data or each other, or have no bias.
    """
    for i, layer in enumerate(layers):
        if layer.in_features != data.shape[1] or layer.bias is None:
            raise ValueError(
                f"layers[{i}] must take {data.shape[1]} features and have a bias, got {layer}"
            )
        visible_bias = data.new_zeros(data.shape[1])
        values = layer.weight, layer.bias, visible_bias
        kind = "binary" if i else "gaussian"
        for _ in range(epochs):
            order = torch.randperm(len(data), generator=generator, device=data.device)
            for batch in order.split(batch_size):
                moves = contrastive_divergence(
                    *values, data[batch], visible=kind, generator=generator
                )
                for value, move in zip(values, moves, strict=True):
                    value.add_(move, alpha=learning_rate)
        data = torch.sigmoid(layer(data))
