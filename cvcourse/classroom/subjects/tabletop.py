"""A table seen from above: a hand, a square and a diamond on a photograph of gravel."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import describe
from cvcourse.classroom.history import History
from cvcourse.data import pictures

SIDE, EDGE, RADIUS = 48, 7.0, 5.0  # pixels; no middle is nearer to the border than EDGE
TOUCH, STRIDE, STEPS = 6.0, 2.0, 30  # of a hand: when it arrives, how far it goes, how often
NAMES = ("hand", "square", "diamond")
MARKS = (("o", 15), ("s", 11), ("D", 6), ("x", 4))  # of keypoints: form and size
COLOURS = torch.tensor([[0.85, 0.35, 0.1], [0.1, 0.45, 0.75], [0.95, 0.85, 0.2]])


def anywhere(count: int, generator: torch.Generator) -> Tensor:
    """Rows and columns of the three things' middles, (count, 3, 2), in pixels."""
    return EDGE + (SIDE - 2 * EDGE) * torch.rand(count, 3, 2, generator=generator)


def moved(places: Tensor, generator: torch.Generator, reach: float = 8.0) -> Tensor:
    """Each thing a random step further; it bounces off the table's edge."""
    room = SIDE - 2 * EDGE
    there = places + reach * torch.randn(places.shape, generator=generator) - EDGE
    there = there.remainder(2 * room)
    return EDGE + torch.where(there > room, 2 * room - there, there)


def cloth(pull: int = 0) -> Tensor:
    """The table without things, (3, 48, 48); `pull` (0 to 6): by how many pixels it is pulled."""
    if not 0 <= pull <= 6:
        raise ValueError(f"pull must be 0 to 6 pixels, but is {pull}")
    gravel = pictures.load("gravel", 96)[:, 20 : 20 + SIDE, 20 + pull : 20 + pull + SIDE]
    return 0.25 + 0.5 * gravel.expand(3, -1, -1)


def camera(places: Tensor, generator: torch.Generator, pull: int = 0) -> Tensor:
    """Pictures (count, 3, 48, 48) of things at `places`, with the camera's noise.

    **Conventions**: the hand is on top, then the square; pixel i is seen at i + 1/2.
    """
    pixels = torch.arange(SIDE) + 0.5
    down = (pixels[:, None] - places[..., 0, None, None]).abs().unbind(1)  # three of (count, 48, 1)
    right = (pixels - places[..., 1, None, None]).abs().unbind(1)  # three of (count, 1, 48)
    far = (
        torch.hypot(down[0], right[0]),
        1.1 * torch.maximum(down[1], right[1]),
        (down[2] + right[2]) / 1.25,
    )
    seen = cloth(pull).expand(len(places), -1, -1, -1)
    for distance, colour in reversed(list(zip(far, COLOURS, strict=True))):
        cover = (RADIUS + 0.5 - distance).clamp(0, 1)[:, None]
        seen = torch.lerp(seen, colour[:, None, None].expand_as(seen), cover)
    return seen + 0.02 * torch.randn(seen.shape, generator=generator)


def walk(
    direction: Callable[[Tensor], object], count: int = 200, *, pull: int = 0, seed: int = 7
) -> tuple[Tensor, Tensor]:
    """Hands that walk for 30 steps: who touched the square (count,), films of 8 (8, 30, 3, 48, 48).

    direction: of pictures (count, 3, 48, 48), arrows (count, 2), rows first, of any length.
    """
    g = torch.Generator().manual_seed(seed)
    places, films = anywhere(count, g), []
    arrived = torch.zeros(count, dtype=torch.bool)
    for _ in range(STEPS):
        seen = camera(places, g, pull)
        films.append(seen[:8])
        step = STRIDE * F.normalize(torch.as_tensor(direction(seen)).float(), dim=1)
        places[:, 0] += step * ~arrived[:, None]
        places[:, 0] = places[:, 0].clamp(EDGE, SIDE - EDGE)
        arrived |= (places[:, 0] - places[:, 1]).norm(dim=1) < TOUCH
    return arrived, torch.stack(films, 1)


