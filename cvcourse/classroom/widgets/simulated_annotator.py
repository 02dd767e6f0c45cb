"""In the place of the person at a `PolygonEditor`: somebody who knows the mask, and never slips."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cvcourse.classroom.widgets.polygon_editor import PolygonEditor, Proposer
from cvcourse.data.polygons import (
    level_outlines,
    mask_to_polygons,
    polygon_area,
    polygons_to_mask,
    simplify_polygon,
)
from cvcourse.ops.polygons_to_masks import polygons_to_masks

TOLERANCES = np.arange(8, 0, -0.25)  # pixels
PLACES = 16  # along an outline, besides its corners
GROWTHS = (1.0, 1.04, 1.08, 1.12, 1.16)  # of a polygon with its corners on the outline
REGULAR = range(3, 11)  # corners


def longest_outline(mask: Tensor) -> np.ndarray:
    """The outline (corners, 2) of a mask's largest piece, without its holes."""
    return max(mask_to_polygons(mask.numpy()), key=polygon_area)


def polygon_iou(polygon: np.ndarray, mask: Tensor) -> float:
    """Overlap of a polygon (n, 2) with a mask (H, W)."""
    inside, mask = polygons_to_mask([polygon], tuple(mask.shape)), mask.numpy()
    return float((inside & mask).sum() / max((inside | mask).sum(), 1))


def points_by_hand(mask: Tensor, *, goal: float = 0.9) -> int:
    """The corners to click until a polygon overlaps the mask by `goal`.

    The fewest among two kinds of polygons: simplifications of two outlines of the mask, along the
    edges of its pixels and between their centres, from coarse to fine, as they are and enlarged
    about their middle (`GROWTHS`); and regular ones, stretched and scaled to the mask's moments and
    area (`_regular`), as one would draw round a disk. All corners of an outline where none will do,
    as for pieces.
    """
    counts = [len(polygon) for polygon in _regular(mask) if polygon_iou(polygon, mask) >= goal]
    for outline in (longest_outline(mask), level_outlines(mask.numpy())[0]):
        simpler = (simplify_polygon(outline, tolerance) for tolerance in TOLERANCES)
        good = (len(p) for p in simpler if any(polygon_iou(q, mask) >= goal for q in _grown(p)))
        counts.append(next(good, len(outline)))
    return min(counts)


def points_with_model(
    editor: PolygonEditor,
    box: Tensor,
    mask: Tensor,
    *,
    goal: float = 0.9,
    patience: int = 12,
    by_hand: int | None = None,
) -> int:
    """The points to place until the editor's polygon for `box` (4,) overlaps the mask by `goal`.

    The box is two, and each drag (`best_drag`) one. Where nothing is proposed, and once the drags
    are as many as `points_by_hand` or `patience`, those by hand are added: it is drawn anew.
    by_hand: those, where they are known.
    """
    before, by_hand = editor.points, by_hand or points_by_hand(mask, goal=goal)
    count, editor.reach = len(editor.outlines), 1e-3  # it hits what it aims at
    editor.choose_tool("box")
    editor.press(*box[:2].tolist())
    editor.release(*box[2:].tolist())
    if len(editor.outlines) == count:
        return editor.points - before + by_hand
    places = _places_on(longest_outline(mask))
    most = 2 + min(by_hand, patience)
    while polygon_iou(editor.outlines[-1].polygon, mask) < goal:
        if editor.points - before >= most:
            return editor.points - before + by_hand
        start, end = best_drag(editor.outlines[-1].polygon, mask, places)
        editor.press(*start)
        editor.release(*end)
    return editor.points - before


def points_with_ellipse(
    box: Tensor, mask: Tensor, *, goal: float = 0.9, by_hand: int | None = None
) -> int:
    """Two for the box (4,), if its ellipse overlaps the mask by `goal`; else those by hand, too.

    by_hand: those, where they are known.
    """
    low, high = box.numpy().astype(float).reshape(2, 2)
    angles = 2 * np.pi * np.arange(64) / 64
    round_it = (low + high) / 2 + (high - low) / 2 * np.stack([np.cos(angles), np.sin(angles)], 1)
    if polygon_iou(round_it, mask) >= goal:
        return 2
    return 2 + (by_hand or points_by_hand(mask, goal=goal))


