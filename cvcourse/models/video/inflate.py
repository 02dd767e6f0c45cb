"""Inflation: a network of pictures becomes one of videos (Carreira & Zisserman 2017, 1705.07750).

A video of a still scene is a picture tiled in time. A kernel tiled T times and divided by T gives
on it what it gave on the picture, so that the video network begins where the picture network is.
"""

import copy

import torch
from torch import nn

from cvcourse.models._blocks import check_at_least
from cvcourse.models.backbones.resnet import BasicBlock, Bottleneck, ResNetFeatures
from cvcourse.models.backbones.vgg import VGG
from cvcourse.models.video.conv3d import VideoConv3d
from cvcourse.ops._checks import check_choice

WHOLES = (nn.Sequential, nn.ModuleList, ResNetFeatures, BasicBlock, Bottleneck, VGG)
AS_THEY_ARE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.Sigmoid, nn.Tanh, nn.Identity, nn.Dropout,
    nn.Flatten, nn.Linear, nn.GroupNorm,
)  # fmt: skip


def inflate(
    network: nn.Module,
    time: int = 3,
    *,
    fill: str = "mean",
    causal: bool = False,
    border: str = "replicate",
) -> nn.Module:
    """A copy of `network` that takes videos (batch, channels, time, height, width).

    Args:
        network: a `ResNet`, a `VGG`, or a `Sequential` of convolutions, batch and group norms,
            activations, poolings, and linear layers.
        time: frames of a kernel, odd unless causal. Kernels of one pixel get one frame.
        fill: "mean", the weights over `time` in each frame; or "centre", the weights in the middle
            (causal: last) frame and zeros around.
        causal, border: of `VideoConv3d`.

    **Conventions**: poolings work on each frame, but the last, adaptive one, also averages over
    time. On a still video the result is the picture network's: everywhere with "centre" or with
    border "replicate"; with "mean" and zeros not within some frames of the ends, and so not in an
    average over time. The network given is left alone.

    Raises ValueError for another layer, which is named, an even `time`, or unknown options.

    Reference: Carreira & Zisserman, Quo Vadis, Action Recognition?, 2017, section 2.4.
    """
    check_at_least("time", time)
    check_choice("fill", fill, ("mean", "centre"))
    if time % 2 == 0 and not causal:
        raise ValueError(f"time: expected an odd number of frames unless causal, got {time}")
    return _inflated(copy.deepcopy(network), "network", time, fill, causal, border)


def _inflated(layer: nn.Module, name: str, *how) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        return _convolution(layer, name, *how)
    if isinstance(layer, nn.BatchNorm2d):
        return _norm(layer)
    if isinstance(layer, nn.MaxPool2d):
        return nn.MaxPool3d(
            *(_of_one_frame(value, one) for value, one in _geometry(layer)),
            dilation=_of_one_frame(layer.dilation, 1),
            ceil_mode=layer.ceil_mode,
        )
    if isinstance(layer, nn.AvgPool2d):
        return nn.AvgPool3d(
            *(_of_one_frame(value, one) for value, one in _geometry(layer)),
            ceil_mode=layer.ceil_mode,
            count_include_pad=layer.count_include_pad,
            divisor_override=layer.divisor_override,
        )
    if isinstance(layer, nn.AdaptiveAvgPool2d):
        return nn.AdaptiveAvgPool3d(_of_one_frame(layer.output_size, 1))
    if isinstance(layer, WHOLES):
        for child_name, child in layer.named_children():
            setattr(layer, child_name, _inflated(child, f"{name}.{child_name}", *how))
    elif not isinstance(layer, AS_THEY_ARE):
        raise ValueError(f"network: cannot inflate {name}, a {type(layer).__name__}")
    return layer


def _convolution(
    conv: nn.Conv2d, name: str, time: int, fill: str, causal: bool, border: str
) -> VideoConv3d:
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise ValueError(
            f"network: cannot inflate {name}, a Conv2d with padding {conv.padding!r} "
            f"({conv.padding_mode})"
        )
    time = 1 if conv.kernel_size == (1, 1) else time
    inflated = VideoConv3d(
        conv.in_channels,
        conv.out_channels,
        (time, *conv.kernel_size),
        (1, *conv.stride),
        padding=conv.padding,
        dilation=(1, *conv.dilation),
        groups=conv.groups,
        bias=conv.bias is not None,
        causal=causal,
        border=border,
    ).to(conv.weight)
    with torch.no_grad():
        if fill == "mean":
            inflated.weight.copy_(conv.weight[:, :, None] / time)
        else:
            inflated.weight.zero_()[:, :, -1 if causal else time // 2] = conv.weight
        if conv.bias is not None:
            inflated.bias.copy_(conv.bias)
    return inflated.train(conv.training)


def _norm(norm: nn.BatchNorm2d) -> nn.BatchNorm3d:
    options = {"affine": norm.affine, "track_running_stats": norm.track_running_stats}
    inflated = nn.BatchNorm3d(norm.num_features, norm.eps, norm.momentum, **options)
    for state in (*norm.parameters(), *norm.buffers()):
        if state.is_floating_point():
            inflated.to(state)
    inflated.load_state_dict(norm.state_dict())
    return inflated.train(norm.training)


def _geometry(pool: nn.MaxPool2d | nn.AvgPool2d) -> list[tuple]:
    """Kernel, stride and padding, each with its value in time."""
    return [(pool.kernel_size, 1), (pool.stride, 1), (pool.padding, 0)]


def _of_one_frame(size, time: int) -> tuple:
    return (time, *size) if isinstance(size, tuple) else (time, size, size)
