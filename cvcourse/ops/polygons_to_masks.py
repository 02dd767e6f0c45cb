"""Polygons to masks, exactly, many at a time."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_tensor


def polygons_to_masks(
    polygons: Float[Tensor, "n vertices 2"], size: tuple[int, int]
) -> Bool[Tensor, "n height width"]:
    """The pixels whose centres lie inside each polygon.

    Along each row of pixel centres an edge that crosses it flips all pixels from there on, so a
    pixel ends up inside if an odd number of edges lies to its left.

    Args:
        polygons: corners (x, y) in pixels, in order, the last joined to the first; (0, 0) is the
            outer corner of the first pixel, whose centre is (0.5, 0.5). May leave the picture.
        size: (height, width) of the masks.

    **Conventions**: even-odd, so a region that is covered twice is outside. A centre exactly on an
    edge belongs to one side only: polygons that share an edge share no pixel. A polygon with a
    corner that is not finite is empty. Half precision is computed in float32.
    """
    check_tensor("polygons", polygons)
    if polygons.ndim != 3 or polygons.shape[2] != 2:
        raise ValueError(f"polygons: expected shape (n, vertices, 2), got {tuple(polygons.shape)}")
    height, width = size
    (polygons,) = as_float(polygons)
    finite = polygons.isfinite().all(2).all(1)[:, None, None]
    x1, y1 = polygons[:, None].unbind(-1)  # (n, 1, V) each
    x2, y2 = polygons.roll(-1, dims=1)[:, None].unbind(-1)
    y = torch.arange(height, device=polygons.device, dtype=polygons.dtype)[:, None] + 0.5
    crosses = ((y1 <= y) != (y2 <= y)) & finite  # (n, H, V)
    x = x1 + (y - y1) * ((x2 - x1) / (y2 - y1).where(crosses, 1))
    first = (x - 0.5).ceil().clamp(0, width)  # first column whose centre is at or beyond x
    flips = torch.zeros(len(polygons), height, width + 1, device=x.device, dtype=torch.int32)
    flips.scatter_add_(2, first.nan_to_num(0).long(), crosses.int())
    return flips[..., :width].cumsum(2) % 2 == 1
