"""Drawing and correcting polygons on pictures, without a screen: what `annotate` makes visible."""

import json
import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cvcourse.data.polygons import coco_annotation, coco_dataset, polygons_to_mask

TOOLS = ("draw", "edit", "box")
Proposer = Callable[[Tensor, Tensor], tuple[np.ndarray, int] | None]


@dataclass
class Outline:
    """One object: corners (n, 2) as x, y in pixels, the last joined to the first, and its class."""

    polygon: np.ndarray
    label: int


@dataclass
class Work:
    """What undo brings back."""

    picture: int = 0
    outlines: list[list[Outline]] = field(default_factory=list)  # of each picture
    draft: list[tuple[float, float]] = field(default_factory=list)  # not yet closed
    selected: tuple[int, int | None] | None = None  # outline, and corner if one is


class PolygonEditor:
    """Polygons on pictures, and what pointer and keys do to them.

    `press(x, y)` and `release(x, y)` are a pointer's button at a place in the picture, in pixels,
    (0, 0) the outer corner of the first. What they do depends on the `tool`:

    draw    a press adds a corner; near the first one, it closes the polygon
    edit    a press takes hold of the nearest corner, or of a new one on the nearest edge, and the
            release puts it down; inside a polygon, it selects it; elsewhere, nothing
    box     from press to release is a box; the model's polygon for it is added, ready to edit

    images: (3, H, W) each. class_names: by label; 0 is the background and never drawn.
    propose: from an image and a box (4,) to a polygon (n, 2) and its label, or None.
    reach: how near, in pixels, is on a corner or an edge.

    `points` counts the places at which the pointer was aimed: one for a corner that was drawn,
    inserted or moved, two for a box. A polygon that covers no pixel's centre is not exported.
    """

    def __init__(
        self,
        images: Sequence[Tensor],
        class_names: Sequence[str] = ("background", "object"),
        *,
        propose: Proposer | None = None,
        reach: float = 2.0,
    ):
        if not len(images):
            raise ValueError("images: expected at least one, got none")
        if len(class_names) < 2:
            raise ValueError(f"class_names: expected background and a class, got {class_names}")
        self.images = list(images)
        self.class_names = tuple(class_names)
        self.propose = propose
        self.reach = reach
        self.work = Work(outlines=[[] for _ in self.images])
        self.tool = "draw"
        self.label = 1
        self.points = 0
        self.message = ""
        self.held = False  # a corner follows the pointer
        self._inserted = False  # it was made by this press
        self._pressed: tuple[float, float] | None = None
        self._past: list[Work] = []

    @property
    def outlines(self) -> list[Outline]:
        """Those of the picture that is shown."""
        return self.work.outlines[self.work.picture]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture that is shown."""
        return tuple(self.images[self.work.picture].shape[-2:])

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    # ---- pointer

    def press(self, x: float, y: float) -> None:
        self.message = ""
        self._pressed = point = self._inside(x, y)
        if self.tool == "draw":
            self._add_corner(point)
        elif self.tool == "edit":
            self._take_hold(point)

    def release(self, x: float, y: float) -> None:
        if self._pressed is None:
            return
        (x0, y0), (x, y) = self._pressed, self._inside(x, y)
        self._pressed = None
        if self.tool == "box" and min(abs(x - x0), abs(y - y0)) >= 1:
            self._propose((min(x, x0), min(y, y0), max(x, x0), max(y, y0)))
        elif self.held:
            self.held = False
            moved = self._move(x - x0, y - y0, undoable=not self._inserted)
            self.points += moved or self._inserted

    def _add_corner(self, point: tuple[float, float]) -> None:
        draft = self.work.draft
        if len(draft) >= 3 and math.dist(point, draft[0]) <= self.reach:
            self.close()
            return
        self._remember()
        draft.append(point)
        self.work.selected = None
        self.points += 1

    def _take_hold(self, point: tuple[float, float]) -> None:
        corners = [(nearest_corner(o.polygon, point), i) for i, o in enumerate(self.outlines)]
        edges = [(nearest_edge(o.polygon, point), i) for i, o in enumerate(self.outlines)]
        (distance, corner), i = min(corners, default=((math.inf, None), None))
        (from_edge, edge, place), j = min(edges, default=((math.inf, None, None), None))
        self._inserted = from_edge <= self.reach < distance
        if distance <= self.reach:
            self.work.selected, self.held = (i, corner), True
        elif self._inserted:
            self._remember()
            outline = self.outlines[j]
            outline.polygon = np.insert(outline.polygon, edge + 1, place, axis=0)
            self.work.selected, self.held = (j, edge + 1), True
        else:
            covering = [i for i, o in enumerate(self.outlines) if contains(o.polygon, point)]
            self.work.selected = (covering[-1], None) if covering else None

    def _move(self, dx: float, dy: float, *, undoable: bool = True) -> bool:
        """Whether the selected corner could be moved."""
        i, corner = self.work.selected or (None, None)
        if corner is None or (dx == 0 and dy == 0):
            return False
        if undoable:
            self._remember()
        polygon = self.outlines[i].polygon
        polygon[corner] = self._inside(*(polygon[corner] + (dx, dy)))
        return True

    def _propose(self, box: tuple[float, float, float, float]) -> None:
        if self.propose is None:
            self.message = "There is no model to ask"
            return
        self.points += 2
        found = self.propose(self.images[self.work.picture], torch.tensor(box))
        if found is None or len(found[0]) < 3:
            self.message = "The model finds no outline in this box"
            return
        polygon, label = found
        self._remember()
        self.outlines.append(Outline(np.array(polygon, float), int(label)))
        self.work.selected = (len(self.outlines) - 1, None)
        self.tool = "edit"
        name = self.class_names[label]
        self.message = f"The model says: {name}, {len(polygon)} corners. Drag those that are off"

    # ---- keys and buttons

    def choose_tool(self, tool: str) -> None:
        if tool not in TOOLS:
            raise ValueError(f"tool: expected one of {TOOLS}, got {tool!r}")
        if self.work.draft and tool != "draw":
            self.cancel()
        self.tool, self.held, self._pressed = tool, False, None

    def choose_label(self, label: int) -> None:
        """For polygons to come, and for the selected one."""
        if not 1 <= label < len(self.class_names):
            raise ValueError(f"label: expected 1 to {len(self.class_names) - 1}, got {label}")
        self.label = label
        if self.work.selected is not None:
            self._remember()
            self.outlines[self.work.selected[0]].label = label

    def close(self) -> None:
        """Join the last corner of the draft to the first."""
        if len(self.work.draft) < 3:
            self.message = "A polygon needs three corners"
            return
        self._remember()
        self.outlines.append(Outline(np.array(self.work.draft), self.label))
        self.work.draft = []
        self.work.selected = (len(self.outlines) - 1, None)

    def cancel(self) -> None:
        """Drop the draft, or else the selection."""
        if self.work.draft:
            self._remember()
        self.work.draft, self.work.selected, self.held = [], None, False

    def delete(self) -> None:
        """The last corner of the draft, or else the selected corner or polygon."""
        if self.work.draft:
            self._remember()
            self.work.draft.pop()
        elif self.work.selected is not None:
            self._remember()
            i, corner = self.work.selected
            outline = self.outlines[i]
            if corner is None or len(outline.polygon) == 3:
                del self.outlines[i]
                self.work.selected = None
            else:
                outline.polygon = np.delete(outline.polygon, corner, axis=0)
                self.work.selected = (i, corner % len(outline.polygon))

    def select_next(self, step: int = 1) -> None:
        """The next corner (or `step` further) of the selected polygon, or of the first."""
        if not self.outlines:
            return
        i, corner = self.work.selected or (0, None)
        start = corner if corner is not None else (-1 if step > 0 else 0)
        self.work.selected = (i, (start + step) % len(self.outlines[i].polygon))

    def nudge(self, dx: float, dy: float) -> None:
        """Move the selected corner by so many pixels."""
        if self._move(dx, dy):
            self.points += 1

    def go(self, step: int) -> None:
        """To another picture, round and round."""
        self.cancel()
        self.work.picture = (self.work.picture + step) % len(self.images)
        self.message = ""

    def undo(self) -> None:
        if self._past:
            self.work = self._past.pop()
            self.held, self._pressed, self.message = False, None, ""

    # ---- what comes of it

    def coco(self) -> dict:
        """Everything drawn, in COCO's format; see `coco_dataset`."""
        images, annotations = [], []
        for k, (image, outlines) in enumerate(zip(self.images, self.work.outlines, strict=True)):
            height, width = image.shape[-2:]
            name = f"picture-{k:04d}.png"
            images.append({"id": k, "file_name": name, "height": height, "width": width})
            for outline in outlines:
                mask = polygons_to_mask([outline.polygon], (height, width))
                if mask.any():
                    annotations.append(
                        coco_annotation(
                            mask,
                            image_id=k,
                            category_id=outline.label,
                            annotation_id=len(annotations) + 1,
                            polygons=[outline.polygon],
                        )
                    )
        return coco_dataset(images, annotations, self.class_names)

    def save(self, path: str | Path) -> None:
        """`coco()` as a json file."""
        dataset = self.coco()
        Path(path).expanduser().write_text(json.dumps(dataset), encoding="utf-8")
        self.message = f"{len(dataset['annotations'])} polygons written to {path}"

    def _inside(self, x: float, y: float) -> tuple[float, float]:
        height, width = self.size
        return min(max(float(x), 0.0), float(width)), min(max(float(y), 0.0), float(height))

    def _remember(self) -> None:
        self._past.append(deepcopy(self.work))


