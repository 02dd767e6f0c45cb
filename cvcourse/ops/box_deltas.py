"""Boxes as a detector regresses them: shift and log-scale from an anchor."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Num
from torch import Tensor

from cvcourse.ops._checks import as_float, check_boxes, check_positive

CLIP = math.log(1000 / 16)  # exp of it is 62.5: the most that one step may enlarge


def encode_boxes(
    boxes: Num[Tensor, "*#batch 4"],
    anchors: Num[Tensor, "*#batch 4"],
    weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
) -> Float[Tensor, "*batch 4"]:
    """(dx, dy, dw, dh) that lead from anchors to boxes.

    dx = wx (cx - cx_a) / w_a and dw = ww log(w / w_a), the same for y and h.

    Args:
        boxes: targets (x1, y1, x2, y2), such as the matched ground truth.
        anchors: (x1, y1, x2, y2), anchors or proposals; shapes broadcast.
        weights: of the four deltas; (10, 10, 5, 5) makes Fast R-CNN's of unit variance.

    **Conventions**: a box without width has dw = -inf, an anchor without width inf or nan: drop
    both before. Half precision and integers are computed and returned in float32.
    Equals torchvision's `BoxCoder.encode_single`.

    Raises ValueError if a last axis is not 4 or a weight is not positive.

    Reference: Girshick et al., Rich feature hierarchies, 2013, arXiv:1311.2524, appendix C.
    """
    check_boxes("boxes", boxes)
    check_boxes("anchors", anchors)
    wx, wy, ww, wh = _four_weights(weights)
    boxes, anchors = as_float(boxes, anchors)
    x, y, width, height = _centre_and_size(boxes)
    x_a, y_a, width_a, height_a = _centre_and_size(anchors)
    dx = wx * (x - x_a) / width_a
    dy = wy * (y - y_a) / height_a
    dw = ww * torch.log(width / width_a)
    dh = wh * torch.log(height / height_a)
    return torch.stack((dx, dy, dw, dh), dim=-1)


def decode_boxes(
    deltas: Float[Tensor, "*#batch 4"],
    anchors: Num[Tensor, "*#batch 4"],
    weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
    clip: float = CLIP,
) -> Float[Tensor, "*batch 4"]:
    """The boxes (x1, y1, x2, y2) that `deltas` lead to: the inverse of `encode_boxes`.

    Args:
        deltas: (dx, dy, dw, dh); for several classes (n, classes, 4) with anchors (n, 1, 4).
        anchors, weights: as for `encode_boxes`.
        clip: dw and dh are clamped to it from above, before the exponential.

    **Conventions**: half precision is computed and returned in float32. Equals torchvision's
    `BoxCoder.decode_single`.

    Raises ValueError if a last axis is not 4 or a weight is not positive.
    """
    check_boxes("deltas", deltas)
    check_boxes("anchors", anchors)
    wx, wy, ww, wh = _four_weights(weights)
    deltas, anchors = as_float(deltas, anchors)
    dx, dy, dw, dh = deltas.unbind(-1)
    x_a, y_a, width_a, height_a = _centre_and_size(anchors)
    x = dx / wx * width_a + x_a
    y = dy / wy * height_a + y_a
    width = torch.exp((dw / ww).clamp(max=clip)) * width_a
    height = torch.exp((dh / wh).clamp(max=clip)) * height_a
    corners = [
        _step(c, size, half) for half in (-0.5, 0.5) for c, size in ((x, width), (y, height))
    ]
    return torch.stack(corners, dim=-1)


def _centre_and_size(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x1, y1, x2, y2 = boxes.unbind(-1)
    width, height = x2 - x1, y2 - y1
    return _step(x1, width, 0.5), _step(y1, height, 0.5), width, height


def _step(start: Tensor, size: Tensor, share: float) -> Tensor:
    """start + share * size, in one pass."""
    return torch.add(start, size, alpha=share)


def _four_weights(weights: Sequence[float]) -> Sequence[float]:
    if len(weights) != 4:
        raise ValueError(f"weights must be four numbers, got {len(weights)}")
    for weight in weights:
        check_positive("weights", weight)
    return weights
