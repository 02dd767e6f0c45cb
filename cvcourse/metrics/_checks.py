"""What the metrics ask of their inputs, each said in one sentence."""

from collections.abc import Sequence
from operator import index

from torch import Tensor

from cvcourse.ops._checks import check_tensor, signed


def check_same_shape(preds: Tensor, target: Tensor, name: str = "preds") -> None:
    check_tensor(name, preds)
    check_tensor("target", target)
    if preds.shape != target.shape:
        raise ValueError(
            f"{name} and target must have the same shape, got {tuple(preds.shape)} "
            f"and {tuple(target.shape)}"
        )


def check_floating(name: str, values: Tensor) -> None:
    check_tensor(name, values)
    if not values.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {values.dtype}")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_positive(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be positive and finite, got {value}")


def check_count(name: str, value: int, least: int = 1) -> int:
    """As a Python integer, whatever kind of integer it was."""
    if not _is_count(value, least):
        raise ValueError(f"{name} must be an integer >= {least}, got {value}")
    return index(value)


def check_counts(name: str, values: Sequence[int]) -> list[int]:
    several = hasattr(values, "__len__") and len(values) > 0
    if not several or not all(_is_count(value, 1) for value in values):
        raise ValueError(f"{name} must hold one or more integers >= 1, got {values}")
    return [index(value) for value in values]


def _is_count(value: int, least: int) -> bool:
    return hasattr(value, "__index__") and least <= index(value) < 2**63


def check_fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")


def is_ignored(target: Tensor, ignore_index: int) -> Tensor:
    """Compared as int64: in 8 bits, 156 would equal -100."""
    return target.long() == ignore_index


def check_labels(name: str, labels: Tensor, num_classes: int) -> None:
    """`labels` are integers in [0, num_classes). Reads the values, so it waits for a GPU."""
    labels = signed(labels)
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"{name} must hold integer labels, got {labels.dtype}")
    if not labels.numel():
        return
    low, high = (int(bound) for bound in labels.aminmax())
    if low < 0 or high >= num_classes:
        raise ValueError(f"{name} must lie in [0, {num_classes - 1}], got {low} to {high}")
