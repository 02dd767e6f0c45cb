"""The readers of digits that lie anywhere among scraps, which lesson 03b trains."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.training.weights import load_shared
from cvcourse.data.cluttered_digits import SIDE
from cvcourse.models.backbones.spatial_transformer import DigitClassifier


def trained_reader(training: str = "12000-0") -> DigitClassifier:
    """Pictures (N, 1, 40, 40) to logits (N, 10): a plain network of lesson 03b.

    training: its steps and its seed. In evaluation mode, on the CPU.

    Raises FileNotFoundError where the weights are not there.
    """
    reader = DigitClassifier(image_size=SIDE)
    load_shared(reader, f"03b-plain-{training}")
    return reader.eval()


def untrained_reader(seed: int) -> DigitClassifier:
    """The same network with the weights with which a training with this seed would begin."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return DigitClassifier(image_size=SIDE).eval()


def discs(centres: Tensor, radius: float = 10.0) -> Tensor:
    """Where the digits are: (N, 2), x and y in pixels from the middle, to (N, 40, 40) booleans."""
    place = torch.arange(SIDE) + 0.5 - SIDE / 2  # the middle of each pixel
    across = (place - centres[:, :1]).square()[:, None, :]
    return across + (place - centres[:, 1:]).square()[:, :, None] < radius**2


def alike(ours: Tensor, theirs: Tensor, where: Tensor) -> Tensor:
    """Spearman's correlation (N,) of two maps (N, H, W) over the pixels `where`, of their shape."""
    from scipy.stats import spearmanr

    each = zip(ours, theirs, where, strict=True)
    found = [spearmanr(one[on], other[on]).statistic for one, other, on in each]
    return torch.tensor(found, dtype=torch.float64)


def show_map(picture: Tensor, found: Tensor, title: str) -> Figure:
    """A picture, and a map (H, W) of it: violet where it is positive, orange where negative."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(0.78 * style.WIDTH, 3.5))
    left.imshow(picture[0], cmap="gray", vmin=0, vmax=1)
    most = found.abs().max()
    right.imshow(found, cmap="PuOr", vmin=-most, vmax=most)
    for axes in (left, right):
        axes.set(xticks=[], yticks=[])
    figure.suptitle(title)
    return style.describe(figure, f"{title}. The picture, and its map.")


def show_groups(
    groups: Mapping[str, Mapping[str, tuple[float, float, float]]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
) -> Figure:
    """For each group its shares with their intervals, (share, low, high), a panel for each kind."""
    kinds = list(next(iter(groups.values())))
    figure, panels = plt.subplots(1, len(kinds), figsize=(style.WIDTH, 3), squeeze=False)
    for axes, kind in zip(panels[0], kinds, strict=True):
        for i, group in enumerate(groups.values()):
            middle, low, high = group[kind]
            axes.errorbar(
                i, middle, [[middle - low], [high - middle]], fmt="o", color=style.BLUE, capsize=4
            )
        axes.set(title=kind, xlabel=xlabel, ylim=(0, None), xlim=(-0.5, len(groups) - 0.5))
        axes.set_xticks(range(len(groups)), list(groups))
        axes.grid(True, axis="y")
    panels[0][0].set_ylabel(ylabel)
    figure.suptitle(title)
    told = [
        f"{n}: " + ", ".join(f"{k} {v[0]:.2f}" for k, v in g.items()) for n, g in groups.items()
    ]
    return style.describe(figure, f"{title}. {'; '.join(told)}.")
