"""What the losses ask of their arguments, in one place, so that the sentences are alike."""

from collections.abc import Sequence

from torch import Tensor

from cvcourse.ops._checks import check_tensor, is_plain, signed

REDUCTIONS = ("none", "mean", "sum")


def check_choice(name: str, value: object, choices: tuple) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")


def check_range(name: str, value: float, low: float, high: float = float("inf")) -> None:
    if not low <= value <= high:  # nan fails as well
        raise ValueError(f"{name} must be a number in [{low}, {high}], got {value!r}")


def check_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} must be a number above 0, got {value!r}")


def check_floating(name: str, tensor: Tensor) -> None:
    check_tensor(name, tensor)
    if not tensor.is_floating_point():
        raise ValueError(f"{name} must be a floating point tensor, got {tensor.dtype}")


def check_integers(name: str, tensor: Tensor) -> None:
    check_tensor(name, tensor)
    if tensor.is_floating_point() or tensor.is_complex():
        raise ValueError(f"{name} must be integers, got {tensor.dtype}")


def check_same_shape(name: str, tensor: Tensor, other_name: str, other: Tensor) -> None:
    check_tensor(name, tensor)
    check_tensor(other_name, other)
    if tensor.shape != other.shape:
        raise ValueError(
            f"{name} must have the shape of {other_name}, {tuple(other.shape)}, "
            f"got {tuple(tensor.shape)}"
        )


def check_matrix(name: str, tensor: Tensor) -> None:
    """Floating point (N, D)."""
    check_floating(name, tensor)
    if tensor.ndim != 2:
        raise ValueError(f"{name} must have shape (N, D), got {tuple(tensor.shape)}")


def check_logits(name: str, logits: Tensor) -> None:
    """Floating point (B, C, ...) with C >= 1."""
    check_floating(name, logits)
    if logits.ndim < 2 or logits.shape[1] == 0:
        raise ValueError(f"{name} must have shape (batch, classes, ...), got {tuple(logits.shape)}")


def check_class_map(target: Tensor, logits: Tensor) -> None:
    """One integer label (B, ...) for each position of the logits (B, C, ...)."""
    check_tensor("target", target)
    positions = logits.shape[:1] + logits.shape[2:]
    if target.shape != positions:
        raise ValueError(f"target must have shape {tuple(positions)}, got {tuple(target.shape)}")
    check_integers("target", target)


def check_embeddings(embeddings: Tensor, labels: Tensor) -> None:
    """Embeddings (N, D) and one integer label (N,) for each."""
    check_matrix("embeddings", embeddings)
    check_tensor("labels", labels)
    if labels.shape != embeddings.shape[:1]:
        raise ValueError(f"labels must have shape ({len(embeddings)},), got {tuple(labels.shape)}")
    check_integers("labels", labels)


def is_ignored(labels: Tensor, ignore_index: int) -> Tensor:
    """Where `labels` are `ignore_index`; in eight bits, -100 would equal 156."""
    return (labels if labels.is_floating_point() else labels.long()) == ignore_index


def check_values(name: str, tensor: Tensor, high: int, ignore_index: int | None = None) -> None:
    """Values in [0, high], nan, or `ignore_index`; looked at on the CPU only."""
    if not is_plain(tensor) or not tensor.numel():
        return
    tensor = signed(tensor)
    smallest, largest = tensor.aminmax()
    if smallest >= 0 and largest <= high:
        return
    wrong = (tensor < 0) | (tensor > high)
    if ignore_index is not None:
        wrong &= ~is_ignored(tensor, ignore_index)
    if wrong.any():
        allowed = f"[0, {high}]" + ("" if ignore_index is None else f" or {ignore_index}")
        raise ValueError(f"{name} must have values in {allowed}, got {tensor[wrong][0].item()}")


def check_layers(
    features: Sequence[Tensor], target_features: Sequence[Tensor], weights: Sequence[float] | None
) -> Sequence[float]:
    """At least one layer, as many targets, and as many weights, which are 1 if not given."""
    if not len(features):
        raise ValueError("features must hold at least one layer, got none")
    if len(target_features) != len(features):
        raise ValueError(
            f"target_features must hold {len(features)} layers, got {len(target_features)}"
        )
    for i, (x, y) in enumerate(zip(features, target_features, strict=True)):
        check_floating(f"features[{i}]", x)
        check_floating(f"target_features[{i}]", y)
    if weights is None:
        return [1.0] * len(features)
    if len(weights) != len(features):
        raise ValueError(f"weights must be {len(features)}, one for each layer, got {len(weights)}")
    return weights
