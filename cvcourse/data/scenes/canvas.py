"""Painting frames: objects over a wall, the farthest first, keeping the truth about every pixel.

The canvas holds colour, shading and shadow apart, as a renderer's G-buffer does, and multiplies
them at the end. Edges of objects are anti-aliased: a pixel takes the share of colour that the
object covers of it. Truth is not blended: a pixel belongs to the nearest object that covers half of
it or more, that is, whose outline contains the pixel's centre.
"""

from functools import cache
from itertools import cycle
from math import ceil, floor, sqrt
from typing import NamedTuple

import numpy as np

from . import light as lighting
from . import things
from .light import Light
from .things import Path, Pose, Thing


class Wall(NamedTuple):
    """The plane behind everything: depth / (1 + a u + b v), with u, v from the picture's centre in
    units of the focal length."""

    depth: float
    a: float
    b: float


class Window(NamedTuple):
    """A part of a picture, maybe beyond its border; in pixels from its left and upper edge."""

    left: int
    top: int
    right: int
    bottom: int


class Track(NamedTuple):
    """An object in T frames, all of it, as if nothing hid it and the picture had no border."""

    thing: Thing
    poses: list[Pose]
    windows: list[Window]  # of each frame, around the object
    inside: np.ndarray  # (T, h, w) bool, from the left and upper edge of these windows

    def masks(self, size: int) -> np.ndarray:
        """The part in the picture, (T, size, size) bool."""
        pictures = np.zeros((len(self.inside), size, size), bool)
        for picture, window, inside in zip(pictures, self.windows, self.inside, strict=True):
            here, inner = overlap(window, size)
            picture[here] = inside[inner]
        return pictures


