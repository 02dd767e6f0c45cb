"""What lessons on few labels look at: pictures moved and corrupted, a graph, cells by windows."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from torch import Tensor

from cvcourse.classroom.device import rehearsal
from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects.poses import posed
from cvcourse.data.cells import cell_pictures

STRENGTHS = 3


def training_steps(run: Run, *, small: int, full: int) -> int:
    """Steps of a training for the scale of a run; four in a rehearsal."""
    return 4 if rehearsal() == "lines" else run.pick(small=small, full=full)


def moved(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Each picture (N, C, H, W) turned, resized and moved, at most by `strength` times
    14°, 15 %, and a quarter of half a side; what comes in from outside is 0."""
    u = torch.rand(4, len(images), generator=generator) - 0.5
    angle, size, shift = 0.5 * strength * u[0], 1 + 0.3 * strength * u[1], strength * u[2:].T / 2
    return posed(images, angle, size, shift)


def corrupted(images: Tensor, seed: int = 0) -> dict[str, list[Tensor]]:
    """Five kinds of corruption of pictures (N, C, H, W), each at three strengths, weakest first.

    "noise" and "turned" are drawn by the seed; "blurred" mixes with the mean of 3 x 3, "pale" draws
    all values towards one half, "barred" puts 0 into one to three eighths below the middle.
    """
    g = torch.Generator().manual_seed(seed)
    grain = torch.randn(images.shape, generator=g)
    rows = torch.arange(images.shape[2]) * 8 // images.shape[2]
    bars = [(rows >= 4) & (rows < 5 + k) for k in range(STRENGTHS)]
    return {
        "noise": [images + s * grain for s in (0.15, 0.3, 0.45)],
        "turned": [moved(images, s, g) for s in (0.7, 1.0, 1.3)],
        "blurred": [images.lerp(F.avg_pool2d(images, 3, 1, 1), s) for s in (0.4, 0.7, 1.0)],
        "pale": [0.5 + (images - 0.5) * s for s in (0.7, 0.5, 0.3)],
        "barred": [torch.where(bar[:, None], 0.0, images) for bar in bars],
    }


def graph_of(images: Tensor, labels: Tensor, known: Tensor):
    """scikit-learn's `LabelSpreading`: each picture joined with its seven nearest, in pixels.

    known: numbers of the pictures whose labels it may see.
    """
    from sklearn.semi_supervised import LabelSpreading

    hidden = torch.full((len(images),), -1)
    hidden[known] = labels[known]
    graph = LabelSpreading("knn", n_neighbors=7, max_iter=100)
    with np.errstate(invalid="ignore"):  # a part of the graph without any label is 0 / 0
        return graph.fit(images.flatten(1).numpy(), hidden.numpy())


def graphs_say(graphs: Sequence, images: Tensor | None = None, *, classes: int = 10) -> Tensor:
    """Probabilities (graphs, N, classes); all 0 where a graph has no answer.

    images: those asked about; None for those that the graphs are made of.
    """
    said = []
    for graph in graphs:
        with np.errstate(invalid="ignore"):
            chances = (
                graph.label_distributions_
                if images is None
                else graph.predict_proba(images.flatten(1).numpy())
            )
        every = torch.zeros(len(chances), classes)
        every[:, torch.from_numpy(graph.classes_)] = torch.from_numpy(chances).nan_to_num(0).float()
        said.append(every)
    return torch.stack(said)


def cell_windows(
    count: int, split: str, *, side: int = 64, window: int = 9
) -> tuple[Tensor, Tensor, Tensor]:
    """Drawn cells (count, 1, side, side), what is around each pixel, and which pixels are cell.

    Windows (count, side², window²) hold a pixel's surroundings, itself in the middle, reflected at
    the frame; labels (count, side, side) are 1 in a cell and 0 outside.
    """
    images, numbers = cell_pictures(count, split, size=side, objects=(3, 14), scale=(0.2, 0.4))
    wider = F.pad(images, [window // 2] * 4, mode="reflect")
    return images, F.unfold(wider, window).transpose(1, 2).contiguous(), (numbers > 0).long()


def draw_two_rows(
    cell: Axes, loss: Callable[[Tensor], Tensor], path: np.ndarray, *, title: str
) -> None:
    """A loss over the answers to two pictures, and a path (steps, 2) over it, from disk to star.

    loss: logits (2, 2) -> (). The axes are what is said of class 1, of the first and the second
        picture. Dark is low.
    """
    p = torch.linspace(0.01, 0.99, 50)
    rows = torch.stack([p, 1 - p], 1).log()
    values = [[float(loss(torch.stack([a, b]))) for a in rows] for b in rows]
    cell.contourf(p, p, values, 12, cmap="cividis")
    cell.plot(*path.T, color="white", linewidth=2)
    cell.plot(*path[0], "o", color="white", markeredgecolor="black", label="start")
    cell.plot(*path[-1], "*", color="white", markeredgecolor="black", markersize=14, label="end")
    cell.set(title=title, xlabel="p, first picture", aspect="equal")
