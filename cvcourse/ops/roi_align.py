"""RoIAlign: a grid of bilinear samples inside every region, without rounding anything."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Num
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim, check_positive, pair
from cvcourse.ops._rois import split_rois

MOST_TERMS = 1 << 24  # weighted pixels in one go, about 200 MB


def roi_align(
    input: Float[Tensor, "batch channels height width"],
    boxes: Num[Tensor, "rois 5"] | Sequence[Num[Tensor, "_ 4"]],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Float[Tensor, "rois channels out_height out_width"]:
    """Average of bilinear samples of the feature map in each cell of a grid laid over each box.

    Args:
        input: feature maps.
        boxes: (K, 5) of image index, x1, y1, x2, y2; or for each image an (n, 4).
        output_size: cells per box, one number or (height, width).
        spatial_scale: from the coordinates of the boxes to those of the map, such as 1/16.
        sampling_ratio: samples per cell in each direction; 0 or less: ceil(box / output) of them,
            about one per pixel, chosen for each box.
        aligned: True puts pixel centres at half coordinates, as they are. False, the default for
            the sake of models trained so, is half a pixel off and makes boxes at least 1x1.

    **Conventions**: a sample more than one pixel outside the map counts as 0, nearer ones take the
    border's value; without samples (empty or malformed box, aligned, adaptive) a cell is 0; nan
    stays nan. No gradient to the boxes. Half precision is computed in float32. Equals torchvision's
    C++ kernel, not its Python fallback. `torch.compile(fullgraph=True)` needs `sampling_ratio > 0`.

    Raises ValueError for wrong shapes, image indices out of range (on a GPU the device asserts),
    and an adaptive box that would take over 4 million samples: clip it or set `sampling_ratio`.

    Reference: He et al., Mask R-CNN, 2017, arXiv:1703.06870.
    """
    check_ndim("input", input, "(batch, channels, height, width)")
    check_floating("input", input)
    check_positive("spatial_scale", spatial_scale)
    image, rois = split_rois(boxes, len(input))
    level = torch.zeros_like(image)
    return align_levels(
        [input], level, image, rois * spatial_scale, output_size, sampling_ratio, aligned
    )


def align_levels(
    maps: Sequence[Tensor],
    level: Tensor,
    image: Tensor,
    rois: Tensor,
    output_size: int | Sequence[int],
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """`roi_align` of RoIs that lie on different maps, in the coordinates of their own map."""
    bins = pair("output_size", output_size)
    heights, widths = [m.shape[2] for m in maps], [m.shape[3] for m in maps]
    if len(rois) and min(*heights, *widths) == 0:
        raise ValueError("input must have at least one pixel where there are boxes")
    table = torch.cat([m.permute(0, 2, 3, 1).flatten(0, 2) for m in maps])  # (pixels, C)
    features, rois = as_float(table, rois)
    pixels = [len(m) * h * w for m, h, w in zip(maps, heights, widths, strict=True)]
    firsts = [sum(pixels[:i]) for i in range(len(pixels))]
    height, width, first = torch.tensor((heights, widths, firsts), device=level.device)[:, level]
    first = first + image * height * width  # (K,), row of the top left pixel of its map

    if aligned:
        rois = rois - 0.5
    size = rois[:, 2:] - rois[:, :2]  # (K, xy)
    if not aligned:
        size = size.clamp(min=1)
    boxes = torch.cat((rois[:, :2], size), dim=1)  # (K, x y width height)
    where = torch.stack((first, height, width), dim=1)  # (K, 3)
    if sampling_ratio > 0:
        samples = (sampling_ratio, sampling_ratio)
        out = _weighted_sums(features, *_terms(boxes, where, bins, samples))
    else:
        out = _align_adaptively(features, boxes, where, bins)
    out = out.unflatten(0, (len(rois), *bins))  # (K, P, Q, C)
    return out.permute(0, 3, 1, 2).contiguous().to(table.dtype)


def _terms(
    boxes: Tensor, where: Tensor, bins: tuple[int, int], samples: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Rows of the table, and weights, that each cell of each box sums: both (K P Q, terms)."""
    x, y, width, height = boxes.unbind(1)
    first, map_height, map_width = where.unbind(1)
    row, row_weight = _axis_terms(y, height, map_height, bins[0], samples[0])  # (K, P, 2n)
    column, column_weight = _axis_terms(x, width, map_width, bins[1], samples[1])  # (K, Q, 2n)
    row = first[:, None, None] + row * map_width[:, None, None]
    pixel = row[:, :, None, :, None] + column[:, None, :, None, :]  # (K, P, Q, 2n, 2n)
    weight = row_weight[:, :, None, :, None] * column_weight[:, None, :, None, :]
    return pixel.flatten(3).flatten(0, 2), weight.flatten(3).flatten(0, 2)


def _axis_terms(
    start: Tensor, size: Tensor, length: Tensor, bins: int, samples: int
) -> tuple[Tensor, Tensor]:
    """The same along one axis: each sample lies between two pixels. Both (K, bins, 2 samples)."""
    start, size, length = (t[:, None, None] for t in (start, size, length))
    cell = size / bins
    inside_cell = (torch.arange(samples, device=start.device) + 0.5) * cell / samples
    position = start + torch.arange(bins, device=start.device)[:, None] * cell + inside_cell
    outside = (position < -1) | (position > length)
    position = torch.minimum(position.clamp(min=0), length - 1)
    low = position.floor()
    fraction = position - low
    low = low.nan_to_num(0).long()
    weight = torch.cat((1 - fraction, fraction), dim=2).masked_fill(outside.repeat(1, 1, 2), 0)
    return torch.cat((low, torch.minimum(low + 1, length - 1)), dim=2), weight / samples


def _weighted_sums(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Row i of the result is the sum over j of weight[i, j] * table[index[i, j]]."""
    return F.embedding_bag(index, table, mode="sum", per_sample_weights=weight.to(table.dtype))


def _align_adaptively(table: Tensor, boxes: Tensor, where: Tensor, bins: tuple[int, int]) -> Tensor:
    """Boxes that take equally many samples go together."""
    size = boxes[:, 2:].nan_to_num(1, posinf=1).clamp(min=0)
    samples = torch.ceil(size / size.new_tensor((bins[1], bins[0])))  # (K, xy)
    if (samples.prod(1) * 4 * bins[0] * bins[1] > MOST_TERMS).any():
        raise ValueError(
            f"boxes: one of {size.prod(1).max().item():.3g} square pixels takes too many samples; "
            "clip it to the image or set sampling_ratio"
        )
    cells = bins[0] * bins[1]
    out = table.new_zeros(len(boxes), cells, table.shape[1])
    kinds, kind = samples.long().unique(dim=0, return_inverse=True)
    for number, (nx, ny) in enumerate(kinds.tolist()):
        if nx and ny:
            for chosen in (
                (kind == number).nonzero().squeeze(1).split(MOST_TERMS // (4 * cells * nx * ny))
            ):
                terms = _terms(boxes[chosen], where[chosen], bins, (ny, nx))
                out = out.index_copy(
                    0, chosen, _weighted_sums(table, *terms).unflatten(0, (-1, cells))
                )
    return out.flatten(0, 1)
