"""What lesson 21 shows and measures on: hidden things, crossing curves, a motorcycle seen twice."""

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from cvcourse.classroom.figures import colour_of, describe, draw_image
from cvcourse.classroom.figures.fields import flow_colours
from cvcourse.classroom.figures.style import WIDTH
from cvcourse.classroom.subjects.flying import Pairs, fly
from cvcourse.classroom.training.weights import load_shared
from cvcourse.data import pictures
from cvcourse.models import FlowNetS
from cvcourse.models.video.flownet import flows_of
from cvcourse.ops import correlation

SMALL_WIDTHS = (8, 16, 32, 64, 64, 128)
UNIT = 5.0  # pixels: what a network's numbers are multiplied by

# level, height, waves, phase: the first curve is the one that moves
_CURVES = (
    (0.5, 0.25, 3, 0), (0.2, 0.2, 5, 1), (0.8, 0.2, 4, 2), (0.6, 0.3, 2, 4.5),
    (0.3, 0.15, 6, 4), (0.8, 0.15, 5, 5), (0.45, 0.35, 4, 4), (0.6, 0.25, 6, 2),
)  # fmt: skip


def hidden_things(seed: int, things: int, time: float, *, size: int = 96) -> Tensor:
    """A frame (3, size, size): gravel, and things cut out of the same gravel, at `time` -1 to 1.

    They move evenly with time, each its own way, and at time 0 nothing gives them away.
    """
    return _scene(seed, things, time, size).second[0]


def things_there(seed: int, things: int, *, size: int = 96) -> Tensor:
    """What is where in `hidden_things` at time 0, (size, size): 0 the gravel, 3 in front of 2."""
    return _scene(seed, things, 0.0, size).thing[0]


def where_things_are(seed: int, things: int) -> list[str]:
    """In words: size and middle of each thing of `things_there`, from the back to the front."""
    thing, told = things_there(seed, things), []
    for k in range(1, things + 1):
        there = (thing == k).nonzero().float()
        row, column = there.mean(0).tolist()
        told.append(f"thing {k}: {len(there)} px, middle at row {row:.0f}, column {column:.0f}")
    return told


def end_of_curve(*, size: int = 96) -> int:
    """The row in which the curve that moves ends at the right edge, at time 0."""
    level, height, waves, phase = _CURVES[0]
    return int(size * (level + height * math.sin(waves + phase)))


def _scene(seed: int, things: int, time: float, size: int) -> Pairs:
    gravel = pictures.load("gravel", 200)[None]
    draws = torch.Generator().manual_seed(seed)
    still = {"things": things, "size": size, "turn": 0, "noise": 0, "camouflage": True}
    return fly(gravel, 1, reach=10 * time, generator=draws, **still)


def crossing_curves(time: float, *, size: int = 96) -> Tensor:
    """A frame (3, size, size): black curves on white, of which one moves up and down with time."""
    x = torch.linspace(0, 1, 300)
    level, height, waves, phase = torch.tensor(_CURVES).T[..., None]
    y = level + height * (waves * x + phase).sin()
    y[0] += 0.04 * time
    points = torch.stack((y, x.expand_as(y)), 2).flatten(0, 1) * size
    pixels = torch.cartesian_prod(torch.arange(size), torch.arange(size)) + 0.5
    distance = torch.cdist(pixels, points).amin(1).view(1, size, size)
    return (distance - 0.7).clamp(0, 1).expand(3, -1, -1)


