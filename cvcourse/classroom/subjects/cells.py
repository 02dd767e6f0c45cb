"""What a lesson that counts cells needs: cells out of masks, how many are right, marked nuclei."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from cvcourse.data import pictures
from cvcourse.metrics import confusion_matrix

# centres of nuclei in the picture "immunohistochemistry", (x, y), marked by eye for this course
_BY_EYE = (
    (242, 250), (221, 258), (275, 240), (304, 241), (297, 251), (299, 260), (267, 254),
    (275, 256), (260, 265), (271, 271), (239, 273), (247, 270), (229, 277), (231, 287),
    (242, 288), (229, 298), (230, 309), (255, 290), (289, 270), (296, 280), (286, 294),
)  # fmt: skip
_TOP, _LEFT, _HEIGHT, _WIDTH, _ZOOM = 236, 214, 80, 96, 1.5


class Nuclei(NamedTuple):
    stain: Float[Tensor, "1 1 height width"]  # how much blue stain, bright where nuclei are
    photograph: Float[Tensor, "3 height width"]
    marks: tuple[tuple[int, int], ...]  # (x, y) of each nucleus


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


def f1_of(counts: Tensor) -> float:
    """2 matched / (pieces + cells), of counts as in `compare_cells`, or of their sum."""
    matched, pieces, cells, _ = counts.tolist()
    return 2 * matched / max(pieces + cells, 1)


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