def differs(images: Tensor, empty: Tensor) -> Tensor:
    """Which pixels are not the empty table's, (N, S, S)."""
    return (images - empty).abs().amax(1) > 0.12


def colourful(images: Tensor) -> Tensor:
    """Of which pixels the strongest and weakest channel are far apart, (N, S, S)."""
    return images.amax(1) - images.amin(1) > 0.3


def middles(images: Tensor, chosen: Callable[[Tensor], Tensor], groups) -> Tensor:
    """The middle of the chosen pixels of each group of colours, (N, 2 * groups).

    chosen: of pictures (N, 3, S, S) the pixels (N, S, S). groups: a fitted `KMeans` of colours.

    **Conventions**: row before column, the centres of the first and last pixel are -1 and 1; a
    group that is not seen has its middle at 0.
    """
    at = torch.linspace(-1, 1, images.shape[-1])
    member = torch.full(images[:, 0].shape, -1, dtype=torch.long)
    seen = chosen(images)
    if seen.any():
        member[seen] = torch.from_numpy(groups.predict(images.movedim(1, 3)[seen])).long()
    found = []
    for k in range(groups.n_clusters):
        weight = (member == k).float()
        whole = weight.sum((1, 2)).clamp(min=1)
        found += [(weight.sum(2) * at).sum(1) / whole, (weight.sum(1) * at).sum(1) / whole]
    return torch.stack(found, 1)


def draw_places(axes: Axes, image: Tensor, places: Tensor) -> None:
    """A picture (3, S, S) and up to four places in it, (K, 2), row before column, in pixels."""
    axes.imshow(image.clamp(0, 1).permute(1, 2, 0).numpy())
    for k, ((y, x), (mark, size)) in enumerate(
        zip((places - 0.5).tolist(), MARKS, strict=False), 1
    ):
        axes.plot(
            x, y, mark, color="white", fillstyle="none", markersize=size, markeredgewidth=1.7,
            label=f"keypoint {k}",
        )  # fmt: skip
    axes.set(xticks=[], yticks=[])


def show_places(images: Tensor, places: Sequence[Tensor], *, title: str) -> Figure:
    """Pictures (N, 3, S, S) in a row for each network, with its places (N, K, 2) in pixels."""
    side = 4.2 if len(images) == len(places) == 1 else 1.7
    shape = (side * len(images), side * len(places) + 0.3)
    size = {"figsize": shape, "facecolor": "0.6", "squeeze": False}
    figure, panels = plt.subplots(len(places), len(images), **size)
    for k, (row, each) in enumerate(zip(panels, places, strict=True)):
        for axes, image, some in zip(row, images, each, strict=True):
            draw_places(axes, image, some)
        if len(places) > 1:
            row[0].set_ylabel(f"network {k}")
    place = {"loc": "outside lower center", "ncols": min(4, 2 * len(images)), "frameon": False}
    figure.legend(*axes.get_legend_handles_labels(), labelspacing=1.2, **place)
    figure.suptitle(title)
    return describe(figure, f"{title}. Keypoints are marked; {len(places)} x {len(images)} panels.")


def show_learning(histories: Sequence[History], *, title: str) -> Figure:
    """The error of each thing's place over the steps, one panel a thing, one curve a network."""
    figure, panels = plt.subplots(1, 3, sharey=True, figsize=(8, 2.8))
    for axes, name in zip(panels, NAMES, strict=True):
        for k, history in enumerate(histories):
            axes.plot(*history.curve(name), label=f"network {k}")
        axes.set(title=f"the {name}", xlabel="step")
    panels[0].set(ylabel="error of its place, pixels", ylim=(0, None))
    place = {"loc": "outside lower center", "ncols": 4, "frameon": False}
    figure.legend(*axes.get_legend_handles_labels(), **place)
    figure.suptitle(title)
    return describe(figure, f"{title}. Read-out errors of three things, {len(histories)} networks.")
