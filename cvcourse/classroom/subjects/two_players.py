"""Two players on a ring, and what is measured: modes, strokes of digits, names of clusters."""

import math
from collections.abc import Callable, Mapping
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from cvcourse.classroom.figures import show_gallery, style
from cvcourse.classroom.subjects.generating import Players, SampleSheets, Turn, play
from cvcourse.classroom.training import fit
from cvcourse.data._extras import extra
from cvcourse.methods import forger_losses, judge_losses
from cvcourse.metrics import frechet_distance

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


def of_points(*sheets: Tensor) -> dict[str, float]:
    """Of points (N, 2) at several times: at the last, modes found, share near any, and spread.

    least: the smallest spread of all the times. A spread is the root of the summed variances.
    """
    spreads = [points.std(0).norm().item() for points in sheets]
    near = 1 - shares_of_modes(sheets[-1])[-1].item()
    found = {"modes": modes_found(sheets[-1]), "near": near}
    return found | {"spread": spreads[-1], "least": min(spreads)}


def play_ring(
    seed: int, forgeries: int, rounds: int, gamma: float, device: torch.device | str = "cpu"
) -> SampleSheets:
    """A game for the ring's points; 2,000 made points, at each quarter of the way.

    Both players have two hidden layers of 128; z has 8 numbers. A round is one turn of the judge,
    with R1 times gamma / 2, and then `forgeries` turns of the forger, of 128 points each.
    """
    torch.manual_seed(seed)
    points = DataLoader(TensorDataset(ring(2**13)), 128, shuffle=True, drop_last=True)
    turns = [Turn("judge", ["d"], partial(_judge, gamma=gamma))]
    turns += [Turn("forge", ["g"], _forge)] * forgeries
    players = Players({"d": _layers(2, 1), "g": _layers(8, 2)}, turns)
    z, steps = torch.randn(2000, 8).to(device), players.steps(rounds)
    sheets = SampleSheets(lambda players: players.nets["g"](z))
    fit(
        players, points, play, steps=steps, optimizer=players.optimizer(2e-3), progress=False,
        live=False, validate=sheets, validate_every=steps // 4,
    )  # fmt: skip
    return sheets


def _layers(inputs: int, outputs: int) -> nn.Sequential:
    hidden = nn.Linear(inputs, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()
    return nn.Sequential(*hidden, nn.Linear(128, outputs))


def _forged(nets: nn.ModuleDict, points: Tensor) -> Tensor:
    return nets["g"](torch.randn(len(points), 8, device=points.device))


def _judge(nets: nn.ModuleDict, batch: tuple[Tensor], gamma: float) -> dict[str, Tensor]:
    with torch.no_grad():
        made = _forged(nets, batch[0])
    return judge_losses(lambda points: nets["d"](points)[:, 0], batch[0], made, gamma=gamma)


def _forge(nets: nn.ModuleDict, batch: tuple[Tensor]) -> dict[str, Tensor]:
    return forger_losses(lambda points: nets["d"](points)[:, 0], _forged(nets, batch[0]))


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


def ties(images: Tensor, category: Tensor, numbers: Tensor) -> dict[str, float]:
    """Correlation of each number with each of the `strokes`, within categories: "c1, slant" ...

    images: (N, 1, S, S). category: (N,) integers. numbers: (N, K). The means of its category are
    taken off both, so that what the categories differ in does not count.
    """
    found = {}
    for name, values in strokes(images).items():
        both = torch.cat([values[:, None], numbers], 1)
        for k in category.unique():
            both[category == k] -= both[category == k].mean(0)
        rows = torch.corrcoef(both.T)
        found |= {f"c{i}, {name}": rows[0, i].item() for i in range(1, len(rows))}
    return found


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


def trained_reader(images: Tensor, labels: Tensor, steps: int) -> nn.Sequential:
    """A small network that names digits (N, 1, S, S); all but its last layer gives 32 features."""
    places = 32 * (images.shape[-1] // 4) ** 2
    reader = nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(places, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip
    loader = DataLoader(TensorDataset(images, labels), 64, shuffle=True, drop_last=True)
    fit(
        reader, loader, lambda net, batch: nn.functional.cross_entropy(net(batch[0]), batch[1]),
        steps=steps, lr=2e-3, progress=False, live=False,
    )  # fmt: skip
    return reader.cpu().eval()


@torch.no_grad()
def crowd_distances(
    crowds: Mapping[str, Tensor],
    held: Tensor,
    features: Mapping[str, Callable[[Tensor], Tensor]],
    count: int,
) -> dict[str, dict[str, np.ndarray]]:
    """Fréchet distances to `held` of three times `count` pictures of each crowd, by features: (3,).

    Each way and each crowd is a line that is printed: mean, and least to most of the three.
    """
    found = {}
    for name, pictures in crowds.items():
        if len(pictures) < 3 * count:
            raise ValueError(f"crowds: expected {3 * count} or more of each, got {len(pictures)}")
        thirds = pictures[: 3 * count].split(count)
        found[name] = {
            way: np.array([frechet_distance(f(third), f(held)).item() for third in thirds])
            for way, f in features.items()
        }
        told = (
            f"in {way} {v.mean():7.2f} ({v.min():.2f} to {v.max():.2f})"
            for way, v in found[name].items()
        )
        print(f"{name:15s}", ", ".join(told))
    return found


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
