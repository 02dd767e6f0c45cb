"""Masks, polygons, run lengths: what annotation tools store, and COCO's json of it.

Polygons are arrays (n, 2) of corners (x, y) in pixels, the last joined to the first; (0, 0) is the
outer corner of the first pixel. Run lengths are COCO's: down the columns, 0 first.
"""

from collections.abc import Sequence

import numpy as np
import torch

from cvcourse.data._extras import extra
from cvcourse.ops.polygons_to_masks import polygons_to_masks

# right, down, left, up: with the mask on the right-hand side, around an object clockwise
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def polygons_to_mask(polygons: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres lie in an odd number of the polygons, as (H, W) bool.

    With the outlines of holes among the polygons, holes stay open: `mask_to_polygons` backwards.
    """
    mask = np.zeros(size, bool)
    for polygon in polygons:
        corners = torch.from_numpy(np.ascontiguousarray(polygon, float))
        mask ^= polygons_to_masks(corners.view(1, -1, 2), size)[0].numpy()
    return mask


def mask_to_polygons(mask: np.ndarray) -> list[np.ndarray]:
    """The outlines of a mask along the edges of its pixels, exact to the pixel.

    Objects go round clockwise as seen (`polygon_area` > 0), holes the other way (< 0). Pixels that
    meet at a corner alone belong to different outlines.
    """
    edges = _edges(np.asarray(mask, bool))
    polygons = []
    for start in sorted((e for e in edges if e[2] == 0), key=lambda e: (e[1], e[0])):
        if start not in edges:
            continue  # part of an outline found before
        corners, edge = [start[:2]], start
        while True:
            edges.remove(edge)
            x, y, direction = edge
            x, y = x + _STEPS[direction][0], y + _STEPS[direction][1]
            if (x, y, 0) == start:
                break
            turns = ((x, y, (direction + turn) % 4) for turn in (1, 0, 3))  # right if possible
            edge = next(turned for turned in turns if turned in edges)
            if edge[2] != direction:
                corners.append((x, y))
        polygons.append(np.array(corners, float))
    return polygons


def level_outlines(values: np.ndarray, level: float = 0.5) -> list[np.ndarray]:
    """Where a map (H, W), such as the probabilities of a mask, crosses `level`; the longest first.

    Between the centres of pixels by linear interpolation, so smoother than `mask_to_polygons`, and
    not exact to the pixel. Outside of the map it is 0. Same directions round objects and holes.
    """
    with extra("lessons", "level_outlines"):
        from skimage.measure import find_contours

    contours = find_contours(np.pad(np.asarray(values, float), 1), level)
    polygons = [contour[:-1, ::-1] - 0.5 for contour in contours]  # closed; (row, column) padded
    return sorted(polygons, key=len, reverse=True)


def _edges(mask: np.ndarray) -> set[tuple[int, int, int]]:
    """Each pixel edge between mask and ground: where it starts, x and y, and its direction."""
    padded = np.pad(mask, 1)
    above, below, left, right = padded[:-2], padded[2:], padded[:, :-2], padded[:, 2:]
    beyond = (above[:, 1:-1], right[1:-1], below[:, 1:-1], left[1:-1])
    starts = ((0, 0), (1, 0), (1, 1), (0, 1))  # of top, right, bottom and left edge of a pixel
    edges = set()
    for direction, (outside, (dx, dy)) in enumerate(zip(beyond, starts, strict=True)):
        y, x = (mask & ~outside).nonzero()
        edges.update(zip((x + dx).tolist(), (y + dy).tolist(), [direction] * len(x), strict=True))
    return edges


def polygon_area(polygon: np.ndarray) -> float:
    """Square pixels inside, positive if the corners go round clockwise as seen."""
    x, y = np.asarray(polygon, float).T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def simplify_polygon(polygon: np.ndarray, tolerance: float) -> np.ndarray:
    """Fewer corners, none of the dropped ones farther than `tolerance` pixels from the new outline.

    Douglas-Peucker; the polygon itself where fewer than three corners would be left.
    """
    with extra("lessons", "simplify_polygon"):
        from skimage.measure import approximate_polygon

    polygon = np.asarray(polygon, float)
    # start at the corner farthest from the middle, which no simplification would drop
    first = np.square(polygon - polygon.mean(0)).sum(1).argmax()
    closed = np.roll(polygon, -first, axis=0)
    closed = approximate_polygon(np.concatenate([closed, closed[:1]]), tolerance)[:-1]
    return closed if len(closed) >= 3 else polygon


def mask_to_runs(mask: np.ndarray, *, compress: bool = False) -> dict:
    """COCO's {"size": [H, W], "counts": lengths}; as text, if compressed, like pycocotools'."""
    height, width = mask.shape
    pixels = np.asarray(mask, bool).T.ravel()
    changes = np.flatnonzero(np.diff(pixels, prepend=False))
    counts = np.diff(changes, prepend=0, append=pixels.size).tolist()
    return {"size": [height, width], "counts": _compressed(counts) if compress else counts}


def runs_to_mask(runs: dict) -> np.ndarray:
    """The (H, W) bool mask of `mask_to_runs`, compressed or not."""
    counts, (height, width) = runs["counts"], runs["size"]
    lengths = _decompressed(counts) if isinstance(counts, str) else counts
    if (total := sum(lengths)) != height * width:  # before a damaged file's are written out
        raise ValueError(f"runs of {total} pixels cannot fill {height} x {width}")
    pixels = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return pixels.reshape(width, height).T


def _compressed(lengths: list[int]) -> str:
    """Numbers of five bits a character, least first; from the fourth on, less the last but one."""
    text = []
    for i, value in enumerate(lengths):
        value -= lengths[i - 2] if i > 2 else 0
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)  # else the fifth bit is the sign
            text.append(chr(bits + 32 * more + 48))
    return "".join(text)


def _decompressed(text: str) -> list[int]:
    lengths, value, shift = [], 0, 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:  # more to come
            continue
        if bits & 16:  # negative
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value, shift = 0, 0
    return lengths


def coco_annotation(
    mask: np.ndarray,
    *,
    image_id: int,
    category_id: int,
    annotation_id: int,
    polygons: Sequence[np.ndarray] | None = None,
) -> dict:
    """One object in COCO's format, ready for json.

    mask           (H, W) bool, with at least one pixel
    annotation_id  from 1: pycocotools takes an annotation 0 for unmatched
    polygons       as drawn; None traces the mask. They are stored where their union, which is how
                   COCO reads them, is the mask. Otherwise, as with holes, run lengths are.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        raise ValueError("mask: expected at least one pixel, got none")
    if annotation_id < 1:
        raise ValueError(f"annotation_id: expected 1 or more, got {annotation_id}")
    polygons = mask_to_polygons(mask) if polygons is None else polygons
    union = np.any([polygons_to_mask([polygon], mask.shape) for polygon in polygons], axis=0)
    if np.array_equal(union, mask):
        segmentation = [np.asarray(polygon, float).ravel().tolist() for polygon in polygons]
    else:
        segmentation = mask_to_runs(mask)
    left, top = int(columns[0]), int(rows[0])
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "segmentation": segmentation,
        "area": float(mask.sum()),
        "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
        "iscrowd": 0,
    }


def coco_dataset(
    images: Sequence[dict], annotations: Sequence[dict], classes: Sequence[str]
) -> dict:
    """A whole file, for `json.dump`.

    images   {"id", "file_name", "height", "width"} each
    classes  names by category id; 0, the background, is no category
    """
    categories = [{"id": i, "name": name} for i, name in enumerate(classes) if i > 0]
    return {"images": list(images), "annotations": list(annotations), "categories": categories}
