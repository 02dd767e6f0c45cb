"""Charts of numbers: training curves, and confusion between classes."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cvcourse.classroom.figures import style
from cvcourse.classroom.history import History

MARKERS = "osD^vPX"
LINES = ("-", "--", "-.", ":")


def show_curves(
    curves: History | Mapping[str, History | Sequence[float] | tuple[Sequence, Sequence]],
    *,
    title: str | None = None,
    xlabel: str = "step",
    ylabel: str = "loss",
    names: Sequence[str] | None = None,
    log: bool = False,
    smooth: bool = True,
    alt: str | None = None,
) -> Figure:
    """Curves over training steps, or over anything else.

    curves: a `History`, whose loss is drawn at the left and whose validation at the right; several
        of them by name, whose losses (and other `names`) are compared in one panel each; or
        sequences of values, or pairs (x, y) of sequences, by name.
    names: of a `History`, what to draw, one panel each. log: logarithmic loss or y axis.
    smooth: False draws each value alone, where an average would hide what happens.

    **Conventions**: what was recorded at each of 50 or more steps is drawn faintly, and over it its
    moving average over a 15th of the steps; learning rates are not drawn unless named.
    """
    if isinstance(curves, History):
        curves, single = {"": curves}, True
    else:
        curves, single = dict(curves), False
    if not curves:
        raise ValueError("curves must contain at least one curve")
    if all(isinstance(curve, History) for curve in curves.values()):
        figure = _histories(curves, names, xlabel, log, smooth)
        title = title or ("Training" if single else "Training compared")
    else:
        figure, axes = plt.subplots()
        for i, (name, curve) in enumerate(curves.items()):
            x, y = curve if isinstance(curve, tuple) else (range(len(curve)), curve)
            _line(axes, _values(x), _values(y), i, name, smooth)
        axes.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
        axes.legend()
        title = title or f"{ylabel} against {xlabel}"
    for axes in figure.axes:
        axes.grid(True, axis="y")
    figure.suptitle(title)
    return style.describe(figure, alt or f"{title}. {_ends(figure)}")


def show_trainings(
    rows: Mapping[str, Sequence[float]],
    *,
    title: str,
    xlabel: str,
    at_zero: bool = False,
    alt: str | None = None,
) -> Figure:
    """What several trainings of each method gave: a row for each, from top to bottom.

    rows: the values of a method's trainings, by its name. The first training (seed) is a circle in
        every row, the second a square, and so on, one below the other; the bar is their mean.
        More than seven are dots, which a legend could not tell apart. A row of one value, beside
        rows of several, has no training to pair: it is a stroke, a "single value".
    at_zero: draw a line at 0, where rows are differences.
    """
    if not rows:
        raise ValueError("rows must contain at least one method")
    values = {name: _values(of_name) for name, of_name in rows.items()}
    most = max(map(len, values.values()))
    markers = MARKERS if most <= len(MARKERS) else "." * most
    figure, axes = plt.subplots()
    if at_zero:
        axes.axvline(0, color="0.5", linewidth=1)
    named = {}  # what the legend says, and one mark of each kind
    for row, each in enumerate(values.values()):
        kind, color, size = (
            ("single value", "black", 12) if len(each) == 1 else ("mean", style.BLUE, 20)
        )
        (named[kind],) = axes.plot(
            each.mean(), row, "|", color=color, markersize=size, markeredgewidth=size / 6
        )
        if len(each) == 1:
            continue
        lanes = row + 0.4 * ((np.arange(len(each)) + 0.5) / len(each) - 0.5)  # none hides another
        for i, point in enumerate(zip(each, lanes, strict=True)):
            (line,) = axes.plot(
                *point, markers[i], color="white", markeredgecolor="black", markersize=6
            )
            if most <= len(MARKERS):
                named[f"training {i + 1}"] = line
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(xlabel=xlabel, ylim=(len(rows) - 0.4, -0.6))
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)
    told = sorted(named, key=lambda name: (not name.startswith("training"), name))
    columns = len(told) if len(told) <= 5 else 4  # six would not fit side by side
    lines_of_text = 1 + (len(told) - 1) // columns if most > 1 else 0
    figure.set_size_inches(style.WIDTH, 1.1 + 0.32 * len(rows) + 0.2 * lines_of_text)
    if most > 1:
        figure.legend(
            [named[name] for name in told], told,
            loc="outside lower center", ncols=columns, frameon=False,
        )  # fmt: skip
    figure.suptitle(title)
    summary = ", ".join(
        f"{name} {each.mean():.3g}"
        + (f" ({each.min():.3g} to {each.max():.3g})" if len(each) > 1 else "")
        for name, each in values.items()
    )
    return style.describe(figure, alt or f"{title}. Means, and from least to most: {summary}.")


def show_spread(
    panels: Mapping[str, Mapping[str, tuple[Sequence, Sequence]]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    formula: Mapping[str, tuple[Sequence, Sequence]] | None = None,
    log: str = "",
    alt: str | None = None,
) -> Figure:
    """Means of several trainings as lines, and each training as a dot; panels side by side.

    panels: by title; of each line its name and a pair (x, y): x (points,), y (points, trainings).
        A name has one colour in all panels; the legend stands in the first one.
    formula: lines without trainings, (points,) both, dotted and black in each panel.
    log: the axes that are logarithmic, "", "x", "y" or "xy".
    """
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    if not names:
        raise ValueError("panels must contain at least one line")
    figure, cells = plt.subplots(
        1, len(panels), figsize=(style.WIDTH, 4.2), sharey=True, squeeze=False
    )
    for axes, (heading, lines) in zip(cells[0], panels.items(), strict=True):
        for name, (x, y) in lines.items():
            x, y = _values(x), _values(y)
            if y.shape[:1] != x.shape or y.ndim != 2:
                raise ValueError(
                    f"{name}: expected x (points,) and y (points, trainings), "
                    f"got {x.shape} and {y.shape}"
                )
            index = names.index(name)
            colour = style.COLOURS[index % 7]
            look = {"color": colour, "linestyle": LINES[index // 7 % 4], "label": name}
            axes.plot(x, y.mean(1), **look)
            axes.plot(x, y, ".", color=colour, markersize=5)
        for name, (x, y) in (formula or {}).items():
            axes.plot(_values(x), _values(y), ":", color="black", label=name)
        axes.set(title=heading, xlabel=xlabel)
        axes.set(xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear")
        axes.grid(True, axis="y")
    cells[0, 0].set_ylabel(ylabel)
    cells[0, 0].legend()
    figure.suptitle(title)
    return style.describe(figure, alt or f"{title}. {ylabel} against {xlabel}: {', '.join(names)}.")


def show_confusion(
    matrix,
    class_names: Sequence[str] | None = None,
    *,
    title: str,
    normalise: bool = True,
    alt: str | None = None,
) -> Figure:
    """A confusion matrix, true classes in rows and predicted ones in columns.

    matrix: (classes, classes) counts. normalise: colours and numbers are shares of each row; rows
        without any example stay empty.
    """
    counts = _values(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"matrix must have the shape (classes, classes), but has {counts.shape}")
    classes = len(counts)
    names = [str(i) for i in range(classes)] if class_names is None else list(class_names)
    if len(names) != classes:
        raise ValueError(f"class_names must be {classes} names, but are {len(names)}")
    totals = counts.sum(1, keepdims=True)
    shown = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    if not normalise:
        shown = counts
    side = min(style.WIDTH - 0.7, max(3.4, 1.6 + 0.42 * classes))
    figure, axes = plt.subplots(figsize=(side + 0.7, side))
    highest = 1.0 if normalise else max(float(counts.max()), 1.0)
    picture = axes.imshow(shown, cmap="cividis", vmin=0, vmax=highest)
    if classes <= 15:
        for (row, column), value in np.ndenumerate(shown):
            if np.isfinite(value) and value > 0:
                ink = "black" if value > 0.55 * highest else "white"
                text = f"{value:.2f}" if normalise else f"{value:.0f}"
                axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8.5)
    for row in np.flatnonzero(~np.isfinite(shown).any(1)):
        axes.text((classes - 1) / 2, row, "no examples", ha="center", va="center", color="0.4")
    turn = {"rotation": 45, "ha": "right"} if max(map(len, names)) > 3 else {}
    axes.set_xticks(range(classes), names, **turn)
    axes.set_yticks(range(classes), names)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.spines[:].set_visible(False)
    label = "share of the true class" if normalise else "examples"
    figure.colorbar(picture, ax=axes, label=label, shrink=0.8)
    figure.suptitle(title)
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    return style.describe(
        figure,
        alt or f"{title}. {classes} classes, {accuracy:.1%} of examples on the diagonal.",
    )


def _histories(curves: dict, names, xlabel: str, log: bool, smooth: bool) -> Figure:
    recorded = list(dict.fromkeys(name for curve in curves.values() for name in curve.names()))
    every_step = [n for n in recorded if n != "lr" and any(n in c[0] for c in curves.values() if c)]
    sometimes = [name for name in recorded if name != "lr" and name not in every_step]
    if names is not None:
        panels = [[name] for name in names]
    elif len(curves) > 1:
        panels = [["loss"], *([name] for name in sometimes)]
    else:
        panels = [every_step, *([name] for name in sometimes)]
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    size = (style.WIDTH, 3.4 * rows if columns > 1 else 3.8)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        several = len(curves) > 1 or len(panel) > 1
        for i, (run, name) in enumerate((run, name) for run in curves for name in panel):
            steps, values = curves[run].curve(name)
            label = run if len(curves) > 1 else name
            _line(axes, _values(steps), _values(values), i, label if several else None, smooth)
        axes.set(xlabel=xlabel, ylabel="loss" if panel == every_step else panel[0])
        if log and panel[0] in every_step:
            axes.set_yscale("log")
        if several:
            axes.legend()
    for axes in list(grid.flat)[len(panels) :]:
        axes.axis("off")
    return figure


def _line(
    axes: Axes, x: np.ndarray, y: np.ndarray, index: int, label: str | None, smooth: bool
) -> None:
    colour = style.COLOURS[index % 7]
    look = {"color": colour, "label": label, "linestyle": LINES[index // 7 % 4]}
    if len(y) >= 50 and not smooth:
        axes.plot(x, y, **look)
    elif len(y) >= 50:
        axes.plot(x, y, color=colour, alpha=0.25, linewidth=0.9)
        axes.plot(x, _moving_average(y, max(3, len(y) // 15)), **look)
    else:
        marker = MARKERS[index % len(MARKERS)]
        axes.plot(x, y, marker=marker, markersize=4.5, **look)


def _moving_average(y: np.ndarray, width: int) -> np.ndarray:
    """The mean of up to `width` values around each, fewer at the ends."""
    weights = np.ones(width)
    return np.convolve(y, weights, "same") / np.convolve(np.ones(len(y)), weights, "same")


def _values(numbers) -> np.ndarray:
    if isinstance(numbers, torch.Tensor):
        numbers = numbers.detach().cpu()
    return np.asarray(numbers, dtype=float)


def _ends(figure: Figure) -> str:
    """In words: where each curve begins and ends."""
    told = []
    for axes in figure.axes:
        for line in axes.get_lines():
            if line.get_alpha() is None and len(line.get_ydata()):
                y = line.get_ydata()
                own = line.get_label()
                name = axes.get_ylabel() if own.startswith("_") else own
                told.append(f"{name} goes from {y[0]:.3g} to {y[-1]:.3g}")
    return "; ".join(told) + "."
