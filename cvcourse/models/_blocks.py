"""What several models share: the convolution block, how heads begin, names, what they refuse."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvcourse.ops._checks import check_tensor


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


def norm_relu(
    conv: nn.Module, norm: Callable[[int], nn.Module] = nn.BatchNorm2d
) -> list[nn.Module]:
    """A convolution as it is, which may have a bias, `norm`, and a ReLU."""
    return [conv, norm(conv.out_channels), nn.ReLU(inplace=True)]


class LSTM(nn.LSTM):
    """PyTorch's, in float32 under a CPU's float16 autocast, where it needs a CPU that counts so."""

    def forward(self, *inputs):
        if is_float16_autocast("cpu"):
            with torch.autocast("cpu", enabled=False):
                return super().forward(*_in_float32(inputs))
        return super().forward(*inputs)


def is_float16_autocast(device_type: str) -> bool:
    """Within an autocast whose numbers end at 65,504."""
    return (
        device_type != "meta"  # autocast does not know it
        and torch.is_autocast_enabled(device_type)
        and torch.get_autocast_dtype(device_type) == torch.float16
    )


def _in_float32(values):
    """Tensors in tuples in tuples, all in float32."""
    if isinstance(values, Tensor):
        return values.float()
    return tuple(_in_float32(value) for value in values)


def zeros_around(x: Tensor, unit: int) -> tuple[Tensor, tuple[slice, slice]]:
    """`x` (B, C, H, W) in the middle of zeros, up to multiples of `unit`; and where it is."""
    height, width = x.shape[2:]
    more_rows, more_columns = -height % unit, -width % unit
    top, left = more_rows // 2, more_columns // 2
    x = F.pad(x, (left, more_columns - left, top, more_rows - top))
    return x, (slice(top, top + height), slice(left, left + width))


def init_convolutions(module: nn.Module, std: float = 0.01) -> None:
    """Normal weights and zero biases, as heads of detectors begin."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


_LEAVES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def accept_old_names(module: nn.Module, renames: Mapping[str, str]) -> None:
    """Let `module.load_state_dict` read checkpoints written before its layers were renamed.

    `renames` maps old to new names of layers, relative to `module`; all that they hold follows.
    """
    module.register_load_state_dict_pre_hook(partial(_rename_keys, renames))


def _rename_keys(renames, module, state_dict, prefix, *_) -> None:
    for old, new in renames.items():
        for leaf in _LEAVES:
            if f"{prefix}{old}.{leaf}" in state_dict:
                state_dict[f"{prefix}{new}.{leaf}"] = state_dict.pop(f"{prefix}{old}.{leaf}")


class InstanceNorm(nn.InstanceNorm2d):
    """With weights, which PyTorch's does not apply to an empty batch."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if len(x) else x


def check_each(name: str, batch: Tensor, shape: Sequence[int]) -> None:
    """Each of the batch has this shape."""
    check_tensor(name, batch)
    if batch.shape[1:] != tuple(shape):
        axes = ", ".join(map(str, ("B", *shape)))
        raise ValueError(f"{name} must have shape ({axes}), got {tuple(batch.shape)}")


def check_at_least(name: str, value: int, least: int = 1) -> None:
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")


def check_power_of_two(name: str, value: int, least: int) -> None:
    if value < least or value & (value - 1):
        raise ValueError(f"{name} must be a power of two from {least}, got {value}")


def check_image_size(images: Tensor, least: int) -> None:
    size = tuple(images.shape[-2:])
    if min(size) < least:
        raise ValueError(f"images must be at least {least} pixels high and wide, got {size}")


def check_channels(name: str, x: Tensor, channels: int) -> None:
    """A batch of pictures or maps with so many channels, at least a pixel each."""
    check_tensor(name, x)
    if x.ndim != 4 or x.shape[1] != channels or 0 in x.shape[2:]:
        raise ValueError(
            f"{name}: expected (batch, {channels}, height, width), got {tuple(x.shape)}"
        )


def has_own_shift(norm: nn.Module) -> bool:
    """A norm with a bias of its own, beside which that of a convolution does nothing."""
    return getattr(norm, "bias", None) is not None


def check_norm(name: str, norm: Callable[[int], nn.Module] | None, channels: int) -> None:
    """`norm` can be made for so many channels; in a group norm its groups must divide them."""
    try:
        if norm is not None:
            norm(channels)
    except ValueError as error:
        raise ValueError(f"{name}: expected one for {channels} channels, got: {error}") from error


def level_channels(backbone: nn.Module) -> int:
    """`backbone.out_channels`, the width of all its levels."""
    channels = getattr(backbone, "out_channels", None)
    if not isinstance(channels, int):
        raise ValueError(
            "backbone: expected a network from images to a dictionary of levels of one width, its "
            f"`out_channels`, such as ResNetFPN, got {type(backbone).__name__} of {channels}"
        )
    return channels


def levels_of(backbone: nn.Module, images: Tensor, kind: type = Mapping):
    """What `backbone` makes of `images`: a dictionary of levels, or a sequence of maps."""
    levels = backbone(images)
    if not isinstance(levels, kind):
        wanted = "a dictionary of levels" if kind is Mapping else "a list of maps"
        raise ValueError(
            f"backbone: expected {wanted} from it, got {type(levels).__name__} "
            f"from {type(backbone).__name__}"
        )
    return levels
