"""Figures of anchors that can be read: what each is told, and which objects have none."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
from jaxtyping import Bool, Float, Int64
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.overlays import draw_boxes
from cvcourse.classroom.figures.pictures import draw_image
from cvcourse.ops.match_anchors import BACKGROUND, BETWEEN

KINDS = (  # name, colour, size of the dot; later ones lie on top
    ("background", style.BLUE, 4),
    ("left out", "#F0E442", 12),
    ("positive", style.VERMILION, 24),
)
MARKERS, COLOURS = "osD", (style.GREEN, style.ORANGE, style.PURPLE)  # of up to three lists


def show_owners(
    image: Float[Tensor, "3 height width"],
    anchors: Float[Tensor, "anchors 4"],
    owners: Int64[Tensor, "anchors"],
    per_level: Sequence[int],
    titles: Sequence[str],
    *,
    title: str,
) -> Figure:
    """The centres of all anchors on the picture, a panel for each level.

    owners: as `match_anchors` gives them: an object, background or undecided. per_level: how many
        anchors each level has, in order. titles: of the panels.
    """
    kinds = owners == BACKGROUND, owners == BETWEEN, owners >= 0
    figure, panels = plt.subplots(1, len(per_level), figsize=(style.WIDTH, 3.5), squeeze=False)
    first = 0
    for axes, count, heading in zip(panels[0], per_level, titles, strict=True):
        draw_image(axes, image)
        level = slice(first, first := first + count)
        for (name, colour, size), kind in zip(KINDS, kinds, strict=True):
            boxes = anchors[level][kind[level]]
            x, y = (boxes[:, :2] + boxes[:, 2:]).T.cpu() / 2
            axes.scatter(x, y, s=size, c=colour, ec="black", lw=0.3, label=name)
        axes.set_title(heading)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(KINDS))
    figure.suptitle(title)
    counts = zip(kinds, KINDS, strict=True)
    told = ", ".join(f"{int(kind.sum()):,} {name}" for kind, (name, *_) in counts)
    return style.describe(figure, f"{title}. {len(owners):,} anchors: {told}.")


def show_unmatched(
    images: Sequence[Float[Tensor, "3 height width"]],
    objects: Sequence[Float[Tensor, "_ 4"]],
    anchors: Sequence[Float[Tensor, "_ 4"]],
    sides: Float[Tensor, "all"],
    fitting: Mapping[str, Bool[Tensor, "all"]],
    edges: Sequence[float],
    *,
    title: str,
) -> Figure:
    """Objects without a fitting anchor on pictures, and the share of objects with one, by size.

    objects: of each picture, those without; anchors: the best that each of these has. sides: of all
        objects, in pixels. fitting: by the name of a list of anchors, whether each of them has one.
        edges: of the bins of size.
    """
    figure, axes = plt.subplots(
        1, len(images) + 1, figsize=(style.WIDTH, 3.5), width_ratios=[1] * len(images) + [1.25]
    )
    for panel, image, alone, best in zip(axes[:-1], images, objects, anchors, strict=True):
        draw_image(panel, image)
        draw_boxes(panel, alone, colour=style.BLUE)
        draw_boxes(panel, best, colour=style.VERMILION, prediction=True)
        panel.set_title(f"{len(alone)} without an anchor")
    right = axes[-1]
    right.plot([], [], color=style.BLUE, label="object without an anchor")
    right.plot([], [], "--", color=style.VERMILION, label="the best that it has")
    middles, told = [(low + high) / 2 for low, high in pairwise(edges)], []
    for i, (name, fit) in enumerate(fitting.items()):
        within = [(sides >= low) & (sides < high) for low, high in pairwise(edges)]
        shares = [float(fit[bin_].float().mean()) for bin_ in within]
        look = {"marker": MARKERS[i], "color": COLOURS[i], "lw": 4 - 1.2 * i, "ms": 9 - 2 * i}
        right.plot(middles, shares, label=name, **look)  # thinner over thicker: none is hidden
        told.append(f"{name} {float(fit.float().mean()):.3f}")
    right.set(xlabel="side of the object (pixels)", title="share with a fitting anchor")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8.5)
    figure.suptitle(title)
    return style.describe(figure, f"{title}. Share of objects with an anchor: {', '.join(told)}.")
