"""What lessons of two players measure: modes of a ring, strokes of digits, names of clusters."""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.data._extras import extra

MODES, RADIUS, DEVIATION = 8, 2.0, 0.05


def ring(n: int, generator: torch.Generator | None = None) -> Tensor:
    """Points (n, 2) of eight narrow Gaussians on a circle of radius 2."""
    mode = torch.randint(MODES, (n,), generator=generator)
    return centres()[mode] + DEVIATION * torch.randn(n, 2, generator=generator)


def centres() -> Tensor:
    """Of the ring's Gaussians, (8, 2)."""
    angle = 2 * math.pi * torch.arange(MODES) / MODES
    return RADIUS * torch.stack([angle.cos(), angle.sin()], 1)


def shares_of_modes(points: Tensor) -> Tensor:
    """(9,): which share of points (N, 2) is within 0.3 of each centre, and last, of none."""
    near, mode = torch.cdist(points.cpu(), centres()).min(1)
    mode = torch.where(near < 0.3, mode, MODES)
    return mode.bincount(minlength=MODES + 1) / len(points)


def modes_found(points: Tensor) -> int:
    """Modes with a fiftieth of the points or more; each should have an eighth."""
    return int((shares_of_modes(points)[:MODES] >= 0.02).sum())


def strokes(images: Tensor) -> dict[str, Tensor]:
    """Of digits (N, 1, S, S), ink 1: slant (columns a row), width (pixels²) and ink (pixels), (N,).

    From the moments of the ink: slant is the covariance of column and row over the variance of the
    row, positive where lower rows lie further right; width is the variance of the column.
    """
    weight = images[:, 0]
    place = torch.arange(images.shape[-1], dtype=images.dtype, device=images.device)
    ink = weight.sum((1, 2)).clamp(min=1e-6)
    row = (weight.sum(2) * place).sum(1) / ink
    column = (weight.sum(1) * place).sum(1) / ink
    down = (place - row[:, None])[:, :, None]  # (N, S, 1)
    right = (place - column[:, None])[:, None, :]
    height = (weight * down.square()).sum((1, 2)) / ink
    leaning = (weight * down * right).sum((1, 2)) / ink
    width = (weight * right.square()).sum((1, 2)) / ink
    return {"slant": leaning / height.clamp(min=1e-6), "width": width, "ink": ink}


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
