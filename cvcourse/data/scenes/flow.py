"""Optical flow between two frames of a clip, and what gets hidden."""

import numpy as np
import torch
from torch import Tensor

from .canvas import Canvas
from .motion import Place, carry_object, carry_wall
from .things import distance, object_coordinates


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
    size, focal, centre, ids = before.size, before.focal, before.size / 2, before.ids
    x, y = pixel_grid(size)
    goal = np.stack(carry_wall(before.wall, step, (x - centre) / focal, (y - centre) / focal))
    goal *= focal
    goal += centre  # (2, H, W), where each pixel goes
    poses = zip((pose for _, pose in before.objects), after.objects, strict=True)
    for number, (pose, (_, next_pose)) in enumerate(poses, 1):
        rows, columns = np.nonzero(ids == number)
        goal[:, rows, columns] = carry_object(pose, next_pose, columns + 0.5, rows + 0.5)
    occluded = ((goal < 0) | (goal >= size)).any(0)
    for number, (thing, pose) in enumerate(after.objects, 1):
        reach = pose.radius + 1
        near = ids < number  # behind this object, and maybe under it
        near &= np.abs(goal[0] - pose.x) < reach
        near &= np.abs(goal[1] - pose.y) < reach
        there = np.nonzero(near)
        place = object_coordinates(pose, *goal[:, *there].astype(np.float32))
        occluded[there] |= distance(thing, *place) <= 0
    goal[0] -= x
    goal[1] -= y
    return goal, occluded
