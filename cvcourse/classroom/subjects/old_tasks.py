"""Five tasks of two digits each, on coloured paper, and what lessons on them draw."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from cvcourse.classroom.figures.style import COLOURS, WIDTH, describe
from cvcourse.classroom.printing import say
from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects.notes import PAPERS, ink_of_digits
from cvcourse.classroom.subjects.poses import posed

SIDE, EACH = 16, 2  # pixels of a picture, digits of a task
MARKERS = "os^Dv"


def inked_digits(run: Run) -> dict[str, tuple[Tensor, Tensor]]:
    """Ink (N, 1, 16, 16) in [0, 1] and digits (N,) for "train", "val" and "test".

    Of `cvcourse.data.digits`; at scale full MNIST's, where `data_scripts/` has fetched it.
    """
    name, parts = ink_of_digits(run)
    counts = ", ".join(f"{len(labels):,} {split}" for split, (_, labels) in parts.items())
    say(f"data: {name}, {counts}")
    return {
        split: (F.interpolate(ink, (SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 1), of)
        for split, (ink, of) in parts.items()
    }


def on_paper(ink: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (N, 3, h, w) in [0, 1] of `ink` (N, 1, h, w), on paper of a colour that is drawn.

    The ink is turned by up to 17°, resized by up to 15 %, moved by up to 15 % of a side; the light
    is drawn, too.
    """
    n = len(ink)
    uniform = 2 * torch.rand(4, n, generator=generator) - 1
    ink = posed(ink, 0.3 * uniform[0], 1 + 0.15 * uniform[1], 0.3 * uniform[2:].T)
    which = torch.randint(len(PAPERS), (n,), generator=generator)
    paper = torch.tensor(list(PAPERS.values()))[which][:, :, None, None]
    light = 0.85 + 0.3 * torch.rand(n, 1, 1, 1, generator=generator)
    return (light * paper * (1 - 0.85 * ink)).clamp(0, 1)


def of_task(split: tuple[Tensor, Tensor], task: int) -> tuple[Tensor, Tensor]:
    """Pictures and digits of a task: task 0 has the digits 0 and 1, task 1 has 2 and 3, ..."""
    pictures, digits = split
    mine = digits // EACH == task
    return pictures[mine], digits[mine]


def show_courses(
    courses: Mapping[str, Sequence[Sequence[float]]], *, every: int, title: str
) -> Figure:
    """Accuracy of each task while task after task is learnt: a panel for each course.

    courses: of each moment, one every `every` steps, the accuracies of the tasks begun so far.
    """
    figure, panels = plt.subplots(1, len(courses), figsize=(WIDTH, 3.1), sharey=True, squeeze=False)
    for panel, (name, moments) in zip(panels[0], courses.items(), strict=True):
        steps = every * np.arange(1, len(moments) + 1)
        for task in range(len(moments[-1])):
            begun = [i for i, accuracies in enumerate(moments) if len(accuracies) > task]
            values = [moments[i][task] for i in begun]
            panel.plot(
                steps[begun], values, marker=MARKERS[task % 5], markersize=4,
                color=COLOURS[task % len(COLOURS)], label=f"{EACH * task} or {EACH * task + 1}",
            )  # fmt: skip
            panel.axvline(steps[begun[0]] - every, color="0.8", linewidth=1, zorder=0)
        panel.axhline(1 / EACH, color="0.5", linestyle=":", linewidth=1)
        panel.set(xlabel="steps", title=name)
    panels[0][0].set_ylabel("accuracy on the test")
    lines = panels[0][-1].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(title)
    return describe(figure, f"{title}. A line for each of the tasks, over the steps.")


def show_owners(used: Sequence[Sequence[Tensor]], *, title: str) -> Figure:
    """Which filters (columns) which task (rows) uses, a panel for each block.

    used: of each task, of each block, (filters,) bool. Dark where the task is the first to use a
    filter, which is frozen from then on; light where an earlier one was.
    """
    blocks = len(used[0])
    figure, panels = plt.subplots(1, blocks, figsize=(WIDTH, 2.4), sharey=True, squeeze=False)
    names = [f"{EACH * task} or {EACH * task + 1}" for task in range(len(used))]
    for block, panel in enumerate(panels[0]):
        table = torch.stack([of_task[block] for of_task in used])  # (tasks, filters)
        first = table & (table.cumsum(0) == 1)
        shades = np.ones((*table.shape, 3))
        shades[table.numpy()] = (0.62, 0.79, 0.93)
        shades[first.numpy()] = (0.0, 0.27, 0.55)
        panel.imshow(shades, aspect="auto", interpolation="nearest")
        panel.set_xticks(np.arange(-0.5, table.shape[1]), [], minor=True)
        panel.set_yticks(np.arange(-0.5, len(table)), [], minor=True)
        panel.grid(True, which="minor", color="0.85", linewidth=0.8)
        panel.grid(False, which="major")
        panel.tick_params(which="minor", length=0)
        panel.set(title=f"block {block + 1}", xlabel="filters", yticks=range(len(used)))
        panel.set_yticklabels(names)
    kinds = {"first to use it": (0.0, 0.27, 0.55), "uses another task's": (0.62, 0.79, 0.93)}
    handles = [Patch(color=colour, label=name) for name, colour in kinds.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title)
    return describe(figure, f"{title}. Rows are tasks, columns are filters of three blocks.")
