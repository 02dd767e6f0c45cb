"""What a lesson that counts cells needs: cells out of masks, their count, rivals, marked nuclei."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures.pictures import draw_image, show_gallery
from cvcourse.classroom.figures.pieces import paint_pieces
from cvcourse.classroom.figures.style import VERMILION, WIDTH, describe
from cvcourse.data import pictures
from cvcourse.metrics import boundary_iou, confusion_matrix, mean_iou

# centres of nuclei in the picture "immunohistochemistry", (x, y), marked by eye for this course
_BY_EYE = (
    (242, 250), (221, 258), (275, 240), (304, 241), (297, 251), (299, 260), (267, 254),
    (275, 256), (260, 265), (271, 271), (239, 273), (247, 270), (229, 277), (231, 287),
    (242, 288), (229, 298), (230, 309), (255, 290), (289, 270), (296, 280), (286, 294),
)  # fmt: skip
_TOP, _LEFT, _HEIGHT, _WIDTH, _ZOOM = 236, 214, 80, 96, 1.5


TIMES = (0.7, 0.85, 1.0, 1.15)  # parts of Otsu's threshold
CUTS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99, 0.995)
FLOODS = tuple({"apart": a, "smoothing": s} for a in (2, 3, 4, 5) for s in (0.5, 1, 1.5))


class Levels(NamedTuple):
    """What a map of probabilities is cut at, for each purpose by itself."""

    cut: float  # connected pieces above it are cells
    level: float  # pixels above it are cell
    mask: float  # pixels above it are flooded
    flood: dict  # settings of `flooded`


class Nuclei(NamedTuple):
    stain: Float[Tensor, "1 1 height width"]  # how much blue stain, bright where nuclei are
    photograph: Float[Tensor, "3 height width"]
    marks: tuple[tuple[int, int], ...]  # (x, y) of each nucleus

    def tally(self, pieces: Int64[Tensor, "height width"]) -> tuple[int, int, int, int]:
        """(found, merged, lost, unmarked): marks alone in their piece, that share one, in none.

        unmarked: pieces without a mark.
        """
        at = torch.tensor([int(pieces[y, x]) for x, y in self.marks])
        inside = at[at > 0]
        sharing = (inside[:, None] == inside).sum(1)
        unmarked = len(pieces[pieces > 0].unique()) - len(inside.unique())
        found, merged = int((sharing == 1).sum()), int((sharing > 1).sum())
        return found, merged, int((at == 0).sum()), unmarked


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


def best_setting(
    settings: Sequence,
    pieces_of: Callable[..., Sequence[Int64[Tensor, "height width"]]],
    cells: Int64[Tensor, "images height width"],
) -> tuple:
    """(setting, its F1): the one of `settings` whose `pieces_of(setting)` count `cells` best."""
    scores = [f1_of(count_cells(pieces_of(setting), cells).sum(0)) for setting in settings]
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
    likely: Float[Tensor, "images height width"],
    cells: Int64[Tensor, "images height width"],
    wanted: Bool[Tensor, "images height width"],
    *,
    at_half: bool = False,
) -> Levels:
    """The best of CUTS for counting pieces, for the IoU of pixels, and for flooding.

    Settings of the flood are the best of FLOODS, on the mask that is best for the usual ones.

    likely: probabilities of "cell". cells: true numbers. wanted: pixels that should be cell.
    at_half: choose the cut and the settings alone; pixels and masks are taken at 0.5.
    """
    cut, _ = best_setting(CUTS, lambda t: cut_at(t, likely), cells)
    level = mask = 0.5
    if not at_half:
        level = max(CUTS, key=lambda t: _pixel_iou(likely > t, wanted))
        usual = {"apart": 4, "smoothing": 1}
        mask, _ = best_setting(CUTS, lambda t: flood_all(usual, likely > t), cells)
    flood, _ = best_setting(FLOODS, lambda s: flood_all(s, likely > mask), cells)
    return Levels(cut, level, mask, flood)


def cell_scores(
    likely: Float[Tensor, "images height width"],
    cells: Int64[Tensor, "images height width"],
    wanted: Bool[Tensor, "images height width"],
    levels: Levels,
) -> tuple[dict[str, float], Int64[Tensor, "images 4"]]:
    """(scores by name, counts of each picture by threshold).

    "cut"; "F1" and "merged" (cells) by threshold and "flooded"; "IoU" of pixels and "edges", their
    boundary IoU.
    """
    own = count_cells(cut_at(levels.cut, likely), cells)
    after = count_cells(flood_all(levels.flood, likely > levels.mask), cells)
    pixels = likely > levels.level
    scores = {
        "cut": levels.cut,
        "F1": f1_of(own.sum(0)),
        "F1 flooded": f1_of(after.sum(0)),
        "merged": own[:, 3].sum(),
        "merged flooded": after[:, 3].sum(),
        "IoU": _pixel_iou(pixels, wanted),
        "edges": boundary_iou(pixels, wanted, dilation_ratio=0.01).mean(),
    }
    return {name: float(score) for name, score in scores.items()}, own


def _pixel_iou(mask: Tensor, wanted: Tensor) -> float:
    return mean_iou(mask, wanted, 2, average="none")[1].item()


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


def marked_nuclei() -> Nuclei:
    """Nuclei around a gland, stained blue, 1.5 times enlarged, with 21 marks made by eye.

    There is no official truth for this picture: marks are one person's, and outlines are unknown.
    """
    from skimage.color import rgb2hed

    tissue = pictures.load("immunohistochemistry")
    stain = torch.from_numpy(rgb2hed(tissue.permute(1, 2, 0).numpy())[..., 0]).float()
    window = slice(_TOP, _TOP + _HEIGHT), slice(_LEFT, _LEFT + _WIDTH)

    def enlarged(image: Tensor) -> Tensor:
        return F.interpolate(image[None], scale_factor=_ZOOM, mode="bicubic")

    marks = tuple((round((x - _LEFT) * _ZOOM), round((y - _TOP) * _ZOOM)) for x, y in _BY_EYE)
    photograph = enlarged(tissue[:, *window])[0].clamp(0, 1)
    return Nuclei(enlarged(stain[None, *window]), photograph, marks)


def show_nuclei(
    nuclei: Nuclei, pieces: Mapping[str, Int64[Tensor, "height width"]], *, title: str
) -> Figure:
    """The photograph with its marks, and beside it the outlines of each method's pieces as well."""
    from skimage.segmentation import find_boundaries

    rows = -(-(len(pieces) + 1) // 2)
    figure, cells = plt.subplots(rows, 2, figsize=(WIDTH, 3.6 * rows + 0.3), squeeze=False)
    for axes in cells.flat[len(pieces) + 1 :]:
        axes.axis("off")
    told = [f"{len(nuclei.marks)} nuclei, marked by eye (+)"]
    for axes, (name, found) in zip(cells.flat, {"": None, **pieces}.items(), strict=False):
        shown = nuclei.photograph.clone()
        if found is not None:
            shown[:, torch.from_numpy(find_boundaries(found.numpy(), mode="inner"))] = 0
            counts = "{} found, {} merged, {} lost, {} unmarked".format(*nuclei.tally(found))
            told.append(f"{name}: {counts}")
        draw_image(axes, shown)
        axes.plot(*zip(*nuclei.marks, strict=True), "+", color=VERMILION, markersize=8, mew=2)
        axes.set_title(told[-1], fontsize=10)
    figure.suptitle(title)
    return describe(figure, f"{title}. {'; '.join(told)}.")
