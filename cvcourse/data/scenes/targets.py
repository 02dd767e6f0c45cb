"""What is told about a scene, in torchvision's form."""

from math import atan2, degrees

import numpy as np
import torch
from torch import Tensor

from .canvas import Canvas, Extent
from .things import Pose, Thing

Objects = list[tuple[Thing, Pose]]


def still_target(canvas: Canvas, objects: Objects, extents: list[Extent]) -> dict[str, Tensor]:
    """The target of a picture; object k of `objects` has number k + 1 on the canvas."""
    counts = np.bincount(canvas.ids.ravel(), minlength=len(objects) + 1)
    seen = np.flatnonzero(counts[1:]) + 1  # numbers of the objects of which something is visible
    things, poses = [objects[k - 1][0] for k in seen], [objects[k - 1][1] for k in seen]
    masks = canvas.ids == seen.astype(np.uint8)[:, None, None]  # (N, H, W)
    labels = np.array([thing.label for thing in things], np.int64)
    area = counts[seen].astype(np.float32)
    whole = np.array([np.count_nonzero(extents[k - 1].inside) for k in seen], np.float32)
    full_boxes = np.array([extents[k - 1].box() for k in seen], np.float32)
    target = {
        "boxes": boxes_of(masks),
        "labels": labels,
        "masks": masks,
        "area": area,
        "iscrowd": np.zeros(len(seen), np.int64),
        "full_boxes": full_boxes.reshape(-1, 4),
        "visibility": area / whole,
        "semantic": labels_of([thing for thing, _ in objects])[canvas.ids],
        "depth": canvas.depth,
        "normals": canvas.normals,
        "colors": np.array([thing.skin.color for thing in things], np.int64),
        "poses": poses_of(poses),
        "object_depth": np.array([pose.depth for pose in poses], np.float32),
        "light": np.array([*canvas.light.direction, canvas.light.ambient], np.float32),
    }
    return {name: torch.from_numpy(value) for name, value in target.items()}


def full_masks(objects: Objects, extents: list[Extent], canvas: Canvas) -> np.ndarray:
    """(N, H, W) bool for the visible objects, each as if it were alone."""
    seen = np.unique(canvas.ids)
    masks = [extents[k - 1].mask(canvas.size) for k in seen if k > 0]
    return np.array(masks, bool).reshape(-1, canvas.size, canvas.size)


def boxes_of(masks: np.ndarray) -> np.ndarray:
    """Tight boxes (N, 4) float32 of masks (N, H, W), on the edges of pixels; empty ones give 0."""
    columns, rows = masks.any(1), masks.any(2)  # (N, W), (N, H)
    boxes = np.empty((len(masks), 4), np.float32)
    for start, line in enumerate((columns, rows)):
        length = line.shape[1]
        boxes[:, start] = line.argmax(1)
        boxes[:, start + 2] = length - line[:, ::-1].argmax(1)
    boxes *= columns.any(1)[:, None]
    return boxes


def poses_of(poses: list[Pose]) -> np.ndarray:
    """(N, 4) float32: x, y, radius in pixels, angle in degrees, clockwise on the screen."""
    rows = [(p.x, p.y, p.radius, degrees(atan2(p.sin, p.cos))) for p in poses]
    return np.array(rows, np.float32).reshape(-1, 4)


def labels_of(things: list[Thing]) -> np.ndarray:
    """Labels by number on the canvas, 0 the background."""
    return np.array([0, *(thing.label for thing in things)], np.int64)
