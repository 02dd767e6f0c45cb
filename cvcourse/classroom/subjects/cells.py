"""What a lesson that counts cells needs: cells out of masks, their count, rivals."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from matplotlib.figure import Figure
from torch import Tensor, nn

from cvcourse.classroom.figures.pictures import show_gallery
from cvcourse.classroom.figures.pieces import paint_pieces
from cvcourse.metrics import confusion_matrix
from cvcourse.models import overlap_tile

TIMES = (0.7, 0.85, 1.0, 1.15)  # parts of Otsu's threshold
CUTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
FLOODS = tuple({"apart": a, "smoothing": s} for a in (3, 4, 5, 7) for s in (0.5, 1, 1.5, 2))


class Levels(NamedTuple):
    """What a map of probabilities is cut at, for each way to count by itself."""

    cut: float  # connected pieces above it are cells
    mask: float  # pixels above it are flooded
    flood: dict  # settings of `flooded`


def with_gaps(
    cells: Int64[Tensor, "images height width"],
) -> Int64[Tensor, "images height width"]:
    """Numbered cells without the pixels that have another cell in their 3 × 3 window."""
    number = cells.float()[:, None]
    highest = F.max_pool2d(number, 3, 1, padding=1)
    lowest = -F.max_pool2d(-number.where(number > 0, 1e6), 3, 1, padding=1)
    return cells.where((highest == lowest)[:, 0], 0)  # elsewhere background or two cells


def other_recipes(
    cells: Int64[Tensor, "images height width"], ridge: Float[Tensor, "images height width"]
) -> dict[str, tuple[Tensor, Tensor]]:
    """(target, weights) by name: a ridge four times as high; gaps as a class of their own.

    ridge: weights of `cells` with gaps, 1 far from gaps.
    """
    gapped = with_gaps(cells) > 0
    classes = (cells > 0).long() + ((cells > 0) & ~gapped)  # background, cell, gap
    return {
        "ridge of 40": (gapped, 1 + 4 * (ridge - 1)),
        "three classes": (classes, torch.ones_like(ridge)),
    }


def standard(images: Float[Tensor, "images 1 height width"]) -> Tensor:
    """Each picture with mean 0 and standard deviation 1, so that exposure does not matter."""
    return (images - images.mean((-2, -1), keepdim=True)) / images.std((-2, -1), keepdim=True)


@torch.no_grad()
def cell_probability(
    unet: nn.Module, images: Float[Tensor, "images 1 side side"]
) -> Float[Tensor, "images side side"]:
    """How likely each pixel is "cell", of two classes, from a trained `UNet` in evaluation mode.

    Pictures are standardised, and mirrored at their edges. The answer is on the CPU.
    """
    unet.eval()
    device = next(unet.parameters()).device
    tile = {"tile": images.shape[-1], "margin": unet.margin, "stride": unet.stride}
    parts = standard(images).to(device).split(20)
    return torch.cat([overlap_tile(unet, x, **tile).softmax(1)[:, 1].cpu() for x in parts])


def cells_of(
    mask: Bool[Tensor, "height width"] | np.ndarray, *, least: int = 20
) -> Int64[Tensor, "height width"]:
    """Connected pieces of a mask that has gaps between cells, numbered 1, 2, ...

    Pieces of fewer than `least` pixels are dropped. The others get back the ring of one pixel that
    the gaps took from them. Connected are neighbours in a row or column.
    """
    from scipy import ndimage
    from skimage.segmentation import expand_labels

    pieces = ndimage.label(np.asarray(mask))[0]
    large = np.bincount(pieces.ravel()) >= least
    large[0] = False
    return torch.from_numpy(expand_labels(ndimage.label(large[pieces])[0], 1)).long()


def compare_cells(
    pieces: Int64[Tensor, "height width"], cells: Int64[Tensor, "height width"]
) -> Int64[Tensor, " 4"]:
    """(matched, pieces, cells, merged) of numbered pieces against the true, numbered cells.

    A piece and a cell match when their IoU is above one half; then neither can match another one.
    A cell is merged when most of it lies in a piece that holds most of another cell, too.
    """
    count = int(max(pieces.max(), cells.max())) + 1
    shared = confusion_matrix(pieces, cells, count)  # (cell, piece), pixels
    union = shared.sum(1, keepdim=True) + shared.sum(0) - shared
    matched = (shared / union)[1:, 1:] > 0.5
    inside = (shared > shared.sum(1, keepdim=True) / 2)[1:, 1:]
    merged = inside[:, inside.sum(0) > 1].sum()
    return torch.stack([matched.sum(), pieces.max(), cells.max(), merged])


def count_cells(
    pieces: Sequence[Int64[Tensor, "height width"]], cells: Int64[Tensor, "images height width"]
) -> Int64[Tensor, "images 4"]:
    """`compare_cells` of each picture."""
    return torch.stack([compare_cells(p, c) for p, c in zip(pieces, cells, strict=True)])


def f1_of(counts: Tensor) -> float:
    """2 matched / (pieces + cells), of counts as in `compare_cells`, or of their sum."""
    matched, pieces, cells, _ = counts.tolist()
    return 2 * matched / max(pieces + cells, 1)


def f1(
    pieces: Sequence[Int64[Tensor, "height width"]], cells: Int64[Tensor, "images height width"]
) -> float:
    """F1 of all pictures together: `f1_of` the sum of `count_cells`."""
    return f1_of(count_cells(pieces, cells).sum(0))


def best_setting(
    settings: Sequence,
    pieces_of: Callable[..., Sequence[Int64[Tensor, "height width"]]],
    cells: Int64[Tensor, "images height width"],
) -> tuple:
    """(setting, its F1): the one of `settings` whose `pieces_of(setting)` count `cells` best."""
    scores = [f1(pieces_of(setting), cells) for setting in settings]
    best = int(np.argmax(scores))
    return settings[best], scores[best]


def otsu_mask(
    image: Float[Tensor, "1 height width"], *, times: float = 1.0
) -> Bool[Tensor, "height width"]:
    """What is brighter than `times` Otsu's threshold, blurred by a pixel, without single pixels."""
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    smooth = ndimage.gaussian_filter(image[0].numpy(), 1)
    return torch.from_numpy(ndimage.binary_opening(smooth > times * threshold_otsu(smooth)))


