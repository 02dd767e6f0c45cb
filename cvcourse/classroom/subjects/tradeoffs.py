"""A figure of what answers cost and what they are worth."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from cvcourse.classroom.figures import style


def show_costs(
    rows: Mapping[str, tuple[tuple[float, float, float], Sequence[float]]],
    *,
    title: str,
    ylabel: str,
    dashed: tuple[Sequence[str], str],
    limit: tuple[float, str],
    places: Mapping[str, tuple[float, float]],
) -> Figure:
    """A score against the time of an answer: trainings are open circles, their mean is filled.

    rows: by name, the `milliseconds` and the scores of several trainings. dashed: rows to join by a
        line, and what it says. limit: a time to keep, and its name. places: where names stand that
        would meet others, in points from their mark.
    """
    figure, axes = plt.subplots(figsize=(style.WIDTH, 4.8))
    means = {name: float(np.mean(scores)) for name, (_, scores) in rows.items()}
    joined, says = dashed
    colours = dict.fromkeys(joined, style.colour_of(0))
    for name in rows:
        colours.setdefault(name, style.colour_of(1 + len(set(colours) - set(joined))))
    axes.plot([rows[n][0][0] for n in joined], [means[n] for n in joined], "--", color="0.6")
    axes.text(0.55, 0.1, says, transform=axes.transAxes, color="0.4", fontsize=9)
    for i, (name, ((median, low, high), scores)) in enumerate(rows.items()):
        look = {"color": colours[name], "fmt": "osD^vPX*"[i % 8], "markersize": 8}
        axes.plot([median] * len(scores), scores, "o", color="white", mec=look["color"], ms=5)
        axes.errorbar(median, means[name], None, [[median - low], [high - median]], **look)
        axes.annotate(
            name, (median, means[name]), places.get(name, (8, 6)), textcoords="offset points",
            color=look["color"],
        )  # fmt: skip
    axes.axvline(limit[0], color="black", linewidth=1)
    axes.text(
        limit[0], 0.05, limit[1], transform=axes.get_xaxis_transform(),
        rotation=90, ha="right", fontsize=9,
    )  # fmt: skip
    axes.set(xlabel="milliseconds a picture (bar: half of the runs)", ylabel=ylabel)
    axes.set_xlim(0, 1.2 * max(time[0] for time, _ in rows.values()))
    axes.grid(True)
    figure.suptitle(title)
    told = (f"{name} {rows[name][0][0]:.1f} ms, {mean:.3f}" for name, mean in means.items())
    return style.describe(figure, f"{title}. {'; '.join(told)}.")
