"""Networks that go down and up again, as ladders: what is kept, and where answers come out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from cvcourse.classroom.figures import style


class Ladder(NamedTuple):
    """One network. Levels are texts such as "64 × 568²", finest first.

    down: the maps on the way down, the deepest last. up: those on the way up, finest first; as many
        as `down`, or one fewer where the deepest map itself is the first of the way up.
    rung: what happens to a map that crosses. answers: levels of `up` that are answered from.
    """

    down: Sequence[str]
    up: Sequence[str]
    rung: str
    answers: Sequence[int]
    answer: str


def maps_of(network: nn.Module, images: Tensor, *groups: Iterable[nn.Module]) -> list[list[str]]:
    """For each group of layers, the maps that they give on the way of `images`: "64 × 568²".

    That is channels × side²; the last call counts where a layer is called more than once.
    """
    groups = [list(group) for group in groups]
    seen = {}

    def note(layer: nn.Module, _, out: Tensor) -> None:
        seen[layer] = f"{out.shape[1]} × {out.shape[-1]}²"

    handles = [layer.register_forward_hook(note) for group in groups for layer in group]
    with torch.no_grad():
        network(images)
    for handle in handles:
        handle.remove()
    return [[seen[layer] for layer in group] for group in groups]


def show_ladders(ladders: Mapping[str, Ladder], *, title: str, alt: str | None = None) -> Figure:
    """Networks side by side, each with its way down at the left and its way up at the right."""
    levels = max(len(ladder.down) for ladder in ladders.values())
    figure, cells = plt.subplots(
        1, len(ladders), figsize=(style.WIDTH, 0.75 * levels + 0.9), squeeze=False
    )
    for axes, (name, ladder) in zip(cells.flat, ladders.items(), strict=True):
        if not len(ladder.down) - 1 <= len(ladder.up) <= len(ladder.down):
            raise ValueError(
                f"up must have {len(ladder.down)} levels or one fewer, but {name!r} has "
                f"{len(ladder.up)}"
            )
        _draw(axes, ladder)
        axes.set(title=name, xlim=(-0.5, 3.1), ylim=(levels - 0.5, -0.6), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    figure.suptitle(title)
    told = [
        f"{name}: down {', '.join(ladder.down)}; across: {ladder.rung}; up "
        f"{', '.join(reversed(ladder.up))}; {len(ladder.answers)} × {ladder.answer}"
        for name, ladder in ladders.items()
    ]
    return style.describe(figure, alt or f"{title}. {'. '.join(told)}.")


def _draw(axes: Axes, ladder: Ladder) -> None:
    deepest = len(ladder.down) - 1
    shared = len(ladder.up) == deepest  # the deepest map ends the way down and begins the way up
    for level, text in enumerate(ladder.down):
        bottom = shared and level == deepest
        _box(axes, 0.85 if bottom else 0, level, text, style.BLUE)
        if level and not bottom:
            _arrow(axes, (0, level - 1), (0, level))
    for level, text in enumerate(ladder.up):
        _box(axes, 1.7, level, text, style.VERMILION)
        _arrow(axes, (0, level), (1.7, level), dashed=True)
        if level:
            _arrow(axes, (1.7, level), (1.7, level - 1))
        if level in ladder.answers:
            _arrow(axes, (1.7, level), (2.75, level))
            axes.text(2.5, level - 0.16, ladder.answer, fontsize=8.5, va="bottom", ha="center")
    if shared:
        _arrow(axes, (0, deepest - 1), (0.85, deepest))
        _arrow(axes, (0.85, deepest), (1.7, deepest - 1))
    axes.text(0.85, -0.12, ladder.rung, fontsize=8.5, va="bottom", ha="center")


def _box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    frame = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": colour}
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5, bbox=frame | {"linewidth": 1.6})


def _arrow(axes: Axes, start: tuple, end: tuple, *, dashed: bool = False) -> None:
    look = {"arrowstyle": "-|>", "color": "0.35", "shrinkA": 12, "shrinkB": 12}
    if start[1] == end[1]:
        look |= {"shrinkA": 33, "shrinkB": 33 if end[0] == 1.7 else 0}
    axes.annotate("", end, start, arrowprops=look | {"linestyle": "--" if dashed else "-"})
