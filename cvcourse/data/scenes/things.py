"""One object: what it is, where it is, and how far any point is from its outline."""

from math import cos, radians, sin, sqrt
from typing import NamedTuple

import numpy as np

from . import cutouts, surfaces
from .cutouts import Cutout
from .glyphs import GLYPHS
from .randomness import Stream
from .sampling import look_up
from .shapes import SHAPES, Variant
from .surfaces import Skin

OUTLINES = SHAPES | GLYPHS
KINDS = (*OUTLINES, *cutouts.DIGITS, *cutouts.CUTOUTS)
CLASSES = ("background", "disk", "square", "triangle", "star", "ring", "cross", "heart", "crescent")
DIGITS = ("background", *cutouts.DIGITS)
RENDERED_DIGITS = ("background", *GLYPHS)
_UPRIGHT = {*cutouts.DIGITS, *GLYPHS, "digit", "face", "horse"}
_LEAN = 15.0  # degrees, the most that those are turned
_ROUNDNESS = 0.9  # sine of the slope at the outline: 1 would be a half circle in profile
_FLOOR = sqrt(1 - _ROUNDNESS**2)


class Thing(NamedTuple):
    label: int
    kind: str
    variant: Variant
    cutout: Cutout | None
    skin: Skin
    bevel: float  # how far in from the outline the surface is rounded, in radii; 0 is flat
    gloss: float


class Pose(NamedTuple):
    x: float  # of the centre, in pixels from the left edge
    y: float
    radius: float  # pixels
    cos: float  # of the angle, clockwise on the screen
    sin: float
    depth: float  # of its back plane


class Path(NamedTuple):
    """Poses in T frames: arrays (T, 1, 1), float32 but for `pixel`; numbers for a single frame."""

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    cos: np.ndarray
    sin: np.ndarray
    depth: np.ndarray
    pixel: np.ndarray  # float64, the size of a pixel in radii


def path(poses: list[Pose]) -> Path:
    if len(poses) == 1:
        return Path(*poses[0], 1 / poses[0].radius)
    exact = np.array(poses).T[..., None, None]
    return Path(*exact.astype(np.float32), 1 / exact[2])


def draw_thing(stream: Stream, split: str, label: int, kind: str, texture: float) -> Thing:
    variant = tuple(stream.uniform() for _ in range(4))
    skin = surfaces.draw_skin(stream, split, texture)
    bevel = (0.0, 0.25, 0.5, 0.9)[stream.integer(4)]
    gloss = max(stream.uniform(-0.8, 1.0), 0.0)
    if kind in OUTLINES:
        return Thing(label, kind, variant, None, skin, bevel, gloss)
    cutout = cutouts.find(kind, split, variant[0])
    return Thing(label, kind, variant, cutout, skin, min(bevel, 0.1), gloss)


def draw_angle(stream: Stream, kind: str, limit: float) -> tuple[float, float]:
    """Cosine and sine of an angle within `limit` degrees."""
    limit = min(limit, _LEAN) if kind in _UPRIGHT else limit
    angle = radians(stream.uniform(-limit, limit))
    return cos(angle), sin(angle)


def object_coordinates(path: Path, x: np.ndarray, y: np.ndarray):
    """Pixel coordinates to the object's own, in radii."""
    scale = np.float32(path.pixel)
    x, y = (x - path.x) * scale, (y - path.y) * scale
    return x * path.cos + y * path.sin, y * path.cos - x * path.sin


def distance(thing: Thing, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance to the outline, in radii, at object coordinates."""
    if thing.cutout is None:
        return OUTLINES[thing.kind](x, y, thing.variant)
    outside = np.maximum(np.maximum(np.abs(x), np.abs(y)) - 1, 0)
    return look_up(thing.cutout.distance, x, y) + outside


def reach(thing: Thing) -> float:
    """How far from the centre an object may have pixels, in radii."""
    return 1 if thing.cutout is None else sqrt(2)


def albedo(thing: Thing, x: np.ndarray, y: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """Colours (3, T, h, w) at object coordinates (T, h, w); `pixel` is a pixel's size in radii."""
    if thing.cutout is not None and thing.cutout.picture is not None:
        tint = np.array([1.0, 0.93, 0.84], np.float32)[:, None, None, None]
        return look_up(thing.cutout.picture, x, y) * tint
    return surfaces.albedo(thing.skin, x, y, pixel)


def relief(
    thing: Thing, d: np.ndarray, pixel: np.ndarray, shapes: list[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (3, T, h, w), and height (T, h, w) above the back plane in radii.

    d: signed distances in radii, on pixels that are `pixel` radii apart, of which each frame
    has a part, of its shape. The surface rises from the outline as an arc of a circle over the
    width of the bevel, then it is flat. With s falling from ROUNDNESS at the outline to 0 at the
    bevel's end, the slope's tangent is s / sqrt(1 - s^2) along the gradient of d.
    """
    normal = np.zeros((3, *d.shape), np.float32)
    if thing.bevel == 0:
        normal[2] = 1
        return normal, np.zeros_like(d)
    s = d * (1 / thing.bevel)
    s += 1
    np.maximum(s, 0, out=s)
    np.minimum(s, 1, out=s)
    s *= _ROUNDNESS
    upright = np.sqrt(1 - s * s)
    s *= np.float32(0.5 / pixel)
    np.subtract(d[:, :, 2:], d[:, :, :-2], out=normal[0, :, :, 1:-1])
    np.subtract(d[:, 2:], d[:, :-2], out=normal[1, :, 1:-1])
    for t, (height, width) in enumerate(shapes):
        normal[0, t, :, width - 1 :] = 0
        normal[1, t, height - 1 :] = 0
    normal[:2] *= s
    normal[2] = upright
    normal *= 1 / np.sqrt(normal[0] ** 2 + normal[1] ** 2 + upright * upright)
    upright -= _FLOOR
    upright *= thing.bevel / _ROUNDNESS
    return normal, upright


def height(thing: Thing) -> float:
    """The most that the relief can rise above the back plane, in radii."""
    return thing.bevel / _ROUNDNESS * (1 - _FLOOR)
