"""The readers of digits that lie anywhere among scraps, which lesson 03b trains."""

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.subjects.gains import paired_gain
from cvcourse.classroom.training.weights import load_shared
from cvcourse.data.cluttered_digits import SIDE
from cvcourse.models.backbones.spatial_transformer import (
    DigitClassifier,
    SpatialTransformerNetwork,
)


def trained_reader(training: str = "12000-0") -> DigitClassifier:
    """Pictures (N, 1, 40, 40) to logits (N, 10): a plain network of lesson 03b.

    training: its steps and its seed. In evaluation mode, on the CPU.

    Raises FileNotFoundError where the weights are not there.
    """
    reader = DigitClassifier(image_size=SIDE)
    load_shared(reader, f"03b-plain-{training}")
    return reader.eval()


def transformer() -> SpatialTransformerNetwork:
    """The network of lesson 03b that frames the digit before it reads, after 4,000 steps."""
    looker = SpatialTransformerNetwork(image_size=SIDE, crop_size=24)
    load_shared(looker, "03b-transformer-4000-0")
    return looker.eval()


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


def beside_transformer(cover: Callable, share: Callable, x: Tensor, y: Tensor, disc: Tensor) -> str:
    """In words: maps of the transformer and of the plain reader, over scenes that both read.

    cover: (score, pictures) to maps. share: (maps, discs) to how much of each lies on the digit.
    """
    networks = {"transformer": transformer(), "plain": trained_reader()}
    with torch.no_grad():
        both = torch.stack([net(x).argmax(1) == y for net in networks.values()]).all(0)
    x, y, disc = x[both], y[both], disc[both]
    on_digit = {
        name: share(cover(lambda z, net=net: net(z).gather(1, y[:, None])[:, 0], x), disc)
        for name, net in networks.items()
    }
    gain, low, high = paired_gain(on_digit["transformer"], on_digit["plain"])
    means = ", ".join(f"{name} {part.mean():.3f}" for name, part in on_digit.items())
    tell = "leaves out 0" if low > 0 or high < 0 else "holds 0: these scenes do not tell them apart"
    return (
        f"{len(x)} scenes that both read; share on the digit: {means}; transformer over plain "
        f"{gain:+.3f} ({low:+.3f} to {high:+.3f}), which {tell}. One training of each."
    )


def show_map(picture: Tensor, found: Tensor, title: str) -> Figure:
    """A picture, and a map (H, W) of it: violet where it is positive, orange where negative."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(0.78 * style.WIDTH, 3.5))
    left.imshow(picture[0], cmap="gray", vmin=0, vmax=1)
    most = found.abs().max()
    shown = right.imshow(found, cmap="PuOr", vmin=-most, vmax=most)
    figure.colorbar(shown, ax=right, label="fall of the score where it is covered")
    left.set_title("scene")
    right.set_title("its map")
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
        most = 1.15 * max(group[kind][2] for group in groups.values())
        axes.set(title=kind, xlabel=xlabel, ylim=(0, most), xlim=(-0.5, len(groups) - 0.5))
        axes.set_xticks(range(len(groups)), list(groups))
        axes.grid(True, axis="y")
    panels[0][0].set_ylabel(ylabel)
    figure.suptitle(title)
    told = [
        f"{n}: " + ", ".join(f"{k} {v[0]:.2f}" for k, v in g.items()) for n, g in groups.items()
    ]
    return style.describe(figure, f"{title}. {'; '.join(told)}.")
