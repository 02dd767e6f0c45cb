"""A simulator of digits: glyphs of the fonts inside matplotlib, under parameters that may be drawn.

Each picture is 8 x 8, as those of `cvcourse.data.digits`: a glyph that fills the height, changed as
its parameters say, and then averaged over blocks of pixels.
"""

import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ._extras import extra

FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif",
    "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10",
)  # fmt: skip
SIDE, FINE, DRAWN = 8, 16, 32  # pixels: of a picture, before blocks are averaged, of a glyph
THICKEST = 2.0


class Parameter(NamedTuple):
    """A number that a picture is made with: where it does nothing, its usual step, its limits."""

    name: str
    neutral: float
    step: float
    limits: tuple[float, float]


PARAMETERS = (
    Parameter("rotation", 0.0, 6.0, (-60.0, 60.0)),  # degrees, clockwise
    Parameter("shear", 0.0, 0.1, (-1.0, 1.0)),  # pixels to the right for each pixel down
    Parameter("log width", 0.0, 0.08, (-0.8, 0.8)),
    Parameter("log height", 0.0, 0.08, (-0.8, 0.8)),
    Parameter("right", 0.0, 0.04, (-0.4, 0.4)),  # of half a picture's side
    Parameter("down", 0.0, 0.04, (-0.4, 0.4)),
    Parameter("thickness", 0.0, 0.3, (-1.0, THICKEST)),  # pixels of the glyph, to either side
    Parameter("wave", 0.0, 0.04, (0.0, 0.5)),  # displacement, of half a picture's side
    Parameter("noise", 0.0, 0.04, (0.0, 0.5)),  # deviation of what is added to each pixel
)


@cache
def glyphs() -> Tensor:
    """(fonts, 10, 32, 32) float32: the digits of `FONTS`, ink 1, each as high as its picture."""
    with extra("lessons", "rendered_digits"):
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.font_manager import FontProperties

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    drawn = []
    for font in FONTS:
        properties = FontProperties(fname=str(folder / f"{font}.ttf"), size=50)
        for digit in range(10):
            figure = Figure(figsize=(1, 1), dpi=96)
            canvas = FigureCanvasAgg(figure)
            look = {"ha": "center", "va": "center", "fontproperties": properties}
            figure.text(0.5, 0.5, str(digit), color="black", **look)
            canvas.draw()
            drawn.append(_cut_out(1 - np.asarray(canvas.buffer_rgba())[..., 0] / 255.0))
    return torch.stack(drawn).unflatten(0, (len(FONTS), 10))


def render(parameters: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Pictures (N, 1, 8, 8) float32 in [0, 1], and their digits (N,) int64.

    parameters: (N, 9), a row for each picture, in the order of `PARAMETERS`; font and digit are
        drawn at random, and so are noise and wave.

    Raises ValueError for another shape, and for a parameter outside its limits.
    """
    if parameters.ndim != 2 or parameters.shape[1] != len(PARAMETERS):
        raise ValueError(
            f"parameters must be (N, {len(PARAMETERS)}), got {tuple(parameters.shape)}"
        )
    least, most = torch.tensor([p.limits for p in PARAMETERS], dtype=parameters.dtype).T
    if ((parameters < least) | (parameters > most)).any():
        raise ValueError(f"parameters must lie within {[p.limits for p in PARAMETERS]}")
    count = len(parameters)
    angle, shear, wide, high, right, down, thick, wave, noise = parameters.float().T
    font = torch.randint(len(FONTS), (count,), generator=generator)
    digit = torch.randint(10, (count,), generator=generator)

    levels = _thicknesses()  # (levels, fonts, 10, 16, 16)
    place = thick + 1
    below = place.floor().long().clamp(max=len(levels) - 2)
    share = (place - below)[:, None, None]
    ink = torch.lerp(levels[below, font, digit], levels[below + 1, font, digit], share)

    angle = angle * math.pi / 180
    cos, sin, none = angle.cos(), angle.sin(), torch.zeros(count)
    turn = torch.stack([cos, -sin, sin, cos], 1).view(-1, 2, 2)
    lean = torch.stack([none + 1, -shear, none, none + 1], 1).view(-1, 2, 2)
    scale = torch.stack([wide.exp(), none, none, high.exp()], 1).view(-1, 2, 2)
    there = turn @ lean @ scale  # from the glyph to the picture
    back = torch.linalg.inv(there)
    shift = torch.stack([right, down], 1)[..., None]
    grid = F.affine_grid(
        torch.cat([back, -back @ shift], 2), [count, 1, FINE, FINE], align_corners=False
    )
    bend = torch.rand(count, 2, 4, 4, generator=generator) * 2 - 1
    bend = F.interpolate(bend, (FINE, FINE), mode="bilinear").permute(0, 2, 3, 1)
    grid = grid + wave[:, None, None, None] * bend
    pictures = F.grid_sample(ink[:, None], grid, align_corners=False)
    pictures = F.avg_pool2d(pictures, FINE // SIDE)
    added = torch.randn(pictures.shape, generator=generator) * noise[:, None, None, None]
    return (pictures + added).clamp_(0, 1), digit


@cache
def _thicknesses() -> Tensor:
    """The glyphs a pixel thinner, as they are, one and two pixels thicker; then half as large."""
    flat = glyphs().flatten(0, 1)[:, None]
    thinner = -F.max_pool2d(-flat, 3, 1, 1)
    thicker = F.max_pool2d(flat, 3, 1, 1)
    levels = [thinner, flat, thicker, F.max_pool2d(thicker, 3, 1, 1)]
    coarser = F.avg_pool2d(torch.cat(levels, 1), DRAWN // FINE)  # (glyphs, levels, 16, 16)
    return coarser.transpose(0, 1).unflatten(1, (len(FONTS), 10)).contiguous()


def _cut_out(ink: np.ndarray) -> Tensor:
    """What is inked, brought to 32 pixels of height, in the middle of a square."""
    rows, columns = (np.flatnonzero(ink.max(axis) > 0.3) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = torch.from_numpy(cut.copy()).float()[None, None]
    width = min(DRAWN, round(DRAWN * cut.shape[1] / cut.shape[0]))
    image = F.interpolate(image, (DRAWN, width), mode="bilinear", antialias=True)
    left = (DRAWN - width) // 2
    return F.pad(image, (left, DRAWN - width - left, 0, 0))[0, 0].clamp(0, 1)
