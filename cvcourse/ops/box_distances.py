"""Boxes as an anchor-free detector regresses them: distances from a point to the four sides."""

import torch
from jaxtyping import Float, Num
from torch import Tensor

from cvcourse.ops._checks import as_float, check_boxes


def encode_distances(
    boxes: Num[Tensor, "*#batch 4"], anchors: Num[Tensor, "*#batch 4"], *, normalize: bool = True
) -> Float[Tensor, "*batch 4"]:
    """(left, top, right, bottom): how far the sides of boxes are from the centres of anchors.

    Args:
        boxes: targets (x1, y1, x2, y2).
        anchors: (x1, y1, x2, y2); shapes broadcast.
        normalize: divide by the width and height of the anchor, such as the stride.

    **Conventions**: negative where the centre lies outside the box; half precision and integers are
    computed and returned in float32. Equals torchvision's `BoxLinearCoder.encode`.

    Raises ValueError if a last axis is not 4.

    Reference: Tian et al., FCOS, 2019, arXiv:1904.01355.
    """
    check_boxes("boxes", boxes)
    check_boxes("anchors", anchors)
    boxes, anchors = as_float(boxes, anchors)
    centre, size = _centre_and_size(anchors)
    distances = torch.cat((centre - boxes[..., :2], boxes[..., 2:] - centre), dim=-1)
    return distances / torch.cat((size, size), dim=-1) if normalize else distances


def decode_distances(
    distances: Float[Tensor, "*#batch 4"],
    anchors: Num[Tensor, "*#batch 4"],
    *,
    normalize: bool = True,
) -> Float[Tensor, "*batch 4"]:
    """The boxes (x1, y1, x2, y2) with these distances: the inverse of `encode_distances`.

    **Conventions**: half precision is computed and returned in float32. Equals torchvision's
    `BoxLinearCoder.decode`.

    Raises ValueError if a last axis is not 4.
    """
    check_boxes("distances", distances)
    check_boxes("anchors", anchors)
    distances, anchors = as_float(distances, anchors)
    centre, size = _centre_and_size(anchors)
    if normalize:
        distances = distances * torch.cat((size, size), dim=-1)
    return torch.cat((centre - distances[..., :2], centre + distances[..., 2:]), dim=-1)


def _centre_and_size(anchors: Tensor) -> tuple[Tensor, Tensor]:
    return (anchors[..., :2] + anchors[..., 2:]) / 2, anchors[..., 2:] - anchors[..., :2]
