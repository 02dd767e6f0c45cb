"""What objects are made of: a named colour, and a pattern painted on the surface."""

from typing import NamedTuple

import numpy as np

from . import backgrounds
from .randomness import Stream
from .sampling import look_up

PALETTE = {
    "red": (0.80, 0.14, 0.13), "orange": (0.93, 0.50, 0.12), "yellow": (0.93, 0.80, 0.18),
    "green": (0.24, 0.60, 0.22), "teal": (0.10, 0.58, 0.58), "blue": (0.15, 0.33, 0.78),
    "purple": (0.49, 0.22, 0.62), "pink": (0.93, 0.52, 0.68), "white": (0.90, 0.90, 0.88),
    "brown": (0.44, 0.27, 0.15),
}  # fmt: skip
COLORS = tuple(PALETTE)
PATTERNS = (
    "plain",
    "plain",
    "stripes",
    "checks",
    "dots",
    "stuff",
    "stuff",
)  # plain and stuff twice


class Skin(NamedTuple):
    color: int  # index in COLORS
    first: tuple[float, float, float]
    second: tuple[float, float, float]
    pattern: str
    period: float  # of the pattern, in radii
    stuff: np.ndarray | None  # (P, P) a piece of a photograph around 0, for "stuff"


def draw_skin(stream: Stream, split: str, strength: float) -> Skin:
    """A skin; `strength` scales how far its pattern and tint stray from the plain colour."""
    color = stream.integer(len(COLORS))
    tint = [stream.uniform(-0.07, 0.07) * strength for _ in range(3)]
    first = tuple(
        min(max(c + t, 0.02), 0.98) for c, t in zip(PALETTE[COLORS[color]], tint, strict=True)
    )
    target = 0.95 if sum(first) < stream.uniform(1.1, 1.9) else 0.10
    amount = stream.uniform(0.25, 0.65) * min(strength, 1.5)
    second = tuple(c + amount * (target - c) for c in first)
    pattern = PATTERNS[stream.integer(len(PATTERNS))] if strength > 0 else "plain"
    stuff = backgrounds.draw_stuff(stream, split) if pattern == "stuff" else None
    return Skin(color, first, second, pattern, stream.uniform(0.28, 0.6), stuff)


def albedo(skin: Skin, x: np.ndarray, y: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """Colours (3, T, h, w) at object coordinates; `pixel` is the size of a pixel in radii."""
    first = np.array(skin.first, np.float32)[:, None, None, None]
    if skin.pattern == "plain":
        return first
    second = np.array(skin.second, np.float32)[:, None, None, None]
    return first + _mixture(skin, x, y, pixel) * (second - first)


def _mixture(skin: Skin, x, y, pixel: np.ndarray) -> np.ndarray:
    """How much of the second colour, (T, h, w) in [0, 1]; edges are one pixel wide."""
    if skin.pattern == "stuff":
        return look_up(skin.stuff, x, y)
    period = np.maximum(skin.period, 4 * pixel)
    sharp = period / (2 * pixel)  # rise of a triangle wave over one pixel is its inverse
    period, half, sharp = np.float32(period), np.float32(sharp / 2), np.float32(sharp)
    u = _wave(x / period)
    if skin.pattern == "stripes":
        return np.clip(0.5 + u * half, 0, 1)
    v = _wave(y / period)
    if skin.pattern == "checks":
        return np.clip(0.5 + np.clip(u * sharp, -1, 1) * np.clip(v * sharp, -1, 1) / 2, 0, 1)
    return np.clip(0.5 + (0.6 - np.sqrt((1 + u) ** 2 + (1 + v) ** 2)) * half, 0, 1)


def _wave(x: np.ndarray) -> np.ndarray:
    """A triangle wave between -1 and 1, of period 1."""
    return np.abs(x - np.floor(x + 0.5)) * 4 - 1
