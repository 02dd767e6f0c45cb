"""Objects cut out of real pictures: handwritten digits, ancient coins, faces, a horse.

Those with several originals (digits, coins, faces) use different ones in each split.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from cvcourse.data._extras import extra

with extra("data", "cvcourse.data.scenes"):
    from PIL import Image

from .. import digits, pictures

GRID = 48  # distances and pictures of cut-outs are kept on a grid of GRID x GRID over [-1, 1]^2
FINE = 2 * GRID  # on which outlines are found

DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
CUTOUTS = ("digit", "coin", "face", "horse")

# Centres (x, y) and radii of the 24 coins, in pixels of the picture, row by row.
COINS = (
    (44.5, 54.5, 20), (100.5, 56.5, 18), (155.5, 51, 22), (216, 51.5, 22), (276, 53, 19),
    (335, 44, 28), (46, 124.5, 20), (103, 126.5, 18), (153.5, 127.5, 18), (206, 124.5, 19),
    (270.5, 119.5, 24), (336.5, 125.5, 19), (44.5, 198, 18), (102, 196, 20), (154.5, 198, 18),
    (213, 193.5, 23), (274, 194.5, 22), (347.5, 187, 30), (46.5, 260.5, 27), (114.5, 266, 20),
    (172.5, 262, 26), (244.5, 264, 23), (301, 264, 24), (359, 268.5, 21),
)  # fmt: skip
_SHARE = {"train": (0.0, 0.6), "val": (0.6, 0.75), "test": (0.75, 1.0)}


class Cutout(NamedTuple):
    distance: np.ndarray  # (GRID, GRID) float32, in units of the object's radius
    picture: np.ndarray | None  # (GRID, GRID) float32 in [0, 1], where it brings its own look


def find(kind: str, split: str, number: float) -> Cutout:
    """The original that `number` in [0, 1) points at, among those of this split."""
    if kind == "digit" or kind in DIGITS:
        owners = _digits_of(split, kind)
        return _digit(split, int(owners[int(number * len(owners))]))
    if kind == "horse":
        return _horse()
    count = {"coin": len(COINS), "face": 100}[kind]
    first, last = (round(count * share) for share in _SHARE[split])
    return {"coin": _coin, "face": _face}[kind](first + int(number * (last - first)))


def _outline(ink: np.ndarray) -> np.ndarray:
    """Signed distances (GRID, GRID), in radii, of a picture (FINE, FINE) that is True inside."""
    with extra("lessons", "cvcourse.data.scenes"):
        from scipy.ndimage import distance_transform_edt as distance_to_false

    distance = distance_to_false(~ink) - distance_to_false(ink)
    distance += np.where(ink, 0.5, -0.5)  # from centres of pixels to the border between them
    blocks = distance.reshape(GRID, FINE // GRID, GRID, FINE // GRID).mean((1, 3))
    return (blocks * (2 / FINE)).astype(np.float32)


@cache
def _digits_of(split: str, kind: str) -> np.ndarray:
    labels = digits.load(split)[1].numpy()
    return np.arange(len(labels)) if kind == "digit" else np.flatnonzero(labels == int(kind))


@cache
def _digit(split: str, index: int) -> Cutout:
    small = _digit_pixels(split)[index]  # (8, 8) counts of ink, 0 to 16
    picture = Image.fromarray(np.pad(small * 15, 1))
    ink = np.array(picture.resize((FINE, FINE), Image.Resampling.BICUBIC)) >= 110
    return Cutout(_outline(ink), None)


@cache
def _digit_pixels(split: str) -> np.ndarray:
    return (digits.load(split)[0][:, 0] * 16).byte().numpy()


@cache
def _coin(index: int) -> Cutout:
    x, y, radius = COINS[index]
    box = (x - radius, y - radius, x + radius, y + radius)
    whole = pictures.decode("coins").convert("L")
    grey = whole.resize((GRID, GRID), Image.Resampling.BICUBIC, box=box)
    return Cutout(_ellipse(1.0), _stretch(np.array(grey)))


@cache
def _face(index: int) -> Cutout:
    crop = np.rint(pictures.faces()[0][index, 0].numpy() * 255).astype(np.uint8)
    grey = Image.fromarray(crop).resize((GRID, GRID), Image.Resampling.BICUBIC)
    return Cutout(_ellipse(0.8), _stretch(np.array(grey)))


@cache
def _horse() -> Cutout:
    picture = pictures.decode("horse").convert("L")
    square = Image.new("L", (480, 480), 255)
    square.paste(picture, (40, 76))
    return Cutout(_outline(np.array(square.resize((FINE, FINE))) < 128), None)


def _ellipse(width: float) -> np.ndarray:
    axis = (np.arange(GRID, dtype=np.float32) + 0.5) * (2 / GRID) - 1
    return np.sqrt((axis / width) ** 2 + axis[:, None] ** 2) * width - 0.94 * width


def _stretch(grey: np.ndarray) -> np.ndarray:
    """Use the whole range, so that coins and faces taken in the dark can be seen."""
    low, high = int(np.sort(grey, None)[50]), int(np.sort(grey, None)[-50])
    return np.clip((grey.astype(np.float32) - low) * (0.85 / max(high - low, 1)) + 0.1, 0, 1)
