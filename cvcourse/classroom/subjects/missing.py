"""Pictures of which a part is to be hidden, and what fills it without a network.

Lab pictures are (N, 3, H, W); colours are their last two channels. A hole is given by `hidden`,
(H, W), True where nothing is seen.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from cvcourse.classroom.figures import colour_of, describe
from cvcourse.classroom.printing import say
from cvcourse.classroom.subjects.thumbnails import Thumbnails
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.classroom.training.fit import fit
from cvcourse.data import digits, pictures
from cvcourse.data._extras import extra
from cvcourse.metrics import psnr

FACES = {"train": 70, "val": 10, "test": 20}
_MARGIN = 4  # pixels by which pieces of training faces are moved
VIVID = 25.0  # from grey on, in (a, b)
_CHROMA = 45.0


def to_lab(rgb: Float[Tensor, "*batch 3 height width"]) -> Float[Tensor, "*batch 3 height width"]:
    """sRGB in [0, 1] to CIELAB: L from 0 to 100, a and b from about -110 to 110."""
    with extra("lessons", "cvcourse.classroom.subjects.missing"):
        from skimage.color import rgb2lab

    return torch.from_numpy(rgb2lab(rgb.movedim(-3, -1).numpy())).movedim(-1, -3).float()


def to_rgb(lab: Float[Tensor, "*batch 3 height width"]) -> Float[Tensor, "*batch 3 height width"]:
    """CIELAB to sRGB; what no screen can show is clipped."""
    with extra("lessons", "cvcourse.classroom.subjects.missing"):
        from skimage.color import lab2rgb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of clipped colours
        return torch.from_numpy(lab2rgb(lab.movedim(-3, -1).numpy())).movedim(-1, -3).float()


def colour_bins(step: float) -> Float[Tensor, "bins 2"]:
    """Centres (a, b) of the cells of side `step` that sRGB reaches, of 40 levels a channel."""
    levels = torch.linspace(0, 1, 40)
    cube = torch.cartesian_prod(levels, levels, levels).T[:, None]  # (3, 1, 64000)
    return (to_lab(cube)[1:] / step).round().flatten(1).T.unique(dim=0) * step


def hued(
    ink: Float[Tensor, "n 1 side side"], generator: torch.Generator
) -> Float[Tensor, "n 3 side side"]:
    """Lab pictures of ink (1 on 0): bright, of a hue by chance, on dark grey."""

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(ink), 1, 1, 1, generator=generator)

    angle = draw(0, 2 * math.pi)
    colour = torch.cat([draw(60, 90), _CHROMA * angle.cos(), _CHROMA * angle.sin()], 1)
    ground = torch.cat([draw(10, 40), 0 * angle, 0 * angle], 1)
    return torch.lerp(ground, colour, ink)


class HuedDigits:
    """A loader of `steps` batches (Lab pictures, labels) of the training digits, each hued anew.

    Iterated twice, it gives the same batches.
    """

    def __init__(self, steps: int, batch: int = 64, *, side: int = 16, seed: int = 0) -> None:
        self.steps, self.batch, self.seed = steps, batch, seed
        self.ink, self.labels = digits.load("train", side)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.steps):
            which = torch.randint(len(self.ink), (self.batch,), generator=generator)
            yield hued(self.ink[which], generator), self.labels[which]


def split_faces(side: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Faces (N, 3, side, side) in [-1, 1], three equal channels: to train, validate and test on.

    The 100 of `pictures.faces`, dealt out by the seed. Those to train on come moved by up to two
    pixels, in 25 ways, and mirrored. Whether a person is there twice is not known.
    """
    large = (side + _MARGIN, side + _MARGIN)
    faces = F.interpolate(pictures.faces()[0][:100], large, mode="bicubic", antialias=True)
    faces = (2 * faces - 1).clamp(-1, 1).expand(-1, 3, -1, -1)
    faces = faces[torch.randperm(100, generator=torch.Generator().manual_seed(seed))]
    train, val, test = faces.split(tuple(FACES.values()))
    places = [(i, j) for i in range(_MARGIN + 1) for j in range(_MARGIN + 1)]
    moved = torch.cat([train[..., i : i + side, j : j + side] for i, j in places])
    first, last = _MARGIN // 2, _MARGIN // 2 + side
    val, test = (part[..., first:last, first:last] for part in (val, test))
    return torch.cat([moved, moved.flip(3)]), val, test


def lab_thumbnails(photos: Thumbnails, side: int) -> Thumbnails:
    """The same, shrunk to this side by the means of areas, in Lab."""

    def shrunk(rgb: Tensor) -> Tensor:
        return to_lab(F.interpolate(rgb, (side, side), mode="area"))

    return Thumbnails(shrunk(photos.unnamed), *((shrunk(x), kinds) for x, kinds in photos[1:]))


