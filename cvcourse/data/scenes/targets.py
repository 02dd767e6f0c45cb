"""What is told about a scene, in torchvision's form."""

from math import atan2, degrees

import numpy as np
import torch
from torch import Tensor

from .._boxes import boxes_of
from .canvas import Canvas


def still_target(canvas: Canvas, extras: tuple[str, ...]) -> dict[str, Tensor]:
    """The target of a picture, of the objects that can be seen in it."""
    seen = _seen([canvas])
    target = _describe(canvas, seen) | _measure(canvas, seen)
    if "full_masks" in extras:
        masks = [canvas.extents[k - 1].mask(canvas.size) for k in seen]
        target["full_masks"] = np.array(masks, bool).reshape(-1, canvas.size, canvas.size)
    for name in {"albedo", "alpha", "shading"} & set(extras):
        target[name] = getattr(canvas, name)
    return {name: torch.from_numpy(value) for name, value in target.items()}


def clip_target(frames: list[Canvas]) -> dict[str, Tensor]:
    """The target of a clip, of the objects that can be seen in any of its frames."""
    seen = _seen(frames)
    measures = [_measure(canvas, seen) for canvas in frames]
    target = {name: np.stack([m[name] for m in measures]) for name in measures[0]}
    target |= _describe(frames[0], seen)
    return {name: torch.from_numpy(value) for name, value in target.items()}


def _seen(frames: list[Canvas]) -> np.ndarray:
    """Numbers of the objects that have a visible pixel in any frame."""
    counts = sum(np.bincount(canvas.ids.ravel(), minlength=256) for canvas in frames)
    return np.flatnonzero(counts[1:]) + 1


def _describe(canvas: Canvas, numbers: np.ndarray) -> dict[str, np.ndarray]:
    """What does not change over time."""
    things = [canvas.objects[k - 1][0] for k in numbers]
    return {
        "labels": np.array([thing.label for thing in things], np.int64),
        "colors": np.array([thing.skin.color for thing in things], np.int64),
        "iscrowd": np.zeros(len(numbers), np.int64),
        "light": np.array([*canvas.light.direction, canvas.light.ambient], np.float32),
    }


def _measure(canvas: Canvas, numbers: np.ndarray) -> dict[str, np.ndarray]:
    """What is seen in a frame, and of the objects with these numbers."""
    masks = canvas.ids == numbers.astype(np.uint8)[:, None, None]  # (N, H, W)
    area = np.bincount(canvas.ids.ravel(), minlength=256)[numbers]
    extents = [canvas.extents[k - 1] for k in numbers]
    whole = np.array([np.count_nonzero(extent.inside) for extent in extents], np.float32)
    labels = np.array([0, *(thing.label for thing, _ in canvas.objects)], np.int64)
    poses = [canvas.objects[k - 1][1] for k in numbers]
    return {
        "boxes": boxes_of(masks),
        "masks": masks,
        "area": area.astype(np.float32),
        "full_boxes": _rows([extent.box() for extent in extents]),
        "visibility": (area / np.maximum(whole, 1)).astype(np.float32),
        "semantic": labels[canvas.ids],
        "depth": canvas.depth,
        "normals": canvas.normals,
        "poses": _rows([(p.x, p.y, p.radius, degrees(atan2(p.sin, p.cos))) for p in poses]),
        "object_depth": np.array([pose.depth for pose in poses], np.float32),
    }


def _rows(rows: list[tuple]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)