class Canvas:
    """The T frames of a clip, each object painted in all of them at once. A still is a clip of one.

    `albedo` (T, 3, H, W) is for the background, before objects are added. The walls, one for each
    frame, have the same slant.
    """

    def __init__(self, size: int, focal: float, walls: list[Wall], light: Light):
        _keep_pages()
        frames = len(walls)
        self.size, self.focal, self.walls, self.light = size, focal, walls, light
        self.tracks: list[Track] = []  # of the objects, hidden or not
        _, a, b = walls[0]
        steps = (np.arange(size, dtype=np.float32) + (0.5 - size / 2)) * (1 / focal)
        depths = np.array([wall.depth for wall in walls], np.float32)[:, None, None]
        self.depth = depths / (steps * a + (steps * b + 1)[:, None])  # (T, H, W)
        length = sqrt(1 + a**2 + b**2)
        facing = np.array([-a / length, -b / length, 1 / length], np.float32)
        self.normals = np.empty((frames, 3, size, size), np.float32)
        self.normals[:] = facing[:, None, None]
        self.layers = np.empty((frames, 7, size, size), np.float32)  # what objects blend into
        self.albedo = self.layers[:, :3]
        self.shade, self.shine, self.lit, self.alpha = self.layers[:, 3:].swapaxes(0, 1)
        self.shade[:] = lighting.lambert(light, facing[:, None])
        self.shine[:] = 0
        self.lit[:] = 1  # share of the direct light that arrives
        self.alpha[:] = 0  # share of the pixel that objects cover
        self.falloff = lighting.falloff(light, size)
        self.ids = np.zeros((frames, size, size), np.uint8)  # 0 the wall, k the k-th object added
        self.labels = np.zeros((frames, size, size), np.int64)

    def add(self, thing: Thing, poses: list[Pose], shadow: float) -> None:
        """Put an object, and its shadow, in front of all that were added before."""
        path = things.path(poses)
        if shadow > 0 and self.light.ambient < 1:
            self._cast_shadow(thing, poses, path, shadow)
        windows = [_around(pose) for pose in poses]
        inside = self._paint(thing, poses, path, windows)
        self.tracks.append(Track(thing, poses, windows, inside))

    def _cast_shadow(self, thing: Thing, poses: list[Pose], path: Path, strength: float) -> None:
        """Darken what lies behind an object that is about to be painted.

        From each point seen, a ray to the light crosses the object's back plane; if it does so
        within the outline, the point is in shadow. A point at depth z with picture coordinates u
        (from the centre) crosses the plane at depth z_k at  u z / z_k + f (z / z_k - 1) l / l_z.
        """
        lx, ly, lz = self.light.direction
        shift_x, shift_y = self.focal * lx / lz, self.focal * ly / lz
        centre = self.size / 2
        farthest = self.depth.max((1, 2)).tolist()
        windows = [
            self._shaded(pose, far / pose.depth, shift_x, shift_y, things.reach(thing))
            for pose, far in zip(poses, farthest, strict=True)
        ]
        ratio, corners = cut(self.depth, windows)
        ratio *= np.array([1 / pose.depth for pose in poses], np.float32)[:, None, None]
        px, py = _grid(corners, *ratio.shape[1:])
        px = (px + (0.5 - centre + shift_x)) * ratio
        px += centre - shift_x
        py = (py + (0.5 - centre + shift_y)) * ratio
        py += centre - shift_y
        d = things.distance(thing, *things.object_coordinates(path, px, py))
        d *= path.radius
        ratio -= 1
        ratio *= self.light.softness * self.focal
        ratio += 1
        d /= ratio  # in widths of the shadow's edge
        dark = np.subtract(0.5, d, out=d)
        dark *= strength
        np.maximum(dark, 0, out=dark)
        np.minimum(dark, min(strength, 1), out=dark)
        bright = np.subtract(1, dark, out=dark)
        for lit, shadow, window, (x, y) in zip(self.lit, bright, windows, corners, strict=True):
            left, top, right, bottom = window
            lit = lit[top:bottom, left:right]
            np.minimum(lit, shadow[top - y : bottom - y, left - x : right - x], out=lit)

    def _shaded(
        self, pose: Pose, far: float, shift_x: float, shift_y: float, reach: float
    ) -> Window:
        """Where a shadow may fall, between the object and its shadow on the farthest point."""
        centre = self.size / 2
        x = (pose.x - centre - (far - 1) * shift_x) / far + centre
        y = (pose.y - centre - (far - 1) * shift_y) / far + centre
        edge = 1 + self.light.softness * self.focal * (far - 1)
        most = pose.radius + 1 + edge
        # Distances are bounds: what is within half an edge by them may be 1.25 edges away.
        near = min(reach * pose.radius + 2, most)
        away = min((reach * pose.radius + 1.25 * edge) / far + 1, most)
        edges = (
            floor(min(x - away, pose.x - near)),
            floor(min(y - away, pose.y - near)),
            ceil(max(x + away, pose.x + near)),
            ceil(max(y + away, pose.y + near)),
        )
        return Window(*(min(max(edge, 0), self.size) for edge in edges))

    def _paint(self, thing: Thing, poses: list[Pose], path: Path, windows: list[Window]):
        """Paint an object; (T, h, w), which pixels are inside its outline."""
        height, width = extent(windows)
        x, y = _grid([window[:2] for window in windows], height, width)
        x, y = things.object_coordinates(path, x + 0.5, y + 0.5)
        d = things.distance(thing, x, y)  # (T, h, w), of which a frame's window may be a part
        shapes = [(window.bottom - window.top, window.right - window.left) for window in windows]
        normals, rise = things.relief(thing, d, path.pixel, shapes)
        inside = d <= 0
        for part, (height, width) in zip(inside, shapes, strict=True):
            part[height:] = part[:, width:] = False
        d *= path.radius
        cover = np.subtract(0.5, d, out=d)
        np.maximum(cover, 0, out=cover)
        np.minimum(cover, 1, out=cover)
        above = np.ones((len(windows), 7, *d.shape[1:]), np.float32)
        layers = above.swapaxes(0, 1)
        layers[:3] = things.albedo(thing, x, y, path.pixel)
        layers[3] = lighting.lambert(self.light, normals)
        gloss = thing.gloss * self.light.gloss
        layers[4] = lighting.highlight(self.light, normals) * gloss if gloss else 0
        scales = [pose.radius * pose.depth / self.focal for pose in poses]
        rise *= np.array(scales, np.float32)[:, None, None]
        depth = np.subtract(path.depth, rise, out=rise)
        number = len(self.tracks) + 1

        places = [overlap(window, self.size) for window in windows]
        below = np.zeros_like(above)
        for t, (here, inner) in enumerate(places):
            below[t][:, *inner] = self.layers[t][:, *here]
        above -= below
        above *= cover[:, None]
        below += above
        for t, (here, inner) in enumerate(places):
            self.layers[t][:, *here] = below[t][:, *inner]
            shown = inside[t][inner]
            np.copyto(self.depth[t][here], depth[t][inner], where=shown)
            np.copyto(self.normals[t][:, *here], normals[:, t][:, *inner], where=shown)
            np.copyto(self.ids[t][here], number, where=shown)
            np.copyto(self.labels[t][here], thing.label, where=shown)
        return inside

    def shading(self, t: int) -> np.ndarray:
        """The factor (H, W) between albedo and a matte picture under white light."""
        return lighting.brightness(self.light, self.shade[t], self.lit[t], self.falloff)

    def image(self, t: int, out: np.ndarray | None = None) -> np.ndarray:
        """What a perfect camera sees in frame t: (3, H, W), not yet cut off at 1."""
        picture = np.multiply(self.albedo[t], self.shading(t), out=out)
        if self.light.gloss:
            picture += self.shine[t] * self.lit[t]
        picture *= np.array(self.light.color, np.float32)[:, None, None]
        return picture