def grey_thumbnails(photos: Thumbnails, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures to learn from, to choose on and to test on, as `split_faces` gives faces.

    Unnamed ones, 500 and 1,000 others: shrunk, three equal channels in [-1, 1].
    """

    def shrunk(rgb: Tensor) -> Tensor:
        grey = F.interpolate(rgb, (side, side), mode="area").mean(1, keepdim=True)
        return 2 * grey.expand(-1, 3, -1, -1) - 1

    return shrunk(photos.unnamed), shrunk(photos.val[0][:500]), shrunk(photos.test[0][:1000])


def by_brightness(
    lightness: Float[Tensor, "n 1 height width"], known: Float[Tensor, "m 3 high wide"]
) -> Float[Tensor, "n 2 height width"]:
    """For each pixel the mean colour of all known pixels of its brightness, one of 20 levels."""

    def level(x: Tensor) -> Tensor:
        return (x[:, 0] / 5).long().clamp(0, 19)

    which, colours = level(known).flatten(), known[:, 1:].movedim(1, -1).reshape(-1, 2)
    sums = torch.zeros(20, 2).index_add(0, which, colours)
    means = sums / which.bincount(minlength=20).clamp(min=1)[:, None]
    return means[level(lightness)].movedim(-1, 1)


def by_surroundings(
    lightness: Float[Tensor, "n 1 height width"],
    known: Float[Tensor, "m 3 high wide"],
    *,
    neighbours: int = 5,
) -> Float[Tensor, "n 2 height width"]:
    """The mean colour of the known pixels whose 7 x 7 surroundings in grey are most alike.

    One known pixel in nine is looked at, and one in sixteen is coloured, the others between them.
    """

    def around(x: Tensor, step: int) -> Tensor:
        patches = F.unfold(F.pad(x[:, :1], (3, 3, 3, 3), mode="replicate"), 7)
        return patches.mT.view(len(x), *x.shape[2:], 49)[:, ::step, ::step]

    bank, found = around(known, 3).flatten(0, 2), []
    colours = known[:, 1:, ::3, ::3].movedim(1, -1).reshape(-1, 2)
    for part in lightness.split(16):  # else the distances of many pictures fill the memory
        asked = around(part, 4)
        places = torch.cdist(asked.flatten(0, 2), bank).topk(neighbours, largest=False).indices
        found.append(colours[places].mean(1).view(*asked.shape[:3], 2).movedim(-1, 1))
    return F.interpolate(torch.cat(found), lightness.shape[2:], mode="bilinear")


def colour_scores(
    ab: Float[Tensor, "n 2 height width"], lab: Float[Tensor, "n 3 height width"]
) -> dict[str, float]:
    """How far these colours are from those of `lab`, and how vivid where those are.

    "error": the mean distance in (a, b); "vivid error": where the truth is farther than 25 from
    grey; "vividness": there, the colours' distance from grey as a share of the true ones'.
    """
    error, chroma = (ab - lab[:, 1:]).norm(dim=1), lab[:, 1:].norm(dim=1)
    vivid = chroma > VIVID
    found = {"error": error.mean(), "vivid error": error[vivid].mean()}
    found["vividness"] = ab.norm(dim=1)[vivid].sum() / chroma[vivid].sum()
    return {name: float(value) for name, value in found.items()}


def put_back(
    images: Float[Tensor, "n 3 side side"], filling: Float[Tensor, "n 3 half half"]
) -> Float[Tensor, "n 3 side side"]:
    """Images with this in their middle."""
    whole, half = images.clone(), filling.shape[-1]
    first = (images.shape[-1] - half) // 2
    whole[..., first : first + half, first : first + half] = filling
    return whole


def decibels(filling: Tensor, truth: Tensor, border: int) -> Float[Tensor, " n"]:
    """PSNR of pictures in [-1, 1], (N, 3, side, side), without the border."""
    return psnr(_inner(filling, border), _inner(truth, border), 2.0, reduction="none")


def fill_scores(filling: Tensor, truth: Tensor, border: int) -> dict[str, float]:
    """How near and how sharp fillings (N, 3, side, side) in [-1, 1] are, without the border.

    "dB": the mean of `decibels`; "sharpness": `mean_step` as a share of the true ones'.
    """
    near = float(decibels(filling, truth, border).mean())
    return {"dB": near, "sharpness": mean_step(filling, border) / mean_step(truth, border)}


def mean_step(filling: Tensor, border: int) -> float:
    """Mean absolute difference of neighbours, beside and below, without the border."""
    x = _inner(filling, border)
    return float((x.diff(dim=3).abs().mean() + x.diff(dim=2).abs().mean()) / 2)


def _inner(x: Tensor, border: int) -> Tensor:
    return x[..., border : x.shape[-2] - border, border : x.shape[-1] - border]


def print_table(
    columns: Sequence[str], rows: Mapping[str, Sequence[float]], *, digits: int = 2
) -> None:
    """Numbers below each other; a dash for nan. A row may have fewer numbers than columns."""
    first, widths = max(map(len, rows)), [max(len(name), digits + 4) for name in columns]
    heads = (f"{name:>{width}s}" for name, width in zip(columns, widths, strict=True))
    say("  ".join([" " * first, *heads]))
    for name, numbers in rows.items():
        told = ["-" if math.isnan(x) else f"{x:.{digits}f}" for x in numbers]
        cells = (f"{text:>{width}s}" for text, width in zip(told, widths, strict=False))
        say("  ".join([f"{name:{first}s}", *cells]))


def show_nearer_or_sharper(rows: Mapping[str, Sequence]) -> Figure:
    """Decibels over sharpness: for each way to fill these two lists, a mark for each training."""
    figure, panel = plt.subplots(figsize=(7.8, 4.2))
    for i, (name, (sharpness, near)) in enumerate(rows.items()):
        marker = "osD^v<>*"[i % 8]
        panel.plot(sharpness, near, marker, linestyle="", color=colour_of(i), label=name)
    panel.axvline(1, color="black", linewidth=0.8, linestyle=":")
    panel.set(xlabel="sharpness (1: as the true faces)", ylabel="dB, hidden pixels of other faces")
    panel.set_title("Nearer or sharper")
    panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), title="a mark for each training")
    return describe(figure, f"Decibels over sharpness of {', '.join(rows)}.")


def smooth_filling(
    images: Float[Tensor, "n 3 height width"],
    hidden: Bool[Tensor, "height width"],
    *,
    rounds: int = 300,
) -> Float[Tensor, "n 3 height width"]:
    """Images whose hidden pixels are each the mean of their four neighbours, after `rounds`."""
    cross = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]]).expand(3, 1, 3, 3) / 4
    for _ in range(rounds):
        means = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), cross, groups=3)
        images = torch.where(hidden, means, images)
    return images


def nearest_filling(
    images: Float[Tensor, "n 3 height width"],
    known: Float[Tensor, "m 3 height width"],
    hidden: Bool[Tensor, "height width"],
) -> Float[Tensor, "n 3 height width"]:
    """Images whose hidden pixels come from the known one that is most alike where one sees."""
    seen, others = (x[:, :, ~hidden].flatten(1) for x in (images, known))
    return torch.where(hidden, known[torch.cdist(seen, others).argmin(1)], images)


def linear_filling(
    images: Float[Tensor, "n 3 height width"],
    known: Float[Tensor, "m 3 height width"],
    hidden: Bool[Tensor, "height width"],
    *,
    strength: float,
) -> Float[Tensor, "n 3 height width"]:
    """Grey images (three equal channels) whose hidden pixels ridge regression tells from the rest.

    strength: of its penalty.
    """
    with extra("lessons", "cvcourse.classroom.subjects.missing"):
        from sklearn.linear_model import Ridge

    model = Ridge(strength).fit(known[:, 0, ~hidden].numpy(), known[:, 0, hidden].numpy())
    filled = images.clone()
    told = torch.from_numpy(model.predict(images[:, 0, ~hidden].numpy())).float()
    filled[:, :, hidden] = told[:, None].expand(-1, 3, -1)
    return filled


def with_noise(
    images: Tensor, measure: Callable[[Tensor], float], least: float, generator: torch.Generator
) -> Tensor:
    """Images (N, 3, H, W) with as little grey noise, in steps of 0.01, as lets `measure` reach it.

    No more than of deviation 1.
    """
    noise = torch.randn(images[:, :1].shape, generator=generator)
    for strength in torch.linspace(0, 1, 101):
        noisy = images + strength * noise
        if measure(noisy) >= least:
            break
    return noisy


def told_apart(
    judge: nn.Module,
    known: tuple[Tensor, Tensor],
    others: tuple[Tensor, Tensor],
    *,
    steps: int,
    seed: int,
) -> float:
    """Share of `others` that a judge tells right, real or made, after learning on `known`.

    judge: new, from pictures to logits (N,) of being real. known, others: real and made pictures.
    """

    def loss(net: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.softplus(-net(batch[0])).mean() + F.softplus(net(batch[1])).mean()

    order = torch.Generator().manual_seed(seed)
    size = min(32, len(known[0]))
    loader = DataLoader(TensorDataset(*known), size, True, drop_last=True, generator=order)
    fit(judge, loader, loss, steps=steps, lr=1e-3, progress=False, live=False)
    with evaluating(judge.cpu()):
        right = torch.cat([judge(others[0]) > 0, judge(others[1]) <= 0])
    return right.float().mean().item()