def nearest_corner(polygon: np.ndarray, point: tuple[float, float]) -> tuple[float, int]:
    """Distance to the nearest corner of a polygon (n, 2), and its index."""
    distances = np.linalg.norm(polygon - point, axis=1)
    corner = int(distances.argmin())
    return float(distances[corner]), corner


def nearest_edge(
    polygon: np.ndarray, point: tuple[float, float]
) -> tuple[float, int, tuple[float, float]]:
    """Distance to the nearest edge, the index of the corner where it starts, and where on it."""
    along = np.roll(polygon, -1, axis=0) - polygon
    length = np.square(along).sum(1)
    share = ((point - polygon) * along).sum(1) / np.where(length > 0, length, 1)
    places = polygon + np.clip(share, 0, 1)[:, None] * along
    distances = np.linalg.norm(places - point, axis=1)
    edge = int(distances.argmin())
    return float(distances[edge]), edge, tuple(places[edge].tolist())


def contains(polygon: np.ndarray, point: tuple[float, float]) -> bool:
    """Whether a point is inside, by the even-odd rule of `polygons_to_mask`."""
    (x, y), (x1, y1), (x2, y2) = point, polygon.T, np.roll(polygon, -1, axis=0).T
    crosses = (y1 <= y) != (y2 <= y)
    left = x1 + (y - y1) * (x2 - x1) / np.where(crosses, y2 - y1, 1) <= x
    return bool((crosses & left).sum() % 2)
