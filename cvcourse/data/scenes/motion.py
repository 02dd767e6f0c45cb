"""How objects and the camera move, and where every point of the picture goes.

Time runs from -1/2 to 1/2 over a clip, and the layout of the scene is that of its middle. Objects
move in planes of constant depth; the camera translates, so near things pass faster than far ones
(weak perspective: one scale per object, that of its back plane; the leaning wall moves exactly).
"""

from math import cos, pi, radians, sin
from typing import NamedTuple

import numpy as np

from .canvas import Wall
from .randomness import Stream
from .things import Pose

ACTIONS = ("still", "left", "right", "up", "down", "clockwise", "counterclockwise",
           "grow", "shrink", "shake")  # fmt: skip
WANDER = "wander"  # every object on its own way; for optical flow and tracking
ROOM = 1.4  # the most that an object grows
_DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
_STEP, _TURN, _GROWTH = 0.035, 9.0, 0.07  # per frame: sides of the picture, degrees, of the radius


Place = tuple[float, float, float]  # of the camera: x right, y down, z forward


class Motion(NamedTuple):
    """What an object does over the whole clip."""

    dx: float = 0.0  # pixels
    dy: float = 0.0
    turn: float = 0.0  # radians, clockwise
    pivot: float = 0.0  # distance, in radii, of the point it turns about
    growth: float = 0.0  # share of the radius
    shake: float = 0.0  # amplitude in pixels, left and right every four frames


def draw_motion(stream: Stream, action: str, frames: int, size: int, speed: float) -> Motion:
    """One object's part in an action, at its own pace."""
    steps = frames - 1
    pace = stream.uniform(0.5, 1.0) * speed
    far = min(pace * _STEP * steps, 0.8) * size
    turn = radians(min(pace * _TURN * steps, 330))
    growth = min(pace * _GROWTH * steps, 2 * (ROOM - 1))
    if action in _DIRECTIONS:
        x, y = _DIRECTIONS[action]
        return Motion(dx=x * far, dy=y * far)
    if action == "wander":
        angle, spin, swell = stream.uniform(0, 2 * pi), stream.uniform(-1, 1), stream.uniform(-1, 1)
        return Motion(far * cos(angle), far * sin(angle), spin * turn, 0.0, swell * growth / 2)
    return {
        "still": Motion(),
        "clockwise": Motion(turn=turn, pivot=0.7),
        "counterclockwise": Motion(turn=-turn, pivot=0.7),
        "grow": Motion(growth=growth),
        "shrink": Motion(growth=-growth),
        "shake": Motion(shake=pace * 1.2 * _STEP * size),
    }[action]


def draw_camera(stream: Stream, frames: int, strength: float) -> Place:
    """How far the camera goes over the clip, in units of depth (objects start at about 4)."""
    far = min(0.05 * (frames - 1) * strength, 2.0)
    return far * stream.uniform(-1, 1), far * stream.uniform(-1, 1), far * stream.uniform(-0.6, 0.6)


def time(frame: int, frames: int) -> float:
    return frame / (frames - 1) - 0.5 if frames > 1 else 0.0


def moved(pose: Pose, motion: Motion, frame: int, frames: int) -> Pose:
    """The pose in a frame, before the camera's own motion."""
    now = time(frame, frames)
    angle = motion.turn * now
    c, s = cos(angle), sin(angle)
    # The pivot lies on the object's own y axis; the centre goes around it.
    px, py = -pose.sin * motion.pivot * pose.radius, pose.cos * motion.pivot * pose.radius
    x = pose.x + motion.dx * now + px - (c * px - s * py)
    y = pose.y + motion.dy * now + py - (s * px + c * py)
    x += motion.shake * (0, 1, 0, -1)[frame % 4]
    radius = pose.radius * (1 + motion.growth * now)
    return Pose(x, y, radius, pose.cos * c - pose.sin * s, pose.sin * c + pose.cos * s, pose.depth)


def seen_from(place: Place, pose: Pose, focal: float, centre: float) -> Pose:
    """The pose as a camera at `place` sees it."""
    x, y, z = place
    scale = pose.depth / (pose.depth - z)
    return pose._replace(
        x=centre + (pose.x - centre - focal * x / pose.depth) * scale,
        y=centre + (pose.y - centre - focal * y / pose.depth) * scale,
        radius=pose.radius * scale,
        depth=pose.depth - z,
    )


def wall_from(wall: Wall, place: Place) -> Wall:
    """The wall as a camera at `place` sees it: same slant, other depth."""
    x, y, z = place
    return wall._replace(depth=wall.depth - (wall.a * x + wall.b * y + z))


def carry_wall(wall: Wall, step: Place, uv: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Where a grid (2, H, W) of a wall's points is seen after a camera's step (focal length 1)."""
    u, v = uv[0, :1], uv[1, :, :1]  # of the columns, and of the rows
    nearness = 1 + wall.a * u + wall.b * v
    nearness *= 1 / wall.depth
    for axis in (0, 1):
        np.multiply(nearness, step[axis], out=out[axis])
    np.subtract(uv, out, out=out)
    nearness *= step[2]
    np.subtract(1, nearness, out=nearness)
    out *= np.divide(1, nearness, out=nearness)
    return out


def carry_object(before: Pose, after: Pose, x: np.ndarray, y: np.ndarray):
    """Where points (x, y) of an object, in pixels, are seen once it is in another pose."""
    scale = after.radius / before.radius
    c = (before.cos * after.cos + before.sin * after.sin) * scale
    s = (before.cos * after.sin - before.sin * after.cos) * scale
    x, y = x - before.x, y - before.y
    return after.x + c * x - s * y, after.y + s * x + c * y
