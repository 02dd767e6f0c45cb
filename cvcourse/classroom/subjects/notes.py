"""Sticky notes with a handwritten digit: of each it is known which digit, and which paper.

What one sorts such pictures by is open, and so one can ask what a grouping went by.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import show_gallery
from cvcourse.classroom.figures.style import BLUE, ORANGE, WIDTH, describe
from cvcourse.classroom.printing import say
from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects.poses import posed
from cvcourse.data import digits, real
from cvcourse.methods import rotate

SIDE, DIGIT = 24, 16  # pixels of a note, and of the digit somewhere on it
PAPERS = {
    "yellow": (0.98, 0.86, 0.35),
    "pink": (0.97, 0.55, 0.65),
    "green": (0.55, 0.83, 0.55),
    "blue": (0.50, 0.75, 0.95),
    "orange": (0.95, 0.62, 0.30),
}

Notes = tuple[Tensor, Tensor, Tensor]  # images (N, 3, 24, 24), digits (N,), papers (N,)


def write_notes(ink: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Notes (N, 3, 24, 24) in [0, 1] of `ink` (N, 1, h, w), and the number of each one's paper.

    The ink, 16 x 16 pixels, lies anywhere inside the note; paper and light are drawn, and noise of
    deviation 0.02 is added.
    """
    n = len(ink)
    papers = torch.randint(len(PAPERS), (n,), generator=generator)
    zoom = SIDE / DIGIT
    free = 1 - 1 / zoom  # from -1 to 1, as far as the ink may move
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = zoom
    theta[:, :, 2] = zoom * free * (2 * torch.rand(n, 2, generator=generator) - 1)
    grid = F.affine_grid(theta, [n, 1, SIDE, SIDE], align_corners=False)
    ink = F.grid_sample(ink, grid, align_corners=False)
    paper = torch.tensor(list(PAPERS.values()))[papers][:, :, None, None]
    light = 0.85 + 0.3 * torch.rand(n, 1, 1, 1, generator=generator)
    noise = 0.02 * torch.randn(n, 3, SIDE, SIDE, generator=generator)
    return (light * paper * (1 - 0.85 * ink) + noise).clamp(0, 1), papers


def sticky_notes(run: Run) -> dict[str, Notes]:
    """Notes for "train", "val" and "test", on the run's device.

    Digits of `cvcourse.data.digits`; at scale full MNIST's, where `data_scripts/` has fetched it,
    with the last sixth of its training digits for "val". A line says which.
    """
    name, parts = ink_of_digits(run)
    counts = ", ".join(f"{len(labels):,} {split}" for split, (_, labels) in parts.items())
    say(f"data: notes with {name}, {counts}")
    notes = {}
    for number, (split, (ink, labels)) in enumerate(parts.items()):
        images, papers = write_notes(ink, torch.Generator().manual_seed(number))
        notes[split] = tuple(part.to(run.device) for part in (images, labels, papers))
    return notes


def ink_of_digits(run: Run) -> tuple[str, dict[str, tuple[Tensor, Tensor]]]:
    """ "digits" or, as `sticky_notes` says, "MNIST"; and of each split ink (N, 1, h, w), labels."""
    folder = real.find("mnist") if run.scale == "full" else None
    if folder is None:
        return "digits", {split: digits.load(split) for split in ("train", "val", "test")}
    train, test = (real.Mnist(folder, split) for split in ("train", "test"))
    held = len(train) - len(train) // 6
    return "MNIST", {
        split: (data.images[part] / 255, data.labels[part])
        for split, data, part in (
            ("train", train, slice(held)),
            ("val", train, slice(held, None)),
            ("test", test, slice(None)),
        )
    }


def looks(notes: Tensor, generator: torch.Generator) -> Tensor:
    """Each note (N, C, H, W) turned by up to 17°, resized by up to 15 %, moved by up to a sixth."""
    uniform = 2 * torch.rand(4, len(notes), generator=generator) - 1
    angle, size, shift = 0.3 * uniform[0], 1 + 0.15 * uniform[1], uniform[2:].T / 3
    return posed(notes, angle, size, shift, outside="border")


def turned_looks(notes: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A look at each note (N, C, S, S), turned by 0 to 3 quarters, and by how many (N,)."""
    turns, quarters = rotate(looks(notes, generator))  # four of each
    one = 4 * torch.arange(len(notes)) + torch.randint(4, (len(notes),), generator=generator)
    return turns[one], quarters[one]


def contents(found: Tensor, labels: Tensor, clusters: int) -> Tensor:
    """(clusters, 10) how many notes of each digit are in each cluster; both (N,) from 0."""
    pairs = 10 * found.cpu().long() + labels.cpu().long()
    return pairs.bincount(minlength=10 * clusters).view(clusters, 10)


def show_clusters(
    images: Tensor, found: Tensor, labels: Tensor, chosen: Tensor, *, title: str, columns: int = 10
) -> Figure:
    """A row of notes for each chosen cluster, framed by whether they are its commonest digit.

    images (N, 3, h, w), found and labels (N,), chosen (rows,): which clusters. At the left of a row
    stands the commonest digit, and the share of the cluster's notes that have it.
    """
    counts = contents(found, labels, int(found.max()) + 1)
    rows, names, correct = [], [], []
    for c in chosen.tolist():
        members = (found.cpu() == c).nonzero()[:columns, 0]
        commonest = int(counts[c].argmax())
        rows.append(images.cpu()[members])
        names.append(f"{commonest}: {int(counts[c].max()) / int(counts[c].sum()):.0%}")
        correct.append((labels.cpu()[members] == commonest).tolist())
    return show_gallery(rows, names, correct=correct, title=title)


def draw_contents(axes: Axes, counts: Tensor) -> None:
    """A bar for each cluster: its commonest digit, which stands above it, and on it all others.

    counts (clusters, 10). In the order of commonest digits; of more than 60 none is named.
    """
    most = counts.max(1).values
    order = (counts.argmax(1) * (counts.sum() + 1) - most).argsort()
    most, total = most[order].numpy(), counts.sum(1)[order].numpy()
    axes.bar(range(len(counts)), most, 0.9, color=BLUE, label="the cluster's commonest digit")
    axes.bar(range(len(counts)), total - most, 0.9, bottom=most, color=ORANGE, label="other digits")
    if len(counts) <= 60:
        axes.bar_label(axes.containers[-1], counts[order].argmax(1).tolist(), fontsize=8)
    axes.set(ylabel="notes", xticks=[])


def show_contents(panels: Mapping[str, Tensor], *, title: str) -> Figure:
    """One panel of bars above the other, as `draw_contents` draws them.

    panels: counts (clusters, 10) by the panel's name, which stands above it.
    """
    size = (WIDTH, 0.6 + 1.9 * len(panels))
    figure, axes = plt.subplots(len(panels), 1, figsize=size, sharey=True, squeeze=False)
    for panel, (name, counts) in zip(axes[:, 0], panels.items(), strict=True):
        draw_contents(panel, counts)
        panel.set_title(name)
    most = max(int(counts.sum(1).max()) for counts in panels.values())
    axes[0, 0].set_ylim(0, 1.15 * most)  # room for a digit above the highest bar
    axes[-1, 0].set_xlabel("clusters, in the order of their commonest digit")
    legend = axes[0, 0].get_legend_handles_labels()
    figure.legend(*legend, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title)
    return describe(figure, f"{title}. {'; '.join(panels)}.")
