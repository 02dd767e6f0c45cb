"""Stick figures over photographs, with the places of their joints: people for a pose network.

A figure is seen from the front or from behind. Its head tells, and its clothes, which are darker on
the left arm and leg. A figure with a hood has neither: both sides are alike, and nothing in the
picture tells left from right. Each figure is a function of its split, seed and index alone.
"""

from math import cos, radians, sin
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.data.scenes import backgrounds
from cvcourse.data.scenes.options import check, check_one
from cvcourse.data.scenes.randomness import SPLITS, Stream
from cvcourse.data.scenes.surfaces import PALETTE

JOINTS = (
    "head", "neck", "hip", "left elbow", "right elbow", "left hand", "right hand",
    "left knee", "right knee", "left foot", "right foot",
)  # fmt: skip
LIMBS = ((0, 1), (1, 2), (1, 3), (1, 4), (3, 5), (4, 6), (2, 7), (2, 8), (7, 9), (8, 10))
MIRRORED = (0, 1, 2, 4, 3, 6, 5, 8, 7, 10, 9)  # the joint of the other side
_ABOUT = 2**63 + 2**61  # added to a figure's index: random numbers of their own
_DARKER = 0.35  # of the clothes on the left arm and leg
_MARGIN = 4.0  # pixels between any joint and the border, of 64
_SKIN, _HAIR, _EYE = (0.87, 0.66, 0.52), (0.18, 0.12, 0.08), (0.08, 0.08, 0.10)


class StickFigures(NamedTuple):
    """Pictures in [0, 1]; joints (x, y) in pixels, centres of pixels at whole numbers."""

    images: Float[Tensor, "count 3 size size"]
    joints: Float[Tensor, "count 11 2"]  # in the order of JOINTS
    front: Bool[Tensor, " count"]  # seen from the front: its left is at our right
    hooded: Bool[Tensor, " count"]  # both sides alike
    area: Float[Tensor, " count"]  # pixels that the figure covers


def stick_figures(
    count: int, split: str = "train", *, seed: int = 0, size: int = 64, hooded: float = 0.25
) -> StickFigures:
    """`count` figures; hooded: the share of them of which both sides are alike.

    Raises ValueError for options outside their range.
    """
    check("count", count, "a whole number from 1 to 2**31", int, 1, 2**31)
    check("size", size, "a whole number from 32 to 512", int, 32, 512)
    check("hooded", hooded, "a share from 0 to 1", (int, float), 0, 1)
    check_one("split", split, SPLITS)
    drawn = [_figure(Stream(split, seed, _ABOUT + i), split, size, hooded) for i in range(count)]
    parts = zip(*drawn, strict=True)
    return StickFigures(*(torch.stack([torch.as_tensor(x) for x in part]) for part in parts))


def _figure(stream: Stream, split: str, size: int, share: float):
    front, hooded = stream.uniform() < 0.5, stream.uniform() < share
    height = size * stream.uniform(0.6, 0.85)
    places = _pose(stream) * height
    low, high = places.min(0), places.max(0)
    room = size - 1 - 2 * _MARGIN * size / 64
    places *= min(1.0, room / (high - low).max())
    low, high = places.min(0), places.max(0)
    free = size - 1 - (high - low) - 2 * _MARGIN * size / 64
    places += _MARGIN * size / 64 - low + free * (stream.uniform(), stream.uniform())
    picture = backgrounds.draw_still(stream, split, size, "photograph").copy()
    covered = _draw(stream, picture, places, height, front, hooded)
    picture += 0.02 * stream.noise(picture.shape)
    joints = places[list(MIRRORED)] if front else places
    joints = joints.astype(np.float32)
    return picture.clip(0, 1), joints, front, hooded, np.float32(covered.sum())


def _pose(stream: Stream) -> np.ndarray:
    """(11, 2) in heights of a figure, the hip at 0; the limbs at our left first."""
    lean = radians(stream.uniform(-25, 25))
    places = np.zeros((11, 2))

    def go(to: int, start: int, angle: float, length: float) -> None:  # 0 is down, + to our right
        places[to] = places[start] + length * np.array([sin(angle + lean), cos(angle + lean)])

    go(1, 2, radians(180), 0.3)
    go(0, 1, radians(180 + stream.uniform(-15, 15)), 0.15)
    for side, sign in enumerate((-1, 1)):
        arm = stream.uniform(-15, 150)
        go(3 + side, 1, sign * radians(arm), 0.18)
        go(5 + side, 3 + side, sign * radians(arm + stream.uniform(-60, 100)), 0.17)
        leg = stream.uniform(-10, 55)
        go(7 + side, 2, sign * radians(leg), 0.22)
        go(9 + side, 7 + side, sign * radians(leg - stream.uniform(-10, 70)), 0.21)
    return places


def _draw(stream: Stream, picture, places, height: float, front: bool, hooded: bool) -> np.ndarray:
    """Paint into `picture`; gives the covered share of each pixel."""
    size = picture.shape[1]
    y, x = np.mgrid[:size, :size].astype(np.float64)
    names = list(PALETTE)
    shirt, trousers = (_tint(stream, PALETTE[names[stream.integer(len(names))]]) for _ in "ab")
    covered = np.zeros((size, size))

    def paint(distance, radius: float, colour) -> None:
        share = np.clip(radius + 0.5 - distance, 0, 1)
        picture[:] = picture * (1 - share) + np.array(colour)[:, None, None] * share
        np.maximum(covered, share, out=covered)

    def limb(a: int, b: int, radius: float, colour) -> None:
        (ax, ay), along = places[a], places[b] - places[a]
        t = np.clip(((x - ax) * along[0] + (y - ay) * along[1]) / (along @ along), 0, 1)
        paint(np.hypot(x - ax - t * along[0], y - ay - t * along[1]), radius, colour)

    thick = 0.032 * height

    def sleeve(b: int, colour) -> tuple[float, ...]:  # of the limb that ends at joint b
        at_our_left = b % 2 == 1
        return colour if hooded or at_our_left == front else tuple(_DARKER * c for c in colour)

    for a, b in LIMBS[6:]:
        limb(a, b, thick, sleeve(b, trousers))
    limb(1, 2, 1.5 * thick, shirt)
    for a, b in LIMBS[2:6]:
        limb(a, b, 0.85 * thick, sleeve(b, shirt))
    limb(0, 1, thick, _SKIN if not hooded else shirt)
    (hx, hy), radius = places[0], 0.085 * height
    paint(np.hypot(x - hx, y - hy), radius, shirt if hooded else _SKIN if front else _HAIR)
    if front and not hooded:
        for sign in (-1, 1):
            eye = np.hypot(x - hx - sign * 0.4 * radius, y - hy + 0.15 * radius)
            paint(eye, 0.22 * radius, _EYE)
    return covered


def _tint(stream: Stream, colour) -> tuple[float, ...]:
    return tuple(min(max(c + stream.uniform(-0.07, 0.07), 0.02), 0.98) for c in colour)
