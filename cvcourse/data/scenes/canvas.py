"""Painting a frame: objects over a wall, the farthest first, keeping the truth about every pixel.

The canvas holds colour, shading and shadow apart, as a renderer's G-buffer does, and multiplies
them at the end. Edges of objects are anti-aliased: a pixel takes the share of colour that the
object covers of it. Truth is not blended: a pixel belongs to the nearest object that covers half of
it or more, that is, whose outline contains the pixel's centre.
"""

from math import ceil, floor, sqrt
from typing import NamedTuple

import numpy as np

from . import light as lighting
from . import things
from .light import Light
from .things import Pose, Thing


class Wall(NamedTuple):
    """The plane behind everything: depth / (1 + a u + b v), with u, v from the picture's centre in
    units of the focal length."""

    depth: float
    a: float
    b: float


class Extent(NamedTuple):
    """All of an object, as if nothing hid it and the picture had no border."""

    inside: np.ndarray  # (h, w) bool
    left: int  # of that window, in pixels from the left edge of the picture
    top: int

    def box(self) -> tuple[int, int, int, int]:
        """Tight box on the edges of pixels; zeros for what is smaller than a pixel."""
        columns, rows = np.flatnonzero(self.inside.any(0)), np.flatnonzero(self.inside.any(1))
        if len(columns) == 0:
            return 0, 0, 0, 0
        x, y = self.left, self.top
        return x + columns[0], y + rows[0], x + columns[-1] + 1, y + rows[-1] + 1

    def mask(self, size: int) -> np.ndarray:
        """The part in the picture, (size, size) bool."""
        picture = np.zeros((size, size), bool)
        rows, columns, inner = _overlap(self.left, self.top, self.inside.shape, size)
        picture[rows, columns] = self.inside[inner]
        return picture


