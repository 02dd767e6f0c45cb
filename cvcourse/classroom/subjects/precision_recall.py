"""Precision against recall, as a saw and as the staircase over it."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import colour_of, describe


def show_precision_recall(
    panels: Mapping[str, Mapping[str, tuple[Tensor, Tensor]]], *, title: str
) -> Figure:
    """Panels side by side, each with curves by name.

    A curve is (precision, recall), each (boxes,), after the first box, the first two, ... in order
    of falling confidence. It is drawn faintly, and over it the best precision at each recall or
    beyond. A panel with one curve of up to 20 boxes also shows their numbers and the area.
    """
    width = 8.2 if len(panels) > 1 else 6.4
    figure, cells = plt.subplots(1, len(panels), figsize=(width, 4.6), sharey=True, squeeze=False)
    for axes, (heading, curves) in zip(cells[0], panels.items(), strict=True):
        for i, (name, (precision, recall)) in enumerate(curves.items()):
            precision, recall = torch.as_tensor(precision), torch.as_tensor(recall)
            colour = colour_of(i)
            best = precision.flip(0).cummax(0).values.flip(0)
            few = len(curves) == 1 and len(best) <= 20
            axes.plot(recall, precision, ".-" if few else "-", color=colour, alpha=0.35)
            x = torch.cat([torch.zeros(1), recall, recall[-1:]])
            y = torch.cat([best[:1], best, torch.zeros(1)])
            axes.plot(x, y, drawstyle="steps-pre", color=colour, label=name)
            if few:
                axes.fill_between(x, y, step="pre", color=colour, alpha=0.15)
                for box, point in enumerate(zip(recall, precision, strict=True), start=1):
                    axes.annotate(f"box {box}", point, (5, -11), textcoords="offset points")
        axes.set(title=heading, xlabel="recall", xlim=(0, 1.02), ylim=(0, 1.08))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    cells[0, 0].set_ylabel("precision")
    figure.suptitle(title)
    told = "; ".join(f"{heading}: {', '.join(curves)}" for heading, curves in panels.items())
    return describe(figure, f"{title}. Precision against recall. {told}.")
