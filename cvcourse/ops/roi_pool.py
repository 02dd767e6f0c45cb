"""RoI pooling: the maximum in each cell of a grid laid over each region, in whole pixels."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Num
from torch import Tensor

from cvcourse.ops._checks import check_floating, check_ndim, check_positive, pair
from cvcourse.ops._rois import split_rois


def roi_pool(
    input: Float[Tensor, "batch channels height width"],
    boxes: Num[Tensor, "rois 5"] | Sequence[Num[Tensor, "_ 4"]],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
) -> Float[Tensor, "rois channels out_height out_width"]:
    """Largest value of the feature map in each cell of a grid laid over each box.

    Args:
        input: feature maps.
        boxes: (K, 5) of image index, x1, y1, x2, y2; or for each image an (n, 4).
        output_size: cells per box, one number or (height, width).
        spatial_scale: from the coordinates of the boxes to those of the map, such as 1/16.

    **Conventions**: corners are rounded half away from zero, both ends belong to the box, which is
    at least 1x1; cell i of P reaches from ⌊i h / P⌋ to ⌈(i + 1) h / P⌉; outside the map it is 0. No
    gradient to the boxes; of equal maxima one has the gradient. Equals torchvision's, but for cells
    that its float32 division shifts by a pixel. Not for `torch.compile(fullgraph=True)`: the number
    of pixels in a cell depends on values.

    Raises ValueError for wrong shapes, image indices out of range, or boxes that are not finite.

    Reference: Girshick, Fast R-CNN, 2015, arXiv:1504.08083.
    """
    check_ndim("input", input, "(batch, channels, height, width)")
    check_floating("input", input)
    check_positive("spatial_scale", spatial_scale)
    rows, columns = pair("output_size", output_size)
    image, rois = split_rois(boxes, input)
    rois = rois * spatial_scale
    if not rois.isfinite().all():
        raise ValueError("boxes must be finite")
    channels, height, width = input.shape[1:]
    if len(rois) and height * width == 0:
        raise ValueError("input must have at least one pixel where there are boxes")
    rois = torch.sign(rois) * torch.floor(rois.abs() + 0.5)  # half away from zero
    x1, y1, x2, y2 = rois.clamp(-(2**40), 2**40).long().unbind(1)
    top, bottom = _cells(y1, y2, rows, height)
    left, right = _cells(x1, x2, columns, width)
    maps = input.permute(0, 2, 3, 1).contiguous()  # (B, H, W, C)
    index = [image.new_empty(0, rows, columns, channels)]
    for i in range(len(rois)):
        cells = top[i], bottom[i], left[i], right[i]
        index.append(_argmax(maps[image[i]].detach(), *cells)[None])
    channel = torch.arange(channels, device=image.device)
    chosen = image[:, None, None, None], torch.cat(index), channel
    out = maps.flatten(1, 2)[chosen]  # (K, P, Q, C)
    empty = (top >= bottom)[:, :, None] | (left >= right)[:, None]  # (K, P, Q)
    return out.masked_fill(empty[..., None], 0).permute(0, 3, 1, 2).contiguous()


def _cells(first: Tensor, last: Tensor, cells: int, length: int) -> tuple[Tensor, Tensor]:
    """First pixel of each cell, and the one after its last; both (K, cells), cut at the map."""
    i = torch.arange(cells, device=first.device)
    first, size = first[:, None], (last - first + 1).clamp(min=1)[:, None]
    start = first + torch.div(i * size, cells, rounding_mode="floor")
    stop = first - torch.div(-(i + 1) * size, cells, rounding_mode="floor")
    return start.clamp(0, length), stop.clamp(0, length)


def _argmax(feature: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Flat index of the largest pixel in each cell, (P, Q, C): over rows, then over columns."""
    height, width = feature.shape[:2]
    y = _pixels(top, bottom, height)  # (P, m)
    x = _pixels(left, right, width)  # (Q, n)
    first = int(x[0, 0])
    value, row = feature[y, first : int(x[-1, -1]) + 1].max(dim=1)  # (P, W', C)
    row = y.gather(1, row.flatten(1)).view_as(row)
    column = value[:, x - first].max(dim=2).indices  # (P, Q, C); argmax is 15 times slower here
    column = x.gather(1, column.transpose(0, 1).flatten(1)).unflatten(1, (len(y), -1))
    column = column.transpose(0, 1)
    return row.gather(1, column - first) * width + column


def _pixels(start: Tensor, stop: Tensor, length: int) -> Tensor:
    """start ... stop - 1 of each cell, the last repeated to make all as long as the longest."""
    most = max(int((stop - start).max()), 1)
    pixels = start[:, None] + torch.arange(most, device=start.device)
    return torch.minimum(pixels, stop[:, None] - 1).clamp(0, length - 1)
