"""What several models share: the convolution block, how heads begin, names of old checkpoints."""

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn


def conv_norm_act(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    norm: Callable[[int], nn.Module] | None = nn.BatchNorm2d,
    act: type[nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Convolution that keeps the size (over the stride), then `norm`, then `act`, each if given.

    The convolution is `0` of the sequence and has a bias only where no norm follows.
    """
    conv = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding=dilation * (kernel_size - 1) // 2,
        dilation=dilation,
        groups=groups,
        bias=norm is None,
    )
    layers = [conv]
    if norm is not None:
        layers.append(norm(out_channels))
    if act is not None:
        layers.append(act(inplace=True))
    return nn.Sequential(*layers)


def init_convolutions(module: nn.Module, std: float = 0.01) -> None:
    """Normal weights and zero biases, as heads of detectors begin."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def accept_old_names(module: nn.Module, renames: Mapping[str, str]) -> None:
    """Let `module.load_state_dict` read checkpoints written before its layers were renamed.

    `renames` maps old to new names of layers, relative to `module`; weights and biases follow.
    """
    module.register_load_state_dict_pre_hook(partial(_rename_keys, renames))


def _rename_keys(renames, module, state_dict, prefix, *_) -> None:
    for old, new in renames.items():
        for leaf in ("weight", "bias"):
            if f"{prefix}{old}.{leaf}" in state_dict:
                state_dict[f"{prefix}{new}.{leaf}"] = state_dict.pop(f"{prefix}{old}.{leaf}")
