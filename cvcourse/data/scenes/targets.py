"""What is told about a scene, in torchvision's form."""

from math import atan2, degrees

import numpy as np
import torch
from torch import Tensor

from .._boxes import boxes_of
from .canvas import Canvas, cut, extent
from .things import Pose


def still_target(canvas: Canvas, extras: tuple[str, ...]) -> dict[str, Tensor]:
    """The target of a picture, of the objects that can be seen in it."""
    seen = _seen(canvas)
    target = {name: value[0] for name, value in _measure(canvas, seen).items()}
    target |= _describe(canvas, seen)
    if "full_masks" in extras:
        masks = [canvas.tracks[k - 1].masks(canvas.size)[0] for k in seen]
        target["full_masks"] = np.array(masks, bool).reshape(-1, canvas.size, canvas.size)
    for name in {"albedo", "alpha"} & set(extras):
        target[name] = getattr(canvas, name)[0]
    if "shading" in extras:
        target["shading"] = canvas.shading(0)
    return {name: torch.from_numpy(value) for name, value in target.items()}


def clip_target(canvas: Canvas) -> dict[str, Tensor]:
    """The target of a clip, of the objects that can be seen in any of its frames."""
    seen = _seen(canvas)
    target = _measure(canvas, seen) | _describe(canvas, seen)
    return {name: torch.from_numpy(value) for name, value in target.items()}


def _seen(canvas: Canvas) -> list[int]:
    """Numbers of the objects that have a visible pixel in any frame."""
    return [k for k in range(1, len(canvas.tracks) + 1) if (canvas.ids == k).any()]


def _describe(canvas: Canvas, numbers: list[int]) -> dict[str, np.ndarray]:
    """What does not change over time."""
    things = [canvas.tracks[k - 1].thing for k in numbers]
    return {
        "labels": np.array([thing.label for thing in things], np.int64),
        "colors": np.array([thing.skin.color for thing in things], np.int64),
        "iscrowd": np.zeros(len(numbers), np.int64),
        "light": np.array([*canvas.light.direction, canvas.light.ambient], np.float32),
    }


def _measure(canvas: Canvas, numbers: list[int]) -> dict[str, np.ndarray]:
    """What is seen in each of T frames, and of the objects with these numbers."""
    frames, count = len(canvas.ids), len(numbers)
    ids = np.array(numbers, np.uint8)
    tracks = [canvas.tracks[k - 1] for k in numbers]
    windows = [window for track in tracks for window in track.windows]  # N T of them
    visible, corners = cut(canvas.ids, windows)
    visible = visible == ids.repeat(frames)[:, None, None]
    whole = np.zeros((count, frames, *extent(windows)), bool)
    for inside, track in zip(whole, tracks, strict=True):
        _, height, width = track.inside.shape
        inside[:, :height, :width] = track.inside
    whole = whole.reshape(count * frames, *whole.shape[2:])

    def over_time(values) -> np.ndarray:
        """(N T, ...) -> (T, N, ...)"""
        values = np.asarray(values, np.float32)
        values = values.reshape(count, frames, *values.shape[1:])
        return np.ascontiguousarray(values.swapaxes(0, 1))

    area, pixels = np.count_nonzero(visible, (1, 2)), np.count_nonzero(whole, (1, 2))
    poses = [pose for track in tracks for pose in track.poses]
    return {
        "boxes": over_time(_boxes(visible, corners)),
        "masks": canvas.ids[:, None] == ids[:, None, None],
        "area": over_time(area),
        "full_boxes": over_time(_boxes(whole, [window[:2] for window in windows])),
        "visibility": over_time(area / np.maximum(pixels, 1)),
        "semantic": canvas.labels,
        "depth": canvas.depth,
        "normals": canvas.normals,
        "poses": over_time(_rows(poses)),
        "object_depth": over_time([pose.depth for pose in poses]),
    }


def _boxes(inside: np.ndarray, corners: list[tuple[int, int]]) -> np.ndarray:
    """Tight boxes (N, 4) on the edges of pixels, of windows (N, h, w) with these corners (x, y).

    Zeros for what is smaller than a pixel.
    """
    boxes = boxes_of(inside)
    offset = np.array(corners, np.float32).reshape(-1, 1, 2)
    found = boxes[:, 2:3] > 0
    return (boxes.reshape(-1, 2, 2) + offset).reshape(-1, 4) * found


def _rows(poses: list[Pose]) -> np.ndarray:
    rows = [(p.x, p.y, p.radius, degrees(atan2(p.sin, p.cos))) for p in poses]
    return np.array(rows, np.float32).reshape(-1, 4)