@cache
def _keep_pages() -> None:
    """Let the memory of one picture's arrays serve the next one's, once in a process.

    The C library of Linux gives a large array's pages back to the system, which has to clear them
    for the next array, until it has freed one that is larger still; 32 MB is the most it minds.
    """
    np.empty(24 * 2**20, np.uint8)


def _grid(corners: list[tuple[int, int]], height: int, width: int):
    """Columns (T, 1, w) and rows (T, h, 1), float32, of windows with these left and upper edges."""
    left, top = np.array(corners, np.float32).T[..., None, None]
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return left + columns, top + rows[:, None]


def _around(pose: Pose) -> Window:
    margin = pose.radius + 1.5
    left, top = floor(pose.x - margin), floor(pose.y - margin)
    return Window(left, top, ceil(pose.x + margin), ceil(pose.y + margin))


def extent(windows: list[Window]) -> tuple[int, int]:
    """The largest height and width."""
    height = max((window.bottom - window.top for window in windows), default=1)
    return height, max((window.right - window.left for window in windows), default=1)


def cut(pictures: np.ndarray, windows: list[Window]) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Cut N windows out of pictures (T, ..., H, W), taken in turn: N is T or a multiple of it.

    Gives pieces (N, ..., h, w) within the pictures, all as large as the largest, and their left
    and upper edges.
    """
    size = pictures.shape[-1]
    height, width = (min(length, size) for length in extent(windows))
    corners = [
        (min(max(window.left, 0), size - width), min(max(window.top, 0), size - height))
        for window in windows
    ]
    pieces = np.empty((len(windows), *pictures.shape[1:-2], height, width), pictures.dtype)
    for piece, picture, (x, y) in zip(pieces, cycle(pictures), corners, strict=False):
        piece[:] = picture[..., y : y + height, x : x + width]
    return pieces, corners


def overlap(window: Window, size: int):
    """Rows and columns of the picture that a window covers, and the same part of the window."""
    x, y, right, bottom = window
    left, right = min(max(x, 0), size), min(max(right, 0), size)
    top, bottom = min(max(y, 0), size), min(max(bottom, 0), size)
    inner = slice(top - y, bottom - y), slice(left - x, right - x)
    return (slice(top, bottom), slice(left, right)), inner