def motorcycle(k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The stereo pair of `pictures`, made smaller k times: left, right, flow, where it is known.

    Pictures (1, 3, H, W) are means over blocks, flow (1, 2, H, W) is the left view's at the middle
    of each block, in small pixels and nan where unknown; known (1, H, W).
    """
    stereo = pictures.stereo()
    height, width = (side // k * k for side in stereo.disparity.shape)
    left, right = (
        F.avg_pool2d(view[None, :, :height, :width], k) for view in (stereo.left, stereo.right)
    )
    u = -stereo.disparity[:height, :width][k // 2 :: k, k // 2 :: k] / k
    return left, right, torch.stack((u, 0 * u))[None], u.isfinite()[None]


class CentredFlowNet(nn.Module):
    """Lesson 21's *C, stride 4, centred*: two pictures (N, 6, H, W) to flows, as `FlowNetS` gives.

    The features compared are at stride 4, each displacement up to three of them is taken, and they
    are centred: each channel's mean over the picture is taken away, then all are of unit length.

    widths: as of `FlowNetS`. redirected: features of the first picture beside the comparison.
    """

    def __init__(self, widths: Sequence[int] = SMALL_WIDTHS, *, redirected: int = 8) -> None:
        super().__init__()
        self.net = FlowNetS(widths=widths)
        self.net.conv1[0] = nn.Conv2d(3, widths[0], 7, 2, 3)
        self.redirect = nn.Sequential(nn.Conv2d(widths[1], redirected, 1), nn.LeakyReLU(0.1))
        self.net.conv3[0] = nn.Conv2d(redirected + 49, widths[2], 5, 2, 2)

    def forward(self, frames: Tensor) -> list[Tensor]:
        net = self.net
        a, b = (net.conv2(net.conv1(x)) for x in frames.chunk(2, 1))
        one, two = (F.normalize(f - f.mean((2, 3), keepdim=True), dim=1) for f in (a, b))
        alike = a.shape[1] * correlation(one, two, 3, stride=1)
        x = torch.cat((self.redirect(a), alike), 1)
        return flows_of(net, a, net.conv3_1(net.conv3(x)))


def trained_networks() -> nn.ModuleDict:
    """The two networks that lesson 21 trains longest, in evaluation mode; `flow_between` asks them.

    Raises FileNotFoundError where the weights are not there.
    """
    networks = {"FlowNetS": FlowNetS(widths=SMALL_WIDTHS), "C, stride 4, centred": CentredFlowNet()}
    networks = nn.ModuleDict(networks)
    load_shared(networks, "21-longer")
    return networks.eval()


@torch.no_grad()
def flow_between(network: nn.Module, first: Tensor, second: Tensor) -> Tensor:
    """The flow (N, 2, H, W), in pixels, that a network of lesson 21 sees between pictures (N, 3, H,
    W) in [0, 1]."""
    flow = UNIT * network(torch.cat((first, second), 1) - 0.45)[0]
    return F.interpolate(flow, first.shape[2:], mode="bilinear")


def best_constant(flow: Tensor, known: Tensor) -> Tensor:
    """The medians of the known vectors of each field (N, 2, H, W), everywhere: it peeks."""
    middle = [[part[k].median() for part in field] for field, k in zip(flow, known, strict=True)]
    return torch.tensor(middle)[:, :, None, None].expand_as(flow)


def mean_length(flow: Tensor, known: Tensor) -> float:
    """The mean length of the known vectors (N, 2, H, W): the end-point error of zero flow."""
    return float(flow.norm(dim=1)[known].mean())


def rand_indices(picture: Tensor, flow: Tensor, thing: Tensor) -> dict[str, list[float]]:
    """How well three ways group the pixels: adjusted Rand indices, 1 the true groups, 0 chance.

    picture: (3, S, S). flow: (2, S, S), estimated. thing: (S, S), the true groups.

    "colour" and "motion" are k-means on the picture or the flow, with place, told how many groups
    there are; "segmentation" is Felzenszwalb and Huttenlocher's (2004), one index for each of three
    scales.
    """
    from skimage.segmentation import felzenszwalb
    from sklearn.metrics import adjusted_rand_score

    image, count = picture.permute(1, 2, 0).numpy(), len(thing.unique())
    found = {
        "colour": [_k_means(picture, count)],
        "segmentation": [felzenszwalb(image, s, sigma=0.8, min_size=60) for s in (100, 300, 1000)],
        "motion": [_k_means(flow, count)],
    }
    truth = thing.flatten().numpy()
    return {k: [adjusted_rand_score(truth, np.ravel(g)) for g in v] for k, v in found.items()}


def _k_means(features: Tensor, count: int) -> np.ndarray:
    """The group of each pixel, (H W,), by features (C, S, S) made of unit spread, and by place."""
    from sklearn.cluster import KMeans

    size = features.shape[-1]
    place = torch.stack(torch.meshgrid(*[torch.arange(size) / size] * 2, indexing="ij"))
    features = (features - features.mean((1, 2), keepdim=True)) / (features.std() + 1e-6)
    means = KMeans(count, n_init=4, random_state=0)
    return means.fit_predict(torch.cat((features, 0.5 * place)).flatten(1).T.numpy())


def in_colours(flow: Tensor, longest: float) -> Tensor:
    """A flow (2, H, W) as a picture (3, H, W) in the colours of `show_flow`."""
    return torch.from_numpy(flow_colours(flow.numpy(), longest)).permute(2, 0, 1)


def show_mismatch(
    photograph: Tensor,
    windows: Mapping[str, tuple[int, int]],
    mismatch: Mapping[str, Tensor],
    motion: tuple[int, int],
    *,
    half: int,
    title: str,
) -> Figure:
    """A photograph (H, W) with windows, and how badly each matches at each displacement.

    windows: the middle of each, row and column. mismatch: (2 reach + 1, 2 reach + 1) of each, rows
        are displacements down. motion: the true one, right and down. half: of a window's side.
    """
    figure, panels = plt.subplots(1, 1 + len(windows), figsize=(WIDTH, 2.5))
    panels[0].imshow(photograph, cmap="gray")
    panels[0].set(xticks=[], yticks=[], title="the windows")
    for i, (axes, (name, (y, x))) in enumerate(zip(panels[1:], windows.items(), strict=True), 1):
        side = 2 * half + 1
        corner, colour = (x - half, y - half), colour_of(i)
        panels[0].add_patch(plt.Rectangle(corner, side, side, fill=False, color=colour, lw=2))
        reach = len(mismatch[name]) / 2
        shown = axes.imshow(
            mismatch[name].clamp(min=1e-4).log10(),
            extent=(-reach, reach, reach, -reach),
            vmin=-2.8,
            vmax=-1.1,
        )
        axes.plot(*motion, "x", color="white", markersize=9)
        axes.set(title=name, xlabel="right, px", xticks=(-6, 0, 6), yticks=(-6, 0, 6))
        axes.spines[:].set(color=colour, linewidth=3, visible=True)
    panels[1].set_ylabel("down, px")
    figure.colorbar(shown, ax=panels[-1], label="log10 of mismatch", shrink=0.9)
    figure.suptitle(title)
    return describe(figure, f"{title}. A photograph with windows, and a map of each.")


def show_learning(
    losses: Mapping[str, tuple[Sequence, Sequence]],
    errors: Mapping[str, tuple[Sequence, Sequence]],
    *,
    title: str,
) -> Figure:
    """Training loss (means of 9 recorded steps) and held-out error over steps, by network."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.2))
    for i, (name, (steps, values)) in enumerate(errors.items()):
        at, loss = losses[name]
        width = min(9, len(loss))
        smooth = np.convolve(loss, np.ones(width) / width, "valid")
        left.plot(at[width // 2 :][: len(smooth)], smooth, color=colour_of(i))
        right.plot(steps, values, "o-", color=colour_of(i), markersize=4)
        right.annotate(
            name, (steps[-1], values[-1]), (6, 0), textcoords="offset points",
            color=colour_of(i), va="center", fontsize=9,
        )  # fmt: skip
    left.set(xlabel="step", ylabel="training loss, smoothed")
    last = max(steps[-1] for steps, _ in errors.values())
    right.set(xlabel="step", ylabel="end-point error, px", ylim=(0, None), xlim=(0, 1.75 * last))
    figure.suptitle(title)
    return describe(figure, f"{title}. Losses and errors of {', '.join(errors)}.")


def show_sizes(
    pictures: Mapping[str, Tensor],
    sizes: Sequence[int],
    shares: Mapping[str, Sequence[float]],
    chosen: int,
    *,
    title: str,
) -> Figure:
    """Pictures in a row, and beside them each method's error over sizes, a share of zero flow's."""
    widths = (*[1] * len(pictures), 1.5)
    figure, panels = plt.subplots(1, 1 + len(pictures), figsize=(10.2, 2.5), width_ratios=widths)
    for axes, picture, name in zip(panels[:-1], pictures.values(), pictures, strict=True):
        draw_image(axes, picture)
        axes.set_title(name)
    last = panels[-1]
    for i, (name, share) in enumerate(shares.items()):
        last.plot(sizes, share, "os^Dv"[i % 5] + "-", color=colour_of(i), markersize=4, label=name)
    last.axhline(1, color="0.5")
    last.text(max(sizes), 0.98, "zero flow", color="0.4", fontsize=9, va="top", ha="right")
    last.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    last.axvline(chosen, color="black", linestyle="--", linewidth=1)
    last.set(xlabel="made smaller k times", ylabel="error / zero flow's", xticks=sizes)
    last.set(ylim=(0, 1.1))
    figure.suptitle(title)
    return describe(figure, f"{title}. Errors as shares of zero flow's: {', '.join(shares)}.")
