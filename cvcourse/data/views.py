"""Simulated views with exact depth: a photograph on a wall, and striped things at depths of their
own before it, as a camera that moves sees them; the nearest may move too.

What a single picture tells of depth is as in the world: stripes are equally wide on every thing, so
that they look wider on near ones, and haze pales what is far. Numbers come from the streams of
`cvcourse.data.scenes`: a view is a function of its split, seed and index alone.
"""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cvcourse.data.scenes import backgrounds
from cvcourse.data.scenes.options import check, check_one
from cvcourse.data.scenes.randomness import SPLITS, Stream
from cvcourse.data.scenes.sampling import look_up_mirrored
from cvcourse.data.scenes.shapes import SHAPES

WALL = 4.0  # depth of the photograph
DEPTHS = (1.3, 3.0)  # of things
FOCAL = 1.2  # in sides of the picture
_KINDS = ("disk", "square", "diamond", "hexagon")
_PERIOD, _HAZE, _HAZE_DEPTH = 0.2, np.array([0.72, 0.76, 0.8], np.float32), 6.0


class _Thing(NamedTuple):
    kind: str
    place: tuple[float, float, float]  # x right, y down, z forward
    velocity: tuple[float, float]  # x, y, over the whole film
    radius: float
    colors: np.ndarray  # (2, 3)
    upright: bool  # stripes