def flooded(
    mask: Bool[Tensor, "height width"], *, apart: int, smoothing: float
) -> Int64[Tensor, "height width"]:
    """Cells of a mask without gaps by watershed, flooded from peaks of the distance to outside.

    apart: pixels between peaks at least. smoothing: of the distances, standard deviation in pixels.
    """
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    mask = np.asarray(mask)
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), smoothing)
    peaks = peak_local_max(depth, min_distance=apart, labels=mask.astype(int), exclude_border=False)
    seeds = np.zeros(mask.shape, int)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return torch.from_numpy(watershed(-depth, seeds, mask=mask)).long()


def cut_at(
    threshold: float, likely: Float[Tensor, "images height width"]
) -> list[Int64[Tensor, "height width"]]:
    """`cells_of` the pixels above a threshold, for each picture."""
    return [cells_of(p > threshold) for p in likely]


def flood_all(
    settings: Mapping[str, float], masks: Sequence[Bool[Tensor, "height width"]]
) -> list[Int64[Tensor, "height width"]]:
    """`flooded` with the same settings for each mask."""
    return [flooded(mask, **settings) for mask in masks]


def tuned_watershed(
    images: Float[Tensor, "images 1 height width"], cells: Int64[Tensor, "images height width"]
) -> tuple[dict, float, float]:
    """(settings of `flooded`, part of Otsu's threshold, F1): those that count `cells` best.

    First the best of FLOODS on Otsu's own threshold, then the best of TIMES for them.
    """
    masks = {times: [otsu_mask(image, times=times) for image in images] for times in TIMES}
    flood, _ = best_setting(FLOODS, lambda s: flood_all(s, masks[1.0]), cells)
    return flood, *best_setting(TIMES, lambda times: flood_all(flood, masks[times]), cells)


def chosen_levels(
    likely: Float[Tensor, "images height width"], cells: Int64[Tensor, "images height width"]
) -> Levels:
    """The levels that count `cells` best.

    As in `tuned_watershed`, first the best of FLOODS at one half, then the best of CUTS for it.
    """
    cut, _ = best_setting(CUTS, lambda t: cut_at(t, likely), cells)
    flood, _ = best_setting(FLOODS, lambda s: flood_all(s, likely > 0.5), cells)
    mask, _ = best_setting(CUTS, lambda t: flood_all(flood, likely > t), cells)
    return Levels(cut, mask, flood)


def cell_scores(
    likely: Float[Tensor, "images height width"],
    cells: Int64[Tensor, "images height width"],
    levels: Levels,
) -> tuple[dict[str, float], Int64[Tensor, "images 4"]]:
    """({"F1", "F1 flooded"}, counts of each picture by its pieces above `levels.cut`)."""
    own = count_cells(cut_at(levels.cut, likely), cells)
    after = count_cells(flood_all(levels.flood, likely > levels.mask), cells)
    return {"F1": f1_of(own.sum(0)), "F1 flooded": f1_of(after.sum(0))}, own


def judge(
    unet: nn.Module,
    choice: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    seen: tuple[Tensor, Tensor],
    *,
    count: str = "F1",
) -> tuple[dict[str, float], dict]:
    """(numbers of one network, what they were made of), on sets of (images, cells).

    Levels are chosen on `choice`. The numbers are `cell_scores` of `test`; the one of them that
    `count` names, on `choice` ("F1 validation") and `seen` ("F1 training"); and the level "cut".
    """
    chosen, likely, learnt = (cell_probability(unet, x) for x, _ in (choice, test, seen))
    levels = chosen_levels(chosen, choice[1])
    numbers, counts = cell_scores(likely, test[1], levels)
    numbers["F1 validation"] = cell_scores(chosen, choice[1], levels)[0][count]
    numbers["F1 training"] = cell_scores(learnt, seen[1], levels)[0][count]
    numbers["cut"] = levels.cut
    return numbers, {"likely": likely, "counts": counts, "levels": levels}


def show_cells(
    images: Sequence[Float[Tensor, "1 height width"]],
    rows: Mapping[str, Sequence[Int64[Tensor, "height width"]] | None],
    captions: Sequence[Sequence[str]],
    *,
    title: str,
) -> Figure:
    """Pictures in columns, and in each row by its name the pieces found in them (None: nothing)."""
    none = [torch.zeros(image.shape[-2:], dtype=torch.int64) for image in images]
    painted = []
    for pieces in rows.values():
        pairs = zip(images, none if pieces is None else pieces, strict=True)
        painted.append([paint_pieces(image, piece) for image, piece in pairs])
    return show_gallery(painted, list(rows), captions=captions, title=title)
