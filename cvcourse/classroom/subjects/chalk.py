"""Handwritten digits in chalk on stone and grass: pictures with several right answers."""

from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cvcourse.classroom.figures import colour_of, describe
from cvcourse.data import digits, pictures

SIDE, DIGIT = 48, 14  # pixels of a canvas, and of a digit on it
GROUND = {"train": slice(0, 160), "val": slice(160, 240), "test": slice(240, 320)}  # columns
APART = 16  # pixels, in x or in y: boxes of 14 never touch


class Canvases(NamedTuple):
    images: Float[Tensor, "count 1 48 48"]
    centres: Float[Tensor, "count each 2"]  # x, y of each digit
    names: Int64[Tensor, "count each"]  # which digits they are


def canvases(
    split: str, count: int, *, seed: int, each: int = 2, one_quarter: float = 0.0
) -> Canvases:
    """Canvases with `each` (1 or 2) digits and four pebbles at random places.

    The order of the digits is random. Pebbles are as white as chalk.

    split: "train", "val" or "test"; digits and pieces of ground are not shared between them.
    one_quarter: of this share of the canvases, both digits have their centres in one of the four
        quarters, 24 pixels wide.
    """
    g = torch.Generator().manual_seed(seed)
    ink, classes = digits.load(split, DIGIT)
    ground = torch.stack([pictures.load(name, 320)[0] for name in pictures.names("textures")])
    ground = ground[..., GROUND[split]]
    corner = _corners(count, each, g)
    crowded = round(one_quarter * count)
    if crowded:
        corner[:crowded] = _corners(crowded, each, g, one_quarter=True)
    chosen = torch.randint(len(ink), (count, each), generator=g)
    strength = (0.7 + 0.3 * torch.rand(count, each, generator=g)).tolist()
    room = torch.tensor([len(ground), ground.shape[1] - SIDE, ground.shape[2] - SIDE])
    spots = (torch.rand(count, 3, generator=g) * room).long().tolist()
    images = torch.stack([ground[n, v : v + SIDE, u : u + SIDE] for n, v, u in spots])
    _strew(images, g)
    drawn = zip(images, corner.tolist(), chosen.tolist(), strength, strict=True)
    for image, places, which, alphas in drawn:
        for (x, y), d, alpha in zip(places, which, alphas, strict=True):
            patch = image[y : y + DIGIT, x : x + DIGIT]
            patch += (1 - patch) * alpha * ink[d, 0]
    return Canvases(images[:, None], corner + DIGIT / 2, classes[chosen])


def hit(
    points: Float[Tensor, "count 2"], centres: Float[Tensor, "count each 2"]
) -> Float[Tensor, "count"]:
    """1 where a point lies in the box, 14 pixels wide, of any digit of its canvas, else 0."""
    return ((points[:, None] - centres).abs().amax(-1).amin(1) <= DIGIT / 2).float()


def distance(
    points: Float[Tensor, "count 2"], centres: Float[Tensor, "count each 2"]
) -> Float[Tensor, "count"]:
    """Pixels from each point to the nearest centre of its canvas."""
    return (points[:, None] - centres).norm(dim=-1).amin(1)


def draw_canvas(axes: Axes, image: Float[Tensor, "1 48 48"], *, bins: int = 0) -> None:
    """A canvas in pixels; with lines between so many bins along each side."""
    axes.imshow(image[0], cmap="gray", vmin=0, vmax=1, extent=(0, SIDE, SIDE, 0))
    for line in range(1, bins):
        axes.axvline(line * SIDE / bins, color="#56B4E9", linewidth=0.7)
        axes.axhline(line * SIDE / bins, color="#56B4E9", linewidth=0.7)