class Views(Dataset):
    """`views[i]` gives frames (T, 3, size, size) float32 in [0, 1] and a target:

    depth (T, size, size)       float32, z along the camera's axis; of a pixel, what covers more
    moving (T, size, size)      bool, where the thing that moves is seen
    camera (T, 3)               float32, where the camera is: x right, y down, z forward
    poses (T, 4, 4)             float32, from the first camera's coordinates to those of frame t
    intrinsics (3, 3)           float32, in pixels, whole coordinates are pixel centres

    `views.look(i, time, place)` is what a camera at any place sees at any time from 0 to 1.

    length      views
    frames      of which the first camera is at the origin; the camera goes in a straight line
    size        of a picture's side
    things      before the wall, far to near, at depths from 1.3 to 3; the wall is at 4
    reach       how far the camera goes at most to either side; a third of it up, down, to and fro
    motion      1 lets the nearest thing go by up to 0.5 over the film; 0 is a still world
    bulge       how far the middle of the nearest thing stands out towards the camera, in its radii:
                a paraboloid that is flat at the rim's depth; 0 is a flat thing
    seed, split as in `cvcourse.data.scenes.Scenes`

    Raises ValueError for options outside their range.
    """

    def __init__(
        self,
        length: int,
        *,
        frames: int = 2,
        size: int = 48,
        things: int = 2,
        reach: float = 0.17,
        motion: float = 0.0,
        bulge: float = 0.0,
        seed: int = 0,
        split: str = "train",
    ):
        self.length = check("length", length, "a whole number, 0 or more", Integral, 0, 2**62)
        self.frames = check("frames", frames, "a whole number from 1 to 1000", Integral, 1, 1000)
        self.size = check("size", size, "a whole number from 16 to 2048", Integral, 16, 2048)
        self.things = check("things", things, "a whole number from 0 to 20", Integral, 0, 20)
        self.reach = check("reach", reach, "a length from 0 to 1", Real, 0, 1)
        self.motion = check("motion", motion, "a strength from 0 to 2", Real, 0, 2)
        self.bulge = check("bulge", bulge, "a number from 0 to 0.5", Real, 0, 0.5)
        self.seed = check("seed", seed, "a whole number from 0 to 2**60", Integral, 0, 2**60)
        check_one("split", split, SPLITS)
        self.split = split

    def __len__(self) -> int:
        return self.length

    @property
    def intrinsics(self) -> Tensor:
        centre = (self.size - 1) / 2
        rows = [[FOCAL * self.size, 0, centre], [0, FOCAL * self.size, centre], [0, 0, 1]]
        return torch.tensor(rows, dtype=torch.float32)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        if not 0 <= index < self.length:
            raise IndexError(f"index must be from 0 to {self.length - 1}, got {index}")
        photograph, things, way = self._draw(index)
        times = np.linspace(0, 1, self.frames) if self.frames > 1 else np.zeros(1)
        places = [tuple(float(distance * time) for distance in way) for time in times]
        seen = [self._look(photograph, things, *when) for when in zip(times, places, strict=True)]
        images, depth, moving = (np.stack(parts) for parts in zip(*seen, strict=True))
        camera = torch.tensor(places, dtype=torch.float32)
        poses = torch.eye(4).repeat(self.frames, 1, 1)
        poses[:, :3, 3] = -camera
        target = {"depth": torch.from_numpy(depth), "moving": torch.from_numpy(moving)}
        target |= {"camera": camera, "poses": poses, "intrinsics": self.intrinsics}
        return torch.from_numpy(images), target

    def look(
        self, index: int, time: float, place: tuple[float, float, float]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Picture (3, size, size), depth and where the moving thing is (size, size)."""
        seen = self._look(*self._draw(index)[:2], time, place)
        return tuple(torch.from_numpy(part) for part in seen)

    def _draw(self, index: int):
        stream = Stream(self.split, self.seed, index, video=True)
        photograph = backgrounds.draw_moving(stream, self.split, self.size, "photograph")
        depths = sorted((stream.uniform(*DEPTHS) for _ in range(self.things)), reverse=True)
        things = [self._draw_thing(stream, z) for z in depths]
        if things:
            heading = [stream.uniform(0.25, 0.5), stream.uniform(-0.2, 0.2)]
            heading[0] *= -1 if things[-1].place[0] > 0 else 1  # towards the middle
            things[-1] = things[-1]._replace(velocity=tuple(self.motion * v for v in heading))
        way = [stream.uniform(-1, 1) * self.reach * share for share in (1, 1 / 3, 1 / 3)]
        return photograph, things, way

    def _draw_thing(self, stream: Stream, z: float) -> _Thing:
        x, y = (stream.uniform(-0.35, 0.35) * z / FOCAL for _ in range(2))
        kind = _KINDS[stream.integer(len(_KINDS))]
        dark = np.array([stream.uniform(0, 0.5) for _ in range(3)], np.float32)
        bright = dark + np.array([stream.uniform(0.2, 0.5) for _ in range(3)], np.float32)
        radius, upright = stream.uniform(0.22, 0.4), stream.integer(2) == 1
        return _Thing(kind, (x, y, z), (0.0, 0.0), radius, np.stack([dark, bright]), upright)

    def _look(self, photograph, things: list[_Thing], time: float, place):
        size, focal = self.size, FOCAL * self.size
        across = ((np.arange(size) - (size - 1) / 2) / focal).astype(np.float32)
        u, v = across[None].repeat(size, 0), across[:, None].repeat(size, 1)
        z = WALL - place[2]
        pixels, middle_x, middle_y = photograph
        columns = middle_x + (u * z + place[0]) * (focal / WALL)
        rows = middle_y + (v * z + place[1]) * (focal / WALL)
        image = look_up_mirrored(pixels, columns.astype(np.float32), rows.astype(np.float32))
        image = _hazed(image, WALL)
        depth, moving = np.full((size, size), z, np.float32), np.zeros((size, size), bool)
        for thing in things:
            z = flat = thing.place[2] - place[2]
            middle = [p + v * time for p, v in zip(thing.place, thing.velocity, strict=False)]
            x, y = (u * z + place[0] - middle[0]), (v * z + place[1] - middle[1])
            if self.bulge and thing is things[-1]:
                x, y, z = self._meet(u, v, x, y, z, thing.radius)
            distance = SHAPES[thing.kind](x / thing.radius, y / thing.radius, (0.5,) * 4)
            cover = np.clip(0.5 - distance * (thing.radius * focal / flat), 0, 1)
            wave = 0.5 + 0.5 * np.sin((x if thing.upright else y) * (2 * np.pi / _PERIOD))
            dark, bright = thing.colors[:, :, None, None]
            color = _hazed(dark + wave * (bright - dark), thing.place[2])
            image = image + cover * (color - image)
            nearer = cover > 0.5
            depth[nearer] = z if z is flat else z[nearer]
            moving[nearer] = any(thing.velocity)
        return image.astype(np.float32), depth, moving

    def _meet(self, u, v, x, y, flat: float, radius: float):
        """Where rays meet a paraboloid whose rim is at depth `flat`: x, y from its axis, and z."""
        z, middle_x, middle_y = flat, u * flat - x, v * flat - y
        for _ in range(12):  # each halves the error at least: 2 · 0.5 · u < 0.5
            z = flat - self.bulge * radius * np.clip(1 - (x * x + y * y) / radius**2, 0, 1)
            x, y = u * z - middle_x, v * z - middle_y
        return x, y, z.astype(np.float32)


def _hazed(color: np.ndarray, z: float) -> np.ndarray:
    """As much paler as what is at depth z looks from the first camera."""
    share = np.float32(np.exp(-z / _HAZE_DEPTH))
    return share * color + (1 - share) * _HAZE[:, None, None]
