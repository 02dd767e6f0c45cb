"""Asking a network questions that pictures answer themselves, and drawing what came of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from cvcourse.classroom.device import choose_device
from cvcourse.classroom.figures import colour_of, describe
from cvcourse.classroom.history import History
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.classroom.training.fit import fit, warmup_cosine

Ask = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def inside_disk(side: int) -> Tensor:
    """(side, side), 1 where a pixel's middle is inside the largest disk, and else 0."""
    along = torch.arange(side) - (side - 1) / 2
    return (along[:, None] ** 2 + along**2 <= (side / 2) ** 2).float()


def learn_answers(
    model: nn.Module, loader: Iterable[tuple[Tensor, Tensor]], ask: Ask, *, lr: float = 2e-3
) -> History:
    """Train by cross-entropy on what `ask` makes of each batch; the model ends in evaluation mode.

    loader: batches (images, labels), with a length: the steps. ask: from images and labels to
        inputs and answers (M,), on the CPU.
    """

    def loss(net: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        inputs, answers = (part.to(choose_device()) for part in ask(*(x.cpu() for x in batch)))
        return F.cross_entropy(net(inputs), answers)

    history = fit(
        model, loader, loss, steps=len(loader), lr=lr, scheduler=warmup_cosine, gradient_clip=1.0,
        progress=False, live=False,
    )  # fmt: skip
    model.cpu().eval()
    return history


def share_right(model: nn.Module, inputs: Tensor, answers: Tensor) -> float:
    """How many of these questions are answered rightly."""
    with evaluating(model):
        found = torch.cat([model(part).argmax(1) for part in inputs.split(512)])
    return (found == answers).double().mean().item()


def show_over(
    x: Sequence[float],
    rows: Mapping[str, np.ndarray],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    chance: float | None = None,
) -> Figure:
    """Lines through the means of several trainings at each x, and a dot for each training.

    rows: (len(x), trainings) by name. chance: a dotted line at this height.
    """
    figure, panel = plt.subplots(figsize=(7.8, 4.2))
    for i, (name, values) in enumerate(rows.items()):
        panel.plot(x, values.mean(1), "-", color=colour_of(i), label=name)
        panel.plot(x, values, ".", color=colour_of(i))
    if chance is not None:
        panel.axhline(chance, color="black", linewidth=0.8, linestyle=":")
    panel.set(xticks=x, xlabel=xlabel, ylabel=ylabel, title=title)
    panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), title="dots: single trainings")
    return describe(
        figure, f"{title} {ylabel} over {xlabel}, a line for each of {', '.join(rows)}."
    )


def show_parts(
    parts: Mapping[str, Tensor], rows: Sequence[str], *, title: str, xlabel: str, ylabel: str
) -> Figure:
    """A bar for each row, in parts that lie one after another.

    parts: the length of its part in each row (len(rows),), by name.
    """
    figure, panel = plt.subplots(figsize=(8.6, 0.9 + 0.29 * len(rows)))
    start = torch.zeros(len(rows))
    for i, (name, width) in enumerate(parts.items()):
        panel.barh(range(len(rows)), width, left=start, color=colour_of(i), label=name)
        start = start + width
    panel.set(title=title, xlabel=xlabel, ylabel=ylabel)
    panel.set_yticks(range(len(rows)), rows)
    panel.invert_yaxis()
    panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return describe(figure, f"{title} Bars of {', '.join(parts)} for each {ylabel}.")
