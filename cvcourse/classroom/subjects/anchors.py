"""A figure of anchors that can be read: their centres, level by level, by what they are told."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from jaxtyping import Float, Int64
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.pictures import draw_image
from cvcourse.ops.match_anchors import BACKGROUND, BETWEEN

KINDS = (  # name, colour, size of the dot; later ones lie on top
    ("background", style.BLUE, 4),
    ("left out", "#F0E442", 12),
    ("positive", style.VERMILION, 24),
)


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
