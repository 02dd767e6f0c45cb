"""Optical flow between two frames of a clip, and what gets hidden."""

from functools import cache
from math import ceil, floor

import numpy as np
import torch
from torch import Tensor

from .canvas import Canvas, Track, Window, cut, overlap
from .motion import Place, carry_object, carry_wall
from .things import distance, object_coordinates, path, reach


@cache
def pixel_grid(size: int) -> np.ndarray:
    """x and y (2, H, W) of the centres of pixels, not to be written to."""
    centres = np.arange(size) + 0.5
    return np.stack(np.meshgrid(centres, centres))


def clip_flow(canvas: Canvas, places: list[Place]) -> dict[str, Tensor]:
    """Flow (T-1, 2, H, W) and `occluded` (T-1, H, W) of a clip whose camera was at these places."""
    size, steps = canvas.size, len(places) - 1
    pixels = pixel_grid(size)
    uv = (pixels - size / 2) / canvas.focal
    goal = np.empty((steps, 2, size, size))  # where each pixel goes
    flow = np.empty((steps, 2, size, size), np.float32)
    occluded = np.zeros((steps, size, size), bool)
    farthest = np.zeros(2)
    for t in range(steps):
        step = tuple(b - a for a, b in zip(places[t], places[t + 1], strict=True))
        carry_wall(canvas.walls[t], step, uv, out=goal[t])
        goal[t] *= canvas.focal
        goal[t] += size / 2
        for number, track in enumerate(canvas.tracks, 1):
            rows, columns = overlap(track.windows[t], size)[0]
            mine = canvas.ids[t, rows, columns] == number
            x, y = pixels[0, :1, columns], pixels[1, rows, :1]
            there = carry_object(*track.poses[t : t + 2], x, y)
            for axis, values in zip(goal[t], there, strict=True):
                np.copyto(axis[rows, columns], values, where=mine)
        flow[t] = goal[t] - pixels
        for axis in goal[t]:
            occluded[t] |= axis < 0
            occluded[t] |= axis >= size
        farthest = np.maximum(farthest, np.abs(flow[t]).max((1, 2)))
    for number, track in enumerate(canvas.tracks if steps else (), 1):
        _hide(occluded, goal, canvas.ids[:-1], number, track, farthest.tolist())
    return {"flow": torch.from_numpy(flow), "occluded": torch.from_numpy(occluded)}


def _hide(occluded, goal, ids, number: int, track: Track, farthest: tuple[float, float]) -> None:
    """Mark what goes under an object. No pixel goes farther than `farthest`, in x and in y."""
    poses, windows = track.poses[1:], []
    for pose in poses:
        x, y = (pose.radius + 2 + far for far in farthest)
        edges = floor(pose.x - x), floor(pose.y - y), ceil(pose.x + x), ceil(pose.y + y)
        windows.append(Window(*edges))
    there, corners = cut(goal, windows)
    hidden = cut(ids, windows)[0] < number  # behind this object
    x, y = there.astype(np.float32).swapaxes(0, 1)
    hidden &= distance(track.thing, *object_coordinates(path(poses), x, y)) <= 0
    if reach(track.thing) > 1:  # what sticks out of its circle is not painted
        middles = np.array(poses)[:, :2, None, None]
        margins = np.array([pose.radius + 1 for pose in poses])[:, None, None, None]
        hidden &= (np.abs(there - middles) < margins).all(1)
    height, width = hidden.shape[1:]
    for picture, part, (x, y) in zip(occluded, hidden, corners, strict=True):
        picture[y : y + height, x : x + width] |= part