def draw_beliefs(
    axes: Axes,
    probabilities: Float[Tensor, "bins"],
    *,
    least: float = 0.05,
    avoid: Float[Tensor, "points 2"] | None = None,
) -> None:
    """Frames of the bins (row after row) that are at least so probable, with the probability.

    avoid: points that the numbers should not hide; each number takes the corner farthest from them.
    """
    k = round(len(probabilities) ** 0.5)
    width = SIDE / k
    box = {"facecolor": "black", "alpha": 0.6, "pad": 1, "edgecolor": "none"}
    corners = [(0, 1), (0, 0), (1, 1), (1, 0)]  # right?, below?
    middles = width * torch.tensor([(0.3, 1), (0.3, 0), (0.7, 1), (0.7, 0)])  # of numbers there
    for number in (probabilities > least).nonzero()[:, 0].tolist():
        x, y = width * (number % k), width * (number // k)
        axes.add_patch(Rectangle((x, y), width, width, fill=False, color="#56B4E9", linewidth=1.5))
        corner = 0
        if avoid is not None:
            corner = int(torch.cdist(middles + torch.tensor([x, y]), avoid).amin(1).argmax())
        right, below = corners[corner]
        axes.text(
            x + width * (1 / 12, 11 / 12)[right],
            y + width * (1 / 12, 11 / 12)[below],
            f"{probabilities[number]:.0%}",
            color="white",
            fontsize=8,
            bbox=box,
            ha=("left", "right")[right],
            va=("top", "baseline")[below],
        )


def mark(axes: Axes, points: Tensor, marker: str, colour: str, label=None, size: int = 120) -> None:
    """One point (2,) or several (N, 2): x, y in pixels."""
    x, y = points.mT if points.ndim == 2 else points
    axes.scatter(x, y, size, colour, marker=marker, edgecolor="white", label=label, zorder=3)


def show_refinement(
    image: Float[Tensor, "1 48 48"], centres: Float[Tensor, "each 2"], *, bins: int, title: str
) -> Figure:
    """The bin of each centre, and then the arrow from the bin's centre to it, on a canvas."""
    corners = (centres * bins / SIDE).floor() * SIDE / bins
    middles = corners + SIDE / bins / 2
    figure, panels = plt.subplots(1, 2, figsize=(8.2, 4.4), sharey=True)
    for panel, name in zip(panels, ("1 · choose a bin", "2 · correct by its offset"), strict=True):
        draw_canvas(panel, image, bins=bins)
        panel.set(title=name, xlabel="x (pixels)")
        for corner in corners.tolist():
            frame = {"color": colour_of(1), "fill": False, "linewidth": 3}
            panel.add_patch(Rectangle(corner, SIDE / bins, SIDE / bins, **frame))
    panels[0].set_ylabel("y (pixels)")
    in_pixels = {"angles": "xy", "scale_units": "xy", "scale": 1}  # short arrows get small heads
    panels[1].quiver(
        *middles.T, *(centres - middles).T, color=colour_of(0), width=0.012, zorder=2, **in_pixels
    )
    mark(panels[1], middles, "o", colour_of(0), "centre of the bin", size=16)
    mark(panels[1], centres, "*", colour_of(5), "centre of the digit", size=50)
    key = panels[1].get_legend_handles_labels()
    figure.legend(*key, loc="outside lower center", ncols=2)
    figure.suptitle(title)
    told = f"The bin of each digit in a grid of {bins} by {bins}, and an arrow from its centre"
    return describe(figure, f"{told} to the digit.")


def widen(outputs: Float[Tensor, "count 18"]) -> Float[Tensor, "count 48"]:
    """Raw outputs of 16 logits and one shared offset, as if each bin had its own (the same)."""
    offsets = outputs[:, None, 16:].expand(-1, 16, -1)
    return torch.cat([outputs[:, :16, None], offsets], 2).flatten(1)


def _strew(images: Tensor, g: torch.Generator) -> None:
    """Draw four white pebbles, 3 to 5 pixels across, on each picture."""
    pixel = torch.arange(SIDE) + 0.5
    for _ in range(4):
        x, y, radius = torch.rand(3, len(images), 1, 1, generator=g)
        far = ((pixel - SIDE * x) ** 2 + (pixel[:, None] - SIDE * y) ** 2).sqrt()  # (count, H, W)
        inside = (1.5 + radius - far + 0.5).clamp(0, 1)
        images += (1 - images) * inside


def _corners(count: int, each: int, g: torch.Generator, *, one_quarter: bool = False) -> Tensor:
    """(count, each, 2) upper left corners; two are far enough apart."""
    space = SIDE - DIGIT + 1
    corner = torch.randint(space, (count, each, 2), generator=g)
    while True:
        wrong = torch.zeros(count, dtype=torch.bool)
        if each == 2:
            wrong |= (corner[:, 0] - corner[:, 1]).abs().amax(1) < APART
        if one_quarter:
            quarter = (corner + DIGIT / 2) >= SIDE / 2
            wrong |= (quarter[:, 0] != quarter[:, 1]).any(1)
        if not wrong.any():
            return corner
        corner[wrong] = torch.randint(space, (int(wrong.sum()), each, 2), generator=g)
