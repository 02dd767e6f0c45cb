"""What a score promises, and what it keeps."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.charts import LINES, MARKERS


def calibration_curve(
    scores: Tensor, truth: Tensor, *, edges: Tensor, least: int = 20
) -> tuple[Tensor, Tensor]:
    """(promised, kept): of each bin of scores the mean score, and the share that is true.

    scores, truth: (N,), in [0, 1] and of 0 and 1. edges: of the bins, rising; a bin has its lower
        edge, not its upper one. least: bins with fewer true ones, or fewer false ones, are left
        out, as their share is not known well.
    """
    promised, kept = [], []
    of_bin = torch.bucketize(scores, edges, right=True)
    for i in range(1, len(edges)):
        inside = of_bin == i
        true = int(truth[inside].sum())
        if true >= least and int(inside.sum()) - true >= least:
            promised.append(scores[inside].double().mean())
            kept.append(truth[inside].double().mean())
    return torch.tensor(promised), torch.tensor(kept)


def show_calibration(
    answers: Mapping[str, tuple[Tensor, Tensor]],
    *,
    title: str,
    xlabel: str = "score",
    ylabel: str = "share that is true",
    lowest: float = 1e-4,
    least: int = 20,
) -> Figure:
    """Calibration curves on logarithmic axes, so that rare things can be seen as well.

    answers: for each name its scores and truth, (N,) each. lowest: score and share where the axes
        begin; from there on there are five bins to a factor of ten. least: see `calibration_curve`.
    """
    decades = -torch.tensor(lowest).log10().item()
    edges = torch.logspace(-decades, 0, round(5 * decades) + 1)
    figure, axes = plt.subplots(figsize=(6.2, 4.8))
    axes.plot([lowest, 1], [lowest, 1], color="0.6", linewidth=1, zorder=1)
    axes.annotate("kept", (3.2 * lowest, 1.7 * lowest), rotation=38, color="0.4", va="center")
    for i, (name, (scores, truth)) in enumerate(answers.items()):
        promised, kept = calibration_curve(scores, truth, edges=edges, least=least)
        line = {"marker": MARKERS[i % len(MARKERS)], "linestyle": LINES[i % len(LINES)]}
        axes.plot(promised, kept, label=name, **line)
    axes.set(xscale="log", yscale="log", xlim=(lowest, 1.1), ylim=(lowest, 1.1))
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend()
    axes.grid(True)
    figure.suptitle(title)
    told = ", ".join(answers)
    return style.describe(figure, f"{title}. Kept against promised shares, for {told}.")
