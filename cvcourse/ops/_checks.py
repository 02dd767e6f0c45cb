"""What the ops ask of their inputs, each said in one sentence, and the dtype they compute in."""

from collections.abc import Sequence, Sized
from functools import reduce

import torch
from torch import Tensor
from torch.nn import Parameter


def check_tensor(name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"{name} must be a tensor, got {type(value)}")


def check_rgb(name: str, images: Tensor) -> None:
    """A batch of pictures with three channels."""
    check_tensor(name, images)
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"{name} must have shape (B, 3, H, W), got {tuple(images.shape)}")


def check_boxes(name: str, boxes: Tensor, axes: str = "(..., 4)") -> None:
    """`axes`, "(..., 4)" or "(..., n, 4)", says how many there are at least."""
    check_tensor(name, boxes)
    if boxes.ndim < axes.count(",") or boxes.shape[-1] != 4:
        raise ValueError(f"{name} must have shape {axes}, got {tuple(boxes.shape)}")
    if boxes.dtype == torch.bool or boxes.is_complex():
        raise ValueError(f"{name} must hold real numbers, got {boxes.dtype}")


def check_floating(name: str, values: Tensor) -> None:
    check_tensor(name, values)
    if not values.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {values.dtype}")


def check_ndim(name: str, values: Tensor, axes: str) -> None:
    """`axes` names them, as in "(batch, channels, height, width)"."""
    check_tensor(name, values)
    if values.ndim != axes.count(",") + 1:
        raise ValueError(f"{name} must have shape {axes}, got {tuple(values.shape)}")


def check_mask(name: str, mask: Tensor, shape: Sequence[int]) -> None:
    check_tensor(name, mask)
    if mask.dtype != torch.bool or mask.shape != tuple(shape):
        raise ValueError(
            f"{name} must be bool of shape {tuple(shape)}, got {mask.dtype} {tuple(mask.shape)}"
        )


def check_same_length(name1: str, values1: Sized, name2: str, values2: Sized) -> None:
    if len(values1) != len(values2):
        raise ValueError(
            f"{name1} and {name2} must have the same length, got {len(values1)} and {len(values2)}"
        )


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")


def check_positive(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be positive and finite, got {value}")


def pair(name: str, value: int | Sequence[int], least: int = 1) -> tuple[int, int]:
    """(height, width) of whole numbers from one number or two."""
    both = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(both) != 2 or any(not least <= v < 2**63 or v != int(v) for v in both):
        raise ValueError(f"{name} must be one or two integers >= {least}, got {value}")
    return int(both[0]), int(both[1])


def is_transformed() -> bool:
    """Within `torch.func.grad`, `vmap` and their kind: a custom autograd function cannot follow."""
    return not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()


def numbers(tensor: Tensor) -> list:
    """`tensor.tolist()`, also within `torch.func`, where PyTorch before 2.10 refuses it."""
    if is_transformed():
        return [numbers(part) if part.ndim else part.item() for part in tensor]
    return tensor.tolist()


def is_readable(tensor: Tensor) -> bool:
    """It has values to look at: neither compiled, transformed, fake, nor of another subclass."""
    kind = type(tensor) in (Tensor, Parameter) and tensor.device.type != "meta"
    return kind and not torch.compiler.is_compiling() and not is_transformed()


def is_plain(tensor: Tensor) -> bool:
    """Its values can be looked at without waiting for a GPU."""
    return tensor.device.type == "cpu" and is_readable(tensor)


def signed(labels: Tensor) -> Tensor:
    """uint16, uint32 and uint64 as int64: PyTorch compares and counts nearly nothing in them."""
    unsigned = (torch.uint16, torch.uint32, torch.uint64)
    return labels.long() if labels.dtype in unsigned else labels


def is_binary(masks: Tensor) -> bool:
    """Whether masks are bool, or hold 0 and 1 alone. Reads them, so it waits for a GPU."""
    return masks.dtype == torch.bool or bool(((masks == 0) | (masks == 1)).all())


def what_is_in(values: Tensor) -> str:
    """For a sentence about wrong values: "torch.uint8 from 0 to 255"."""
    low, high = (bound.item() for bound in values.aminmax())
    return f"{values.dtype} from {low} to {high}"


def widened(boxes: Tensor) -> Tensor:
    """Half precision as float32 and integers as int64, in which coordinates keep their digits."""
    return as_float(boxes)[0] if boxes.is_floating_point() else boxes.long()


def as_float(*tensors: Tensor) -> tuple[Tensor, ...]:
    """In one floating dtype, float32 at least: what halves and integers are computed in."""
    dtype = reduce(torch.promote_types, (t.dtype for t in tensors), torch.float32)
    return tuple(t.to(dtype) for t in tensors)
