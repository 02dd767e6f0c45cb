"""Optical flow between two frames of a clip, and what gets hidden."""

import numpy as np
import torch
from torch import Tensor

from .canvas import Canvas
from .motion import Place, carry_object, carry_wall


def pixel_grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """x (1, W) and y (H, 1) of the centres of pixels."""
    centres = np.arange(size) + 0.5
    return centres[None], centres[:, None]


def clip_flow(frames: list[Canvas], places: list[Place]) -> dict[str, Tensor]:
    """Flow (T-1, 2, H, W) and `occluded` (T-1, H, W) of a clip whose camera was at these places."""
    size = frames[0].size
    flow = np.zeros((len(frames) - 1, 2, size, size), np.float32)
    occluded = np.zeros((len(frames) - 1, size, size), bool)
    for t in range(len(frames) - 1):
        step = tuple(b - a for a, b in zip(places[t], places[t + 1], strict=True))
        flow[t], occluded[t] = _flow(frames[t], frames[t + 1], step)
    return {"flow": torch.from_numpy(flow), "occluded": torch.from_numpy(occluded)}


def _flow(before: Canvas, after: Canvas, step: Place) -> tuple[np.ndarray, np.ndarray]:
    size, focal, centre = before.size, before.focal, before.size / 2
    x, y = pixel_grid(size)
    u, v = carry_wall(before.wall, step, (x - centre) / focal, (y - centre) / focal)
    goal = np.stack([u, v]) * focal + centre  # (2, H, W), where each pixel goes
    for number, ((_, old), (_, new)) in enumerate(
        zip(before.objects, after.objects, strict=True), 1
    ):
        rows, columns = np.nonzero(before.ids == number)
        goal[:, rows, columns] = carry_object(old, new, columns + 0.5, rows + 0.5)
    j, i = np.floor(goal).astype(np.int64)
    leaves = (i < 0) | (i >= size) | (j < 0) | (j >= size)
    covered = after.ids[i.clip(0, size - 1), j.clip(0, size - 1)] != before.ids
    goal[0] -= x
    goal[1] -= y
    return goal, leaves | covered
