"""RoIAlign: a grid of bilinear samples inside every region, without rounding anything."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Num
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim, check_positive, numbers, pair
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

    Raises ValueError for wrong shapes, image indices out of range, and more than 4 million samples
    for one box, which a huge box takes adaptively: clip it or set `sampling_ratio`.

    Reference: He et al., Mask R-CNN, 2017, arXiv:1703.06870.
    """
    check_ndim("input", input, "(batch, channels, height, width)")
    check_floating("input", input)
    check_positive("spatial_scale", spatial_scale)
    image, rois = split_rois(boxes, input)
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
    like = {"dtype": torch.int32, "device": level.device}
    height, width, first = torch.tensor((heights, widths, firsts), **like)[:, level]
    first = first + image.int() * height * width  # row of the table that has its top left pixel
    places = torch.stack((first, height, width), dim=1)  # (K, 3)

    if aligned:
        rois = rois - 0.5
    size = rois[:, 2:] - rois[:, :2]
    if not aligned:
        size = size.clamp(min=1)
    boxes = torch.cat((rois[:, :2], size), dim=1)  # (K, x y width height)

    if sampling_ratio > 0:
        if 4 * bins[0] * bins[1] * sampling_ratio**2 > MOST_TERMS:
            raise ValueError(f"sampling_ratio is too large for {bins} cells, got {sampling_ratio}")
        out = _sample(features, boxes, places, bins, (sampling_ratio, sampling_ratio))
    else:
        out = _sample_adaptively(features, boxes, places, bins)
    return out.permute(0, 3, 1, 2).contiguous().to(table.dtype)  # (K, C, P, Q)


def _sample(
    table: Tensor, boxes: Tensor, places: Tensor, bins: tuple[int, int], samples: tuple[int, int]
) -> Tensor:
    """Each cell of each box is a weighted sum of rows of `table`, (K, P, Q, C)."""
    most = MOST_TERMS // (4 * bins[0] * bins[1] * samples[0] * samples[1])
    if len(boxes) > most:
        parts = zip(boxes.split(most), places.split(most), strict=True)
        return torch.cat([_sample(table, *part, bins, samples) for part in parts])
    x, y, width, height = boxes.unbind(1)
    first, map_height, map_width = places.unbind(1)
    row, row_weight = _axis(y, height, map_height, bins[0], samples[0])  # (K, P, 2n)
    column, column_weight = _axis(x, width, map_width, bins[1], samples[1])  # (K, Q, 2n)
    row = first[:, None, None] + row * map_width[:, None, None]
    pixel = row[:, :, None, :, None] + column[:, None, :, None, :]  # (K, P, Q, 2n, 2n)
    weight = row_weight[:, :, None, :, None] * column_weight[:, None, :, None, :]
    out = F.embedding_bag(
        pixel.flatten(3).flatten(0, 2),
        table,
        mode="sum",
        per_sample_weights=weight.flatten(3).flatten(0, 2),
    )
    return out.unflatten(0, (len(boxes), *bins))


def _axis(
    start: Tensor, size: Tensor, length: Tensor, bins: int, samples: int
) -> tuple[Tensor, Tensor]:
    """Along an axis: the two pixels around each sample, and their weights; (K, bins, 2 samples)."""
    start, size, length = (t[:, None, None] for t in (start, size, length))
    like = {"device": start.device, "dtype": start.dtype}
    cell = torch.arange(bins, **like)[:, None]
    sample = torch.arange(samples, **like)
    position = start + cell * (size / bins) + (sample + 0.5) * (size / bins) / samples
    outside = (position < -1) | (position > length)
    position = torch.minimum(position.clamp(min=0), length - 1)
    low = position.floor()
    fraction = position - low
    weight = torch.cat((1 - fraction, fraction), dim=2) / samples
    low = low.nan_to_num(0).int()
    pixel = torch.cat((low, torch.minimum(low + 1, length - 1)), dim=2)
    return pixel, weight.masked_fill(outside.repeat(1, 1, 2), 0)


def _sample_adaptively(
    table: Tensor, boxes: Tensor, places: Tensor, bins: tuple[int, int]
) -> Tensor:
    """`_sample` with ceil(size / bins) samples; boxes that take equally many go together."""
    size = boxes[:, 2:].nan_to_num(1, posinf=1).clamp(min=0)
    samples = torch.ceil(size / size.new_tensor((bins[1], bins[0])))  # (K, xy)
    terms = 4 * bins[0] * bins[1] * samples.prod(1)  # of each box
    if (terms > MOST_TERMS).any():
        raise ValueError(
            f"boxes: one takes {terms.max().item() / 4:.3g} samples, {MOST_TERMS // 4} at most; "
            "clip it to the image or set sampling_ratio"
        )
    kinds, kind, counts = samples.int().unique(dim=0, return_inverse=True, return_counts=True)
    order = kind.argsort()
    done = [_sample(table, boxes[:0], places[:0], bins, (1, 1))]  # connected even if all are empty
    groups = order.split(numbers(counts))
    for (nx, ny), group in zip(numbers(kinds), groups, strict=True):
        if nx * ny == 0:
            done.append(table.new_zeros(len(group), *bins, table.shape[1]))
        else:
            done.append(_sample(table, boxes[group], places[group], bins, (ny, nx)))
    return torch.cat(done)[order.argsort()]