def points_for_pictures(
    images: Sequence[Tensor],
    targets: Sequence[dict[str, Tensor]],
    class_names: Sequence[str],
    propose: Proposer,
    *,
    least: float,
    smallest: int,
) -> tuple[np.ndarray, int]:
    """What all objects cost, and how many are left out, for they are in pieces or too small.

    A row of whole numbers for each object: picture, label, `points_by_hand`, twice
    `points_with_model` (patient, and quick, which draws at once what is proposed with an overlap
    below `least`), and `points_with_ellipse`. smallest: pixels of a mask.
    """
    rows, left_out = [], 0
    for i, (image, target) in enumerate(zip(images, targets, strict=True)):
        editor = PolygonEditor([image], class_names, propose=propose)
        of_each = (target["boxes"], target["labels"], target["masks"])
        for box, label, mask in zip(*of_each, strict=True):
            if len(mask_to_polygons(mask.numpy())) > 1 or mask.sum() < smallest:
                left_out += 1
                continue
            by_hand = points_by_hand(mask)
            patient = quick = points_with_model(editor, box, mask, by_hand=by_hand)
            by_ellipse = points_with_ellipse(box, mask, by_hand=by_hand)
            draft = propose(image, box)
            if draft is None or polygon_iou(draft[0], mask) < least:
                quick = 2 + by_hand
            rows.append((i, int(label), by_hand, patient, quick, by_ellipse))
    return np.array(rows, dtype=np.int64).reshape(-1, 6), left_out


def best_drag(
    polygon: np.ndarray, mask: Tensor, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of all drags of a corner or of an edge's middle to one of `places`, the most helpful.

    polygon (n, 2), mask (H, W), places (m, 2). Gives where it starts and where it ends.
    """
    middles = (polygon + np.roll(polygon, -1, axis=0)) / 2
    shapes, drags = [], []
    for k, place in itertools.product(range(len(polygon)), places):
        moved = polygon.copy()
        moved[k] = place
        shapes += [np.insert(moved, k, place, axis=0), np.insert(polygon, k + 1, place, axis=0)]
        drags += [(polygon[k], place), (middles[k], place)]
    ends = np.concatenate([polygon, places])  # all shapes lie between them
    (left, top), (right, bottom) = ends.min(0).astype(int), np.ceil(ends.max(0)).astype(int)
    part = mask[top:bottom, left:right]  # the rest is alike for all
    masks = polygons_to_masks(torch.from_numpy(np.stack(shapes) - (left, top)), tuple(part.shape))
    overlaps = (masks & part).sum((1, 2)) / (masks | part).sum((1, 2)).clamp(min=1)
    return drags[int(overlaps.argmax())]


def _grown(polygon: np.ndarray) -> list[np.ndarray]:
    """The polygon (n, 2), and enlarged about the middle of its corners."""
    middle = polygon.mean(0)
    return [middle + growth * (polygon - middle) for growth in GROWTHS]


def _regular(mask: Tensor) -> list[np.ndarray]:
    """Regular polygons in four turns, stretched as the mask is, with its middle and its area."""
    y, x = mask.numpy().nonzero()
    pixels = np.stack([x, y]) + 0.5
    stretch = np.linalg.cholesky(np.cov(pixels, ddof=0) + 1e-6 * np.eye(2))
    found = []
    for count, turn in itertools.product(REGULAR, np.arange(4) / 4):
        angles = 2 * np.pi * (np.arange(count) + turn) / count
        corners = np.stack([np.cos(angles), np.sin(angles)], 1) @ stretch.T
        corners *= np.sqrt(len(x) / abs(polygon_area(corners)))
        found.append(pixels.mean(1) + corners)
    return found


def _places_on(outline: np.ndarray) -> np.ndarray:
    """Where one may aim at: the outline's corners to the pixel, and places at equal distances."""
    closed = np.concatenate([outline, outline[:1]])
    along = np.concatenate([[0], np.linalg.norm(np.diff(closed, axis=0), axis=1).cumsum()])
    wanted = np.linspace(0, along[-1], PLACES, endpoint=False)
    between = np.stack([np.interp(wanted, along, closed[:, axis]) for axis in (0, 1)], axis=1)
    return np.concatenate([simplify_polygon(outline, 1.0), between])
