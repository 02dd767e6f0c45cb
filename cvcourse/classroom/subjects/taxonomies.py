"""Pictures of what is kept in a transfer, of tables of affinities, and of taxonomies."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cvcourse.classroom.figures import style
from cvcourse.methods.taskonomy import Taxonomy

WAYS = {"from scratch": "rrrrrr", "fine-tune": "ttttrr", "freeze": "ffffrr"}


def show_ways(*, title: str) -> Figure:
    """Three networks of six layers w_1 to w_6: from scratch, fine-tuned, with a frozen encoder."""
    looks = {
        "f": ("0.75", "kept as the source left it"),
        "t": (style.SKY, "begins as the source left it, learns on"),
        "r": (style.ORANGE, "begins at random, learns"),
    }
    figure, axes = plt.subplots(figsize=(style.WIDTH, 3.0))
    for y, (way, kinds) in enumerate(WAYS.items()):
        for x, kind in enumerate(kinds):
            height = 0.85 - 0.09 * x
            corner = (x, y - height / 2)
            axes.add_patch(Rectangle(corner, 0.8, height, facecolor=looks[kind][0]))
            axes.text(x + 0.4, y, f"$w_{x + 1}$", ha="center", va="center")
        axes.text(-0.2, y, way, ha="right", va="center")
    for colour, label in looks.values():
        axes.scatter([], [], marker="s", s=80, color=colour, label=label)
    axes.set(xlim=(-1.6, 6), ylim=(-0.6, 2.6))
    axes.axis("off")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=3)
    figure.suptitle(title)
    told = "; ".join(f"{way}: {kinds}" for way, kinds in WAYS.items())
    return style.describe(figure, f"{title}. Layers: r random, t fine-tuned, f frozen. {told}.")


def show_affinities(
    tables: Mapping[str, Mapping[tuple[str, str], float]],
    sources: Sequence[str],
    targets: Sequence[str],
    *,
    title: str,
) -> Figure:
    """Tables of affinities by (source, target) side by side, in one logarithmic colour scale.

    **Conventions**: each column is divided by its sum over `sources`.
    """
    figure, panels = plt.subplots(
        1, len(tables), figsize=(style.WIDTH, 1.9 + 0.34 * len(sources)), sharey=True, squeeze=False
    )
    for panel, (name, table) in zip(panels[0], tables.items(), strict=True):
        values = np.array([[table[source, target] for target in targets] for source in sources])
        values = values / values.sum(0)
        drawn = panel.imshow(
            values.clip(min=1e-3), cmap="cividis", norm=LogNorm(1e-3, 1), aspect="auto"
        )
        for (row, column), value in np.ndenumerate(values):
            ink = "black" if value > 0.05 else "white"
            text = f"{value:.2f}" if value >= 0.005 else "<.005"
            panel.text(column, row, text, ha="center", va="center", color=ink, fontsize=7.5)
        panel.set_xticks(range(len(targets)), targets, rotation=40, ha="right")
        panel.set_yticks(range(len(sources)), sources)
        panel.set(title=name, xlabel="target")
        panel.spines[:].set_visible(False)
    panels[0][0].set_ylabel("source")
    figure.colorbar(drawn, ax=panels[0], label="share (0.001 and less is darkest)")
    figure.suptitle(title)
    return style.describe(
        figure, f"{title}. Sources {', '.join(sources)} by targets {', '.join(targets)}."
    )


def show_taxonomy(
    found: Taxonomy, names: Sequence[str], targets: Sequence[str], *, title: str
) -> Figure:
    """Which sources are labelled (orange, above), and the way into each target (below).

    names: all sources, from left to right. Lines are thicker where the affinity is larger.
    """
    figure, axes = plt.subplots(figsize=(style.WIDTH, 2.8))
    for target, way in found.transfers.items():
        for source in way.sources:
            ends = names.index(source), names.index(target)
            axes.plot(ends, [0.84, 0.16], color="0.4", linewidth=0.8 + 4 * way.affinity)
    for x, name in enumerate(names):
        colour = style.ORANGE if name in found.sources else "white"
        look = {"ha": "center", "va": "center", "fontsize": 9.5}
        axes.text(x, 1, name, bbox={"boxstyle": "round", "facecolor": colour}, **look)
        if name in targets:
            axes.text(x, 0, name, bbox={"boxstyle": "round", "facecolor": "white"}, **look)
    axes.text(-0.65, 1, "sources", ha="right", va="center")
    axes.text(-0.65, 0, "targets", ha="right", va="center")
    axes.set(xlim=(-1.3, len(names) - 0.4), ylim=(-0.3, 1.3))
    axes.axis("off")
    figure.suptitle(title)
    ways = "; ".join(f"{t} from {' and '.join(w.sources)}" for t, w in found.transfers.items())
    return style.describe(figure, f"{title}. Labelled: {', '.join(found.sources)}. {ways}.")