class Canvas:
    def __init__(self, background: np.ndarray, wall: Wall, light: Light, focal: float):
        size = background.shape[1]
        self.size, self.wall, self.light, self.focal = size, wall, light, focal
        self.objects: list[tuple[Thing, Pose]] = []
        self.extents: list[Extent] = []  # of the objects, hidden or not
        steps = (np.arange(size, dtype=np.float32) + (0.5 - size / 2)) * (1 / focal)
        self.depth = wall.depth / (steps * wall.a + (steps * wall.b + 1)[:, None])  # (H, W)
        length = sqrt(1 + wall.a**2 + wall.b**2)
        facing = np.array([-wall.a / length, -wall.b / length, 1 / length], np.float32)
        self.normals = np.empty((3, size, size), np.float32)
        self.normals[:] = facing[:, None, None]
        self.albedo = background  # (3, H, W)
        self.shade = np.full((size, size), lighting.lambert(light, facing[:, None]), np.float32)
        self.shine = np.zeros((size, size), np.float32)
        self.lit = np.ones((size, size), np.float32)  # share of the direct light that arrives
        self.alpha = np.zeros((size, size), np.float32)  # share of the pixel that objects cover
        self.ids = np.zeros((size, size), np.uint8)  # 0 the wall, k the k-th object added

    def add(self, thing: Thing, pose: Pose, shadow: float) -> None:
        """Put an object, and its shadow, in front of all that were added before."""
        self._cast_shadow(thing, pose, shadow)
        self.objects.append((thing, pose))
        self.extents.append(self._paint(len(self.objects), thing, pose))

    def _cast_shadow(self, thing: Thing, pose: Pose, strength: float) -> None:
        """Darken what lies behind an object that is about to be painted.

        From each point seen, a ray to the light crosses the object's back plane; if it does so
        within the outline, the point is in shadow. A point at depth z with picture coordinates u
        (from the centre) crosses the plane at depth z_k at  u z / z_k + f (z / z_k - 1) l / l_z.
        """
        if strength == 0 or self.light.ambient == 1:
            return
        lx, ly, lz = self.light.direction
        shift_x, shift_y = self.focal * lx / lz, self.focal * ly / lz
        centre = self.size / 2
        # Where the shadow may fall: between the object itself and its shadow on the farthest point.
        far = float(self.depth.max()) / pose.depth
        x = (pose.x - centre - (far - 1) * shift_x) / far + centre
        y = (pose.y - centre - (far - 1) * shift_y) / far + centre
        margin = pose.radius + 2 + self.light.softness * self.focal * (far - 1)
        rows = _inside(min(y, pose.y) - margin, max(y, pose.y) + margin, self.size)
        columns = _inside(min(x, pose.x) - margin, max(x, pose.x) + margin, self.size)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        ratio = self.depth[rows, columns] * (1 / pose.depth)
        px = np.arange(columns.start, columns.stop, dtype=np.float32) + (0.5 - centre + shift_x)
        py = np.arange(rows.start, rows.stop, dtype=np.float32) + (0.5 - centre + shift_y)
        px = ratio * px + (centre - shift_x)
        py = ratio * py[:, None] + (centre - shift_y)
        d = things.distance(thing, *things.object_coordinates(pose, px, py)) * pose.radius
        edge = 1 + self.light.softness * self.focal * (ratio - 1)
        dark = np.clip(0.5 - d / edge, 0, 1)
        dark = np.minimum(dark * strength, 1)
        lit = self.lit[rows, columns]
        np.minimum(lit, 1 - dark, out=lit)

    def _paint(self, number: int, thing: Thing, pose: Pose) -> Extent:
        margin = pose.radius + 1.5
        left, top = floor(pose.x - margin), floor(pose.y - margin)
        px = np.arange(left, ceil(pose.x + margin), dtype=np.float32) + 0.5
        py = np.arange(top, ceil(pose.y + margin), dtype=np.float32) + 0.5
        x, y = things.object_coordinates(pose, px, py[:, None])
        d = things.distance(thing, x, y)
        extent = Extent(d <= 0, left, top)
        rows, columns, inner = _overlap(left, top, d.shape, self.size)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return extent

        normals, rise = things.relief(thing, d, 1 / pose.radius)
        normals, rise, x, y, d = normals[:, *inner], rise[inner], x[inner], y[inner], d[inner]
        cover = np.clip(0.5 - d * pose.radius, 0, 1)
        gloss = thing.gloss * self.light.gloss
        shine = lighting.highlight(self.light, normals) * gloss if gloss else 0
        here = rows, columns
        _blend(self.albedo[:, *here], cover, things.albedo(thing, x, y, 1 / pose.radius))
        _blend(self.shade[here], cover, lighting.lambert(self.light, normals))
        _blend(self.shine[here], cover, shine)
        _blend(self.lit[here], cover, 1)
        _blend(self.alpha[here], cover, 1)

        inside = extent.inside[inner]
        depth = pose.depth - rise * (pose.radius * pose.depth / self.focal)
        np.copyto(self.depth[here], depth, where=inside)
        np.copyto(self.normals[:, *here], normals, where=inside)
        np.copyto(self.ids[here], number, where=inside)
        return extent

    @property
    def shading(self) -> np.ndarray:
        """The factor (H, W) between albedo and a matte picture under white light."""
        return lighting.brightness(self.light, self.shade, self.lit)

    def image(self) -> np.ndarray:
        """What a perfect camera sees: (3, H, W), not yet cut off at 1."""
        picture = self.albedo * self.shading
        if self.light.gloss:
            picture += self.shine * self.lit
        picture *= np.array(self.light.color, np.float32)[:, None, None]
        return picture


def _blend(below: np.ndarray, cover: np.ndarray, above) -> None:
    below += cover * (above - below)


def _overlap(left: int, top: int, shape: tuple[int, int], size: int):
    """Rows and columns of the picture that a window covers, and the same part of the window."""
    rows = slice(max(top, 0), min(top + shape[0], size))
    columns = slice(max(left, 0), min(left + shape[1], size))
    inner = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    return rows, columns, inner


def _inside(low: float, high: float, size: int) -> slice:
    return slice(max(floor(low), 0), min(ceil(high), size))
