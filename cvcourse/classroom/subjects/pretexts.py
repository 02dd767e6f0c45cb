"""Asking a network questions that pictures answer themselves, and drawing what came of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from cvcourse.classroom.device import choose_device
from cvcourse.classroom.figures import describe
from cvcourse.classroom.figures.charts import LINES, MARKERS
from cvcourse.classroom.figures.style import COLOURS
from cvcourse.classroom.history import History
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.classroom.training.fit import fit, warmup_cosine

Ask = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Loss = Callable[[nn.Module, Sequence[Tensor]], Tensor]


def inside_disk(side: int) -> Tensor:
    """(side, side), 1 where a pixel's middle is inside the largest disk, and else 0."""
    along = torch.arange(side) - (side - 1) / 2
    return (along[:, None] ** 2 + along**2 <= (side / 2) ** 2).float()


def loss_of_answers(ask: Ask) -> Loss:
    """The cross-entropy of a batch (images, labels) on what `ask` makes of it, for `fit`.

    ask: from images and labels to inputs and answers (M,), on the CPU.
    """

    def loss(net: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        inputs, answers = (part.to(choose_device()) for part in ask(*(x.cpu() for x in batch)))
        return F.cross_entropy(net(inputs), answers)

    return loss


def learn_answers(
    model: nn.Module, loader: Iterable[tuple[Tensor, Tensor]], ask: Ask, *, lr: float = 2e-3
) -> History:
    """Train by `loss_of_answers`; the model ends in evaluation mode.

    loader: batches (images, labels), with a length: the steps.
    """
    return _learn(model, loader, loss_of_answers(ask), lr)


def learn_to_copy(
    model: nn.Module, loader: Iterable[tuple[Tensor, Tensor]], *, lr: float = 3e-3
) -> History:
    """Train an autoencoder on each batch's images, in [-1, 1] there; it ends in evaluation mode."""

    def loss(net: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        images = 2 * batch[0].to(choose_device()) - 1
        return F.mse_loss(net(images), images)

    return _learn(model, loader, loss, lr)


def _learn(model: nn.Module, loader: Iterable, loss: Loss, lr: float) -> History:
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
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """Lines through the means of several trainings at each x, and a mark for each training.

    rows: (len(x), trainings) by name. The first training is a circle on every line, the second a
    square, and so on. levels: heights without an x, dotted lines that are named where they are.
    """
    figure, panel = plt.subplots(figsize=(7.8, 4.4))
    for i, (name, values) in enumerate(rows.items()):
        look = {"color": COLOURS[i % 7], "linestyle": LINES[(i + i // 4) % len(LINES)]}
        panel.plot(x, values.mean(1), label=name, **look)
        for marker, training in zip(MARKERS, values.T, strict=False):
            panel.plot(x, training, marker, color=look["color"], markersize=4.5, fillstyle="none")
    for name, height in (levels or {}).items():
        panel.axhline(height, color="0.35", linewidth=1, linestyle=":")
        at = (x[-2] + x[-1]) / 2, height
        panel.annotate(name, at, (0, 2), textcoords="offset points", ha="center", fontsize=9)
    panel.set(xticks=x, xlabel=xlabel, ylabel=ylabel, title=title)
    panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    names = ", ".join([*rows, *(levels or {})])
    return describe(figure, f"{title} {ylabel} over {xlabel}, a line for each of {names}.")


def show_answers(picture: Tensor, answers: Mapping[str, float], *, title: str) -> Figure:
    """A picture (3, H, W), and beside it what a network says of it: probabilities by answer."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2))
    left.imshow(picture.permute(1, 2, 0).cpu())
    left.set_axis_off()
    right.bar(list(answers), [float(p) for p in answers.values()], color=COLOURS[0])
    right.set(ylim=(0, 1), xlabel="answer", ylabel="probability")
    figure.suptitle(title)
    return describe(figure, f"{title} A picture, and the probabilities of {', '.join(answers)}.")
