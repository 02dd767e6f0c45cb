"""What scenes stand in front of: pieces of photographs. No photograph serves two splits.

Photographs are decoded and resized once per process, with Pillow's integer arithmetic.
"""

from functools import cache

import numpy as np

from cvcourse.data._extras import extra

with extra("data", "cvcourse.data.scenes"):
    from PIL import Image

from .. import pictures
from .randomness import Stream

PHOTOGRAPHS = {
    "train": ("astronaut", "brick", "camera", "china", "coffee", "grass", "hubble",
              "immunohistochemistry", "motorcycle"),
    "val": ("flower", "moon", "retina"),
    "test": ("chelsea", "gravel", "rocket"),
}  # fmt: skip
BACKGROUNDS = ("photograph", "plain")
_ZOOMS = (1.0, 1.35, 1.8, 2.5)  # shorter side of the resized photograph, in sides of the scene
_GREY = {"brick", "camera", "grass", "gravel", "moon"}  # these get a tint


def draw_still(stream: Stream, split: str, size: int, kind: str) -> np.ndarray:
    """A background (3, size, size) float32 in [0, 1]: a piece of a photograph, maybe mirrored."""
    picture, gains = _draw(stream, split, size, kind, soft=False)
    top = stream.integer(picture.shape[1] - size + 1)
    left = stream.integer(picture.shape[2] - size + 1)
    step = 1 if stream.uniform() < 0.5 else -1
    piece = picture[:, top : top + size, left : left + size][:, :, ::step]
    return np.minimum(piece * gains, 1)


def draw_moving(
    stream: Stream, split: str, size: int, kind: str
) -> tuple[np.ndarray, float, float]:
    """A whole picture (3, H, W) to move over, slightly soft, and where in it the camera starts."""
    picture, gains = _draw(stream, split, size, kind, soft=True)
    height, width = picture.shape[1:]
    x = stream.uniform(size / 2, width - size / 2)
    y = stream.uniform(size / 2, height - size / 2)
    bright = picture * gains
    return np.minimum(bright, 1, out=bright), x, y


def draw_stuff(stream: Stream, split: str) -> np.ndarray:
    """A grey piece (48, 48) of some photograph, stretched to [0, 1]: a texture for objects."""
    names = PHOTOGRAPHS[split]
    grey = _grey(names[stream.integer(len(names))])
    top, left = (stream.integer(n - 47) for n in grey.shape)
    piece = grey[top : top + 48, left : left + 48]
    low, high = int(piece.min()), int(piece.max())
    return (piece.astype(np.float32) - low) * (1 / max(high - low, 24))


def _draw(stream: Stream, split: str, size: int, kind: str, soft: bool):
    """A picture (3, H, W) uint8 and the factors (3, 1, 1) that take it to [0, 1] with a tint."""
    light = stream.uniform(0.8, 1.15) / 255
    if kind == "plain":
        grey = stream.uniform(90, 210)
        picture = np.full((3, size, size), grey, np.uint8)
        tint = 0.15
    else:
        names = PHOTOGRAPHS[split]
        name = names[stream.integer(len(names))]
        picture = _resized(name, size, stream.integer(len(_ZOOMS)), soft)
        tint = 0.22 if name in _GREY else 0.06
    gains = [light * (1 + stream.uniform(-tint, tint)) for _ in range(3)]
    return picture, np.array(gains, np.float32)[:, None, None]


@cache
def _resized(name: str, size: int, zoom: int, soft: bool) -> np.ndarray:
    """A photograph (3, H, W) uint8 with its shorter side at some multiple of `size`."""
    picture = pictures.decode(name)
    # No wider than the photograph can fill, but for a scene that is larger than the photograph.
    factor = max(min(size * _ZOOMS[zoom], min(picture.size)), size) / min(picture.size)
    width, height = (max(size, round(side * factor)) for side in picture.size)
    if soft:
        picture = picture.resize((width // 2, height // 2), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


@cache
def _grey(name: str) -> np.ndarray:
    picture = pictures.decode(name).convert("L")
    factor = 256 / min(picture.size)
    return np.asarray(picture.resize([round(side * factor) for side in picture.size]))
