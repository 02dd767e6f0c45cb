"""Dynamic convolution: K kernels, mixed anew for each picture (Chen et al. 2020, 1912.03458).

    π(x) = softmax(attention(mean of x) / temperature)        in [0, 1], sum 1
    W(x) = Σ_k π_k(x) W_k,  b(x) = Σ_k π_k(x) b_k,  y = W(x) * x + b(x)

One convolution is computed, whatever K: more parameters at nearly the same arithmetic. A high
temperature keeps the attention near uniform, so that all kernels learn at first; the paper lowers
it from 30 to 1 over the first ten epochs. The authors' code is not published.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels
from cvcourse.models.backbones.mobilenet_v2 import MobileNetV2
from cvcourse.ops._checks import check_positive, pair


class KernelAttention(nn.Module):
    """From the means of the channels to a weight for each kernel."""

    def __init__(self, in_channels: int, kernels: int, hidden: int, *, bias: bool) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(in_channels, hidden, 1, bias=bias)
        self.fc2 = nn.Conv2d(hidden, kernels, 1)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"], temperature: float
    ) -> Float[Tensor, "batch kernels"]:
        logits = self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).flatten(1)
        return (logits / temperature).softmax(1)


class DynamicConv2d(nn.Module):
    """A convolution whose kernel is mixed of several, for each picture by itself.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias: as in
            `nn.Conv2d`, padding in numbers.
        kernels: K, how many are mixed.
        hidden: of the attention, by default a quarter of `in_channels`.
        attention_bias: whether its first layer has one.
        temperature: of the softmax. It is no part of the state dict: 1, the default, is what a
            trained network uses; while it trains, see `set_temperature` and
            `annealed_temperature`.

    **Conventions**: weight is (K, out, in / groups, height, width), bias (K, out); each kernel
    begins at random by itself, as equal ones would stay equal. The picture of a batch of many is
    convolved as in a batch of one.

    Raises ValueError for counts below 1, groups that do not divide the channels, or a temperature
    of 0 or less.
    Reference: Chen et al., Dynamic Convolution: Attention over Convolution Kernels, 1912.03458.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        kernels: int = 4,
        hidden: int | None = None,
        attention_bias: bool = True,
        temperature: float = 1.0,
    ) -> None:
        hidden = max(1, in_channels // 4) if hidden is None else hidden
        counts = {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
        for name, value in {**counts, "kernels": kernels, "hidden": hidden}.items():
            check_at_least(name, value)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups: expected a divisor of {in_channels} and {out_channels}, got {groups}"
            )
        check_positive("temperature", temperature)
        super().__init__()
        size = pair("kernel_size", kernel_size)
        self.stride, self.dilation = pair("stride", stride), pair("dilation", dilation)
        self.padding, self.groups = pair("padding", padding, 0), groups
        self.in_channels, self.out_channels = in_channels, out_channels
        self.temperature = temperature
        self.weight = nn.Parameter(torch.empty(kernels, out_channels, in_channels // groups, *size))
        self.bias = nn.Parameter(torch.zeros(kernels, out_channels)) if bias else None
        for kernel in self.weight:
            nn.init.kaiming_uniform_(kernel, nonlinearity="relu")
        self.attention = KernelAttention(in_channels, kernels, hidden, bias=attention_bias)

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels new_height new_width"]:
        check_channels("x", x, self.in_channels)
        batch = len(x)
        where = self.stride, self.padding, self.dilation
        if not batch:  # no picture's kernel: any gives the shape
            return F.conv2d(x, self.weight[0], None, *where, self.groups)
        mix = self.attention(x, self.temperature)  # (B, K)
        weight = torch.einsum("bk,koihw->boihw", mix, self.weight)  # (B, O, I / groups, h, w)
        # one convolution in B * groups groups: the pictures side by side as channels
        out = F.conv2d(
            x.reshape(1, -1, *x.shape[2:]),
            weight.flatten(0, 1),
            None,
            *where,
            batch * self.groups,
        )
        out = out.view(batch, self.out_channels, *out.shape[2:])
        return out if self.bias is None else out + (mix @ self.bias)[:, :, None, None]

    def _apply(self, fn, recurse=True):
        """`to(memory_format=torch.channels_last)` would take five axes for a volume's."""

        def as_four(tensor: Tensor) -> Tensor:
            if tensor.ndim != 5:
                return fn(tensor)
            return fn(tensor.flatten(0, 1)).unflatten(0, tensor.shape[:2])

        return super()._apply(as_four, recurse)


def set_temperature(model: nn.Module, temperature: float) -> None:
    """For all `DynamicConv2d` in `model`; a ValueError if there are none."""
    check_positive("temperature", temperature)
    layers = [layer for layer in model.modules() if isinstance(layer, DynamicConv2d)]
    if not layers:
        raise ValueError(f"model: expected one with a DynamicConv2d, got {type(model).__name__}")
    for layer in layers:
        layer.temperature = temperature


def annealed_temperature(
    epoch: float, *, epochs: float = 10, start: float = 30.0, end: float = 1.0
) -> float:
    """From `start` to `end` in a straight line over `epochs`, then `end`: the paper's schedule."""
    check_positive("epochs", epochs)
    return start + (end - start) * min(max(epoch / epochs, 0.0), 1.0)


def make_dynamic(
    model: nn.Module, *, kernels: int = 4, attention_bias: bool = True, temperature: float = 1.0
) -> nn.Module:
    """`model` itself, each `nn.Conv2d` within it exchanged for a new `DynamicConv2d`."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Conv2d) and name:
            parent, _, leaf = name.rpartition(".")
            dynamic = DynamicConv2d(
                layer.in_channels,
                layer.out_channels,
                layer.kernel_size,
                layer.stride,
                layer.padding,
                layer.dilation,
                layer.groups,
                layer.bias is not None,
                kernels=kernels,
                attention_bias=attention_bias,
                temperature=temperature,
            )
            setattr(model.get_submodule(parent), leaf, dynamic)
    return model


def dynamic_mobilenet_v2(
    num_classes: int = 1000, *, width: float = 1.0, kernels: int = 4
) -> MobileNetV2:
    """MobileNetV2 whose convolutions are dynamic, but for the first and the last 1×1.

    11,149,736 parameters (paper: 11.1M); at a width of 0.75 7,012,118 (paper: 7.0M).
    """
    model = MobileNetV2(num_classes, width=width)
    for block in model.features[1:-1]:
        make_dynamic(block, kernels=kernels)
    return model
