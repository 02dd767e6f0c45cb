"""Points on a ring, and what is measured of two players: modes found, names of clusters."""

import math
from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import show_gallery, style
from cvcourse.data._extras import extra

MODES, RADIUS, DEVIATION = 8, 2.0, 0.05


def ring(n: int, generator: torch.Generator | None = None) -> Tensor:
    """Points (n, 2) of eight narrow Gaussians on a circle of radius 2."""
    mode = torch.randint(MODES, (n,), generator=generator)
    return centres()[mode] + DEVIATION * torch.randn(n, 2, generator=generator)


def even_circle(n: int) -> Tensor:
    """Points (n, 2) all along the ring's circle, none preferred: what has no modes."""
    angle = 2 * math.pi * torch.arange(n) / n
    return RADIUS * torch.stack([angle.cos(), angle.sin()], 1)


def centres() -> Tensor:
    """Of the ring's Gaussians, (8, 2)."""
    return even_circle(MODES)


def shares_of_modes(points: Tensor) -> Tensor:
    """(9,): which share of points (N, 2) is within 0.3 of each centre, and last, of none."""
    near, mode = torch.cdist(points.cpu(), centres()).min(1)
    mode = torch.where(near < 0.3, mode, MODES)
    return mode.bincount(minlength=MODES + 1) / len(points)


def modes_found(points: Tensor) -> int:
    """Modes with half of their due or more, that is, a sixteenth of the points.

    Points spread evenly over the whole circle find none: a twentieth of them is near each centre.
    """
    return int((shares_of_modes(points)[:MODES] >= 0.5 / MODES).sum())


def of_points(points: Tensor) -> dict[str, float]:
    """Of points (N, 2): modes found, share near any, and spread, the root of summed variances."""
    near = 1 - shares_of_modes(points)[-1].item()
    spread = points.std(0).norm().item()
    return {"modes": modes_found(points), "near": near, "spread": spread}


def score_of_clusters(
    clusters: Tensor, labels: Tensor, tested: Tensor, truth: Tensor, classes: int = 10
) -> float:
    """Accuracy on `tested` clusters, each named after a label so that `clusters` fit `labels` best.

    No two clusters have one name: the best assignment, by the Hungarian method.
    """
    with extra("lessons", "score_of_clusters"):
        from scipy.optimize import linear_sum_assignment

    counts = np.zeros((classes, classes), dtype=int)
    np.add.at(counts, (clusters.cpu().numpy(), labels.cpu().numpy()), 1)
    _, names = linear_sum_assignment(-counts)
    return float((torch.from_numpy(names)[tested.cpu()] == truth.cpu()).double().mean())


def show_turned(make: Callable[[float, float], Tensor], c1: float, c2: float, title: str) -> Figure:
    """Pictures `make(c1, c2)` (N, 1, S, S), a row each: at the left c1 from -1 to 1, then c2."""
    values = (-1.0, -0.5, 0.0, 0.5, 1.0)
    columns = [make(v, c2) for v in values] + [make(c1, v) for v in values]
    captions = [f"{name} {v:+.1f}" for name in ("c1", "c2") for v in values]
    rows = [[column[i] for column in columns] for i in range(len(columns[0]))]
    return show_gallery(rows, captions=[captions] * len(rows), title=title)


def show_points(panels: Mapping[str, Tensor], *, title: str) -> Figure:
    """Clouds of points (N, 2) side by side, each over the ring's centres (crosses)."""
    figure, cells = plt.subplots(
        1, len(panels), figsize=(style.WIDTH, style.WIDTH / len(panels) + 0.5), squeeze=False
    )
    for axes, (name, points) in zip(cells[0], panels.items(), strict=True):
        axes.scatter(*points[:600].cpu().T, s=4, color=style.BLUE, alpha=0.4, linewidths=0)
        axes.scatter(*centres().T, marker="x", color=style.VERMILION, s=22)
        axes.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[-2, 0, 2], yticks=[-2, 0, 2], aspect="equal")
        axes.set_title(name, fontsize=9.5)
    cells[0][0].set(xlabel="first number", ylabel="second number")
    figure.suptitle(title)
    return style.describe(figure, f"{title}. Points in {len(panels)} panels: {', '.join(panels)}.")
