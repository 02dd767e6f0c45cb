"""Capital letters in many fonts, from faces inside matplotlib: functions of seed and index.

Faces of a family stay in one split, so that no font that is tested was seen in another cut. A font
is a face that is slanted, widened and made bolder by numbers drawn for it.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ._extras import extra

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FACES = {
    "train": (
        "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique",
        "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique",
        "DejaVuSansMono-BoldOblique", "cmr10", "cmb10", "cmss10", "cmtt10",
    ),
    "val": ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    "test": ("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"),
}  # fmt: skip
DRAWN = 128  # pixels of a letter's square before it is made smaller
CAPITAL = 0.56  # of the square is the height of an H
SLANT, WIDTH, WEIGHT = 0.25, 0.15, 3  # at most; the weight in pixels of the drawn letter, each side


class Font(NamedTuple):
    """letters (26, 1, size, size) float32 in [0, 1], ink 1; the face; and what was done to it.

    slant: pixels to the right for each pixel up.
    width: the factor of its widths.
    weight: how much bolder, pixels of `DRAWN`; below 0 lighter.
    """

    letters: Tensor
    face: str
    slant: float
    width: float
    weight: int


class ColoredPair(NamedTuple):
    """One letter in colours, another's shape, and that one in the same colours: (3, size, size),
    (1, size, size), (3, size, size), float32 in [0, 1]; colours are 0 outside the ink."""

    source: Tensor
    mask: Tensor
    target: Tensor


def font(split: str, index: int, *, size: int = 64, seed: int = 0, varied: bool = True) -> Font:
    """Font `index` of a split: its faces in turn, all letters on one line and in one scale.

    varied: slanted, widened and made bolder or lighter; else the face as it is.

    Raises ValueError for another split, an index below 0, or a size below 8.
    """
    check(split, index, size)
    faces = FACES[split]
    face = faces[index % len(faces)]
    slant, width, weight = 0.0, 1.0, 0
    if varied:
        rng = np.random.default_rng((seed, tuple(FACES).index(split), index))
        slant = float(rng.uniform(-SLANT / 4, SLANT))
        width = float(np.exp(rng.uniform(-WIDTH, WIDTH)))
        weight = int(rng.integers(-1, WEIGHT + 1))
    ink = _thicker(_drawn(face), weight)
    back = torch.tensor([[1 / width, slant / width, 0.0], [0.0, 1.0, 0.0]])
    grid = F.affine_grid(back.expand(len(ink), 2, 3), list(ink.shape), align_corners=False)
    ink = F.grid_sample(ink, grid, align_corners=False)
    letters = F.interpolate(ink, (size, size), mode="bilinear", antialias=True).clamp_(0, 1)
    return Font(letters, face, slant, width, weight)


def colored_pair(split: str, index: int, *, size: int = 64, seed: int = 0) -> ColoredPair:
    """Two letters of font `index`, filled alike with a colour, or a gradient between two.

    Raises ValueError as `font`.
    """
    made = font(split, index, size=size, seed=seed)
    rng = np.random.default_rng((seed, tuple(FACES).index(split), index, 1))
    first, second = rng.choice(len(ALPHABET), 2, replace=False).tolist()
    ends = torch.from_numpy(rng.uniform(0.15, 1, (2, 3)).astype(np.float32))
    angle, plain = rng.uniform(0, 2 * np.pi), rng.random() < 0.4
    place = torch.linspace(-1, 1, size)
    along = float(np.cos(angle)) * place + float(np.sin(angle)) * place[:, None]
    share = torch.zeros_like(along) if plain else (along / 2**0.5 + 1) / 2
    fill = ends[0, :, None, None] + share * (ends[1] - ends[0])[:, None, None]
    source, mask = made.letters[first], made.letters[second]
    return ColoredPair(source * fill, mask, mask * fill)


def check(split: str, index: int, size: int) -> None:
    if split not in FACES:
        raise ValueError(f"split must be one of {tuple(FACES)}, got {split!r}")
    if index < 0:
        raise ValueError(f"index must be from 0, got {index}")
    if size < 8:
        raise ValueError(f"size must be at least 8 pixels, got {size}")


@cache
def _drawn(face: str) -> Tensor:
    """(26, 1, 128, 128): each letter in the middle of its square, on the line of the others."""
    with extra("lessons", "letters"):
        import matplotlib
        from PIL import Image, ImageDraw, ImageFont

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"
    rough = ImageFont.truetype(str(file), DRAWN)
    top, bottom = rough.getbbox("H", anchor="ls")[1::2]
    drawn_font = ImageFont.truetype(str(file), round(DRAWN * CAPITAL * DRAWN / (bottom - top)))
    line = DRAWN * (1 + CAPITAL) / 2
    drawn = []
    for letter in ALPHABET:
        left, _, right, _ = drawn_font.getbbox(letter, anchor="ls")
        square = Image.new("L", (DRAWN, DRAWN))
        corner = ((DRAWN - right - left) / 2, line)
        ImageDraw.Draw(square).text(corner, letter, fill=255, font=drawn_font, anchor="ls")
        drawn.append(torch.from_numpy(np.asarray(square, dtype=np.float32) / 255))
    return torch.stack(drawn)[:, None]


def _thicker(ink: Tensor, weight: int) -> Tensor:
    if weight < 0:
        return -_thicker(-ink, -weight)
    return F.max_pool2d(ink, 2 * weight + 1, 1, weight) if weight else ink
