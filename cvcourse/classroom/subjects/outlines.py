"""Masks of boxes and of shapes, and how well one mask fits another."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.data.scenes.shapes import SHAPES


def filled(boxes: Float[Tensor, "n 4"], size: tuple[int, int]) -> Bool[Tensor, "n height width"]:
    """The mask of each box (x1, y1, x2, y2): pixels whose centre is inside."""
    y, x = (torch.arange(side) + 0.5 for side in size)
    x1, y1, x2, y2 = boxes[:, :, None].unbind(1)  # (n, 1) each
    return ((y1 < y) & (y < y2))[:, :, None] & ((x1 < x) & (x < x2))[:, None]


def mask_iou(
    a: Bool[Tensor, "*#batch height width"], b: Bool[Tensor, "*#batch height width"]
) -> Float[Tensor, "*batch"]:
    """The overlap of each mask with its counterpart; nan where both are empty."""
    return (a & b).sum((-2, -1)) / (a | b).sum((-2, -1))


def drawn(name: str, side: int = 200) -> Bool[Tensor, "1 side side"]:
    """The mask of a shape of `data.scenes`, such as "star", from its formula, upright and large."""
    place = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(place, place)
    return torch.from_numpy(SHAPES[name](x, y, (0.5, 0.5, 0.5, 0.5)) < 0)[None]


def filled_ellipses(
    boxes: Float[Tensor, "objects 4"], size: tuple[int, int]
) -> Bool[Tensor, "objects height width"]:
    """The ellipse inside each box: pixels whose middle lies in it."""
    x1, y1, x2, y2 = boxes[..., None, None].unbind(1)
    row, column = torch.meshgrid(*(torch.arange(side) + 0.5 for side in size), indexing="ij")
    across, along = (2 * column - x1 - x2) / (x2 - x1), (2 * row - y1 - y2) / (y2 - y1)
    return across**2 + along**2 < 1
