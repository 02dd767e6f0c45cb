"""Sprites of four factors: a background, an outline, what it is painted with, and a pose.

Codes are those of `methods.draw_factors`, so that each factor is known, can be exchanged alone, and
what should come out can be painted. In the world that lessons learn from, factors are tied: each of
eight kinds has its own background, and its outline follows from what it is painted with.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor, nn

from cvcourse.classroom.figures import style
from cvcourse.classroom.history import History
from cvcourse.classroom.training.fit import fit, warmup_cosine
from cvcourse.data.scenes.shapes import SHAPES
from cvcourse.data.scenes.surfaces import PALETTE
from cvcourse.methods import draw_factors
from cvcourse.models import FineGANGenerator, MixNMatchEncoder
from cvcourse.models.generative.finegan import Codes, Stages

OUTLINES = ("triangle", "heart", "cross", "arrow")
COLOURS = ("red", "yellow", "blue", "white")
PAINTS = ((0, 0), (1, 1), (2, 1), (3, 0), (1, 0), (0, 1), (3, 1), (2, 0))  # colour; dark below?
GROUNDS = ((0.45, 0.62, 0.40), (0.76, 0.72, 0.62), (0.50, 0.58, 0.68), (0.58, 0.48, 0.60))
COUNTS = {"latent": 4, "backgrounds": 8, "shapes": 4, "textures": 8}
FACTORS = ("pose", "background", "shape", "texture")  # in the order of the codes
SIDE = 16
NEAR = 0.5  # a pose is right if it is off by less, on average of its numbers of deviation 1
_PERIOD = 4  # pixels, of a background's stripes
_DARKER = 0.35


def draw_codes(count: int, *, tied: bool, seed: int = 0) -> Codes:
    """Codes of so many sprites: one-hot, and the pose, four normal numbers that are cut at 2."""
    g = torch.Generator().manual_seed(seed)
    latent, *rest = draw_factors(count, **COUNTS, tied=tied, generator=g)
    return Codes(latent.clamp(-2, 2), *rest)


def paint(
    codes: Sequence[Tensor],
) -> tuple[Float[Tensor, "n 3 side side"], Float[Tensor, "n 1 side side"]]:
    """Pictures in [-1, 1], and how much of each pixel the sprite covers, 0 to 1.

    Pose: to the right, down, size and turn; of the latent's numbers, 2 is 2 pixels, 1 pixel of
    radius about 6, 30 degrees.
    """
    latent, background, shape, texture = (x.detach().cpu().numpy() for x in codes)
    place = np.arange(SIDE, dtype=np.float32) + 0.5
    right, down, size, turn = (latent.clip(-2, 2).T / 2)[..., None, None]
    cos, sin = np.cos(turn * np.pi / 6), np.sin(turn * np.pi / 6)
    x, y = place[None, None] - SIDE / 2 - 2 * right, place[None, :, None] - SIDE / 2 - 2 * down
    radius = 6 + size
    u, v = (x * cos + y * sin) / radius, (y * cos - x * sin) / radius
    outline = np.stack([SHAPES[name](u, v, (0.5,) * 4) for name in OUTLINES])
    inside = outline[shape.argmax(1), np.arange(len(latent))]
    mask = np.clip(0.5 - inside * radius, 0, 1)[:, None]
    colour, halved = np.array(PAINTS)[texture.argmax(1)].T
    colour = np.array([PALETTE[name] for name in COLOURS], np.float32)[colour]
    lower = halved[:, None, None] * np.clip(0.5 + v * radius, 0, 1)
    paints = colour[..., None, None] * (1 - (1 - _DARKER) * lower[:, None])
    kind = background.argmax(1)
    stripes = np.where((place // (_PERIOD / 2)) % 2, 1.0, 0.75)
    both = np.stack(np.broadcast_arrays(stripes[:, None], stripes[None]))
    ground = np.array(GROUNDS, np.float32)[kind // 2][..., None, None] * both[kind % 2][:, None]
    pictures = mask * paints + (1 - mask) * ground
    return tuple(torch.from_numpy(a.astype(np.float32)) for a in (2 * pictures - 1, mask))


def exchanged(codes: Sequence[Tensor], donors: Sequence[Tensor], factor: int) -> Codes:
    """The codes with one factor, by its number, taken from the donors'."""
    return Codes(*(donors[k] if k == factor else codes[k] for k in range(len(FACTORS))))


def unlike(codes: Codes, *, seed: int) -> Codes:
    """Donors for free codes: no factor is alike, and poses are at least twice `NEAR` apart."""
    g = torch.Generator().manual_seed(seed)
    rest = []
    for x in codes[1:]:
        more = torch.randint(1, x.shape[1], (len(x),), generator=g)
        rest.append(F.one_hot((x.argmax(1) + more) % x.shape[1], x.shape[1]).float())
    latent = codes.latent.clone()
    while (near := (latent - codes.latent).abs().mean(1) < 2 * NEAR).any():
        drawn = torch.randn(latent.shape, generator=g).clamp(-2, 2)
        latent = torch.where(near[:, None], drawn, latent)
    return Codes(latent, *rest)


class Fresh:
    """`steps` batches of anew drawn codes, pictures and coverage; each time the same."""

    def __init__(self, steps: int, *, tied: bool, seed: int, size: int = 32) -> None:
        self.steps, self.tied, self.seed, self.size = steps, tied, seed, size

    def __len__(self) -> int:
        return self.steps

    def __iter__(self):
        for step in range(self.steps):
            codes = draw_codes(self.size, tied=self.tied, seed=self.seed * 100_003 + step)
            yield codes, *paint(codes)


class Painted:
    """`steps` batches of codes drawn freely, what a painter makes of them, and true coverage."""

    def __init__(self, painter: nn.Module, steps: int, *, seed: int) -> None:
        self.painter, self._drawn = painter, Fresh(steps, tied=False, seed=seed + 50)

    def __len__(self) -> int:
        return len(self._drawn)

    def __iter__(self):
        for codes, _, mask in self._drawn:
            with torch.no_grad():
                made = self.painter(codes).picture
            yield codes, made, mask  # not within no_grad, which would reach whoever asks


class FlatPainter(nn.Module):
    """All codes at once to `Stages`, without stages: picture, background and mask of one network.

    widths: channels at 4 pixels a side, and after each doubling.
    """

    def __init__(self, widths: Sequence[int], inputs: int = sum(COUNTS.values())) -> None:
        super().__init__()
        first = 32 * widths[0]
        layers: list[nn.Module] = [nn.Linear(inputs, first, bias=False), nn.BatchNorm1d(first)]
        layers += [nn.GLU(1), nn.Unflatten(1, (widths[0], 4, 4))]
        for a, b in pairwise(widths):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(a, 2 * b, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(2 * b), nn.GLU(1)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 7, 3, padding=1))

    def forward(self, codes: Sequence[Tensor]) -> Stages:
        features = self.layers(torch.cat(list(codes), 1))
        picture, ground, mask = features.split((3, 3, 1), 1)
        picture, mask = picture.tanh(), mask.sigmoid()
        return Stages(ground.tanh(), picture, picture, picture, picture, mask, mask, features)


class Collage(nn.Module):
    """Scissors instead of a network: codes to `Stages`, pasted of pictures whose codes are known.

    The ground is the mean of what such grounds show where nothing covers them (a pixel that is
    always covered: the mean of the others). The outline is cut out of the picture with that outline
    whose latent is nearest; what it is painted with comes from the nearest picture with that paint:
    at each place the nearest pixel that is wholly inside of that picture's own outline.

    codes, pictures, masks: what `paint` takes and gives.
    """

    def __init__(self, codes: Sequence[Tensor], pictures: Tensor, masks: Tensor) -> None:
        super().__init__()
        open_ = (masks < 1 / 256).float().flatten(1)
        seen = codes[1].T @ open_  # of each ground, how often each pixel was uncovered
        shown = torch.stack([codes[1].T @ (x.flatten(1) * open_) for x in pictures.unbind(1)], 1)
        mean = shown.sum(2, keepdim=True) / seen.sum(1).clamp(min=1)[:, None, None]
        grounds = torch.where(seen[:, None] > 0, shown / seen[:, None].clamp(min=1), mean)
        self.register_buffer("grounds", grounds.unflatten(2, pictures.shape[2:]))
        for name, x in zip(("latent", "shape", "texture"), (codes[0], *codes[2:]), strict=True):
            self.register_buffer(name, x)
        self.register_buffer("pictures", pictures)
        self.register_buffer("masks", masks)
        place = torch.cartesian_prod(*(torch.arange(float(n)) for n in pictures.shape[2:]))
        self.register_buffer("apart", torch.cdist(place, place))

    def _nearest(self, latent: Tensor, code: Tensor, own: Tensor) -> Tensor:
        apart = torch.cdist(latent, self.latent)
        return apart.masked_fill(code.argmax(1)[:, None] != own.argmax(1), torch.inf).argmin(1)

    def forward(self, codes: Sequence[Tensor]) -> Stages:
        latent, background, shape, texture = codes
        ground = self.grounds[background.argmax(1)]
        mask = self.masks[self._nearest(latent, shape, self.shape)]
        found = self._nearest(latent, texture, self.texture)
        inside = self.masks[found].flatten(1) > 1 - 1 / 256
        nearest = (self.apart + 1e3 * ~inside[:, None]).argmin(2)  # (B, places)
        paints = self.pictures[found].flatten(2).gather(2, nearest[:, None].expand(-1, 3, -1))
        paints = paints.view_as(ground)
        picture = paints * mask + ground * (1 - mask)
        return Stages(ground, picture, picture, paints, paints, mask, mask, mask)


def guessed_masks(pictures: Tensor, backgrounds: Tensor, more: float = 0.1) -> Tensor:
    """Masks (n, 1, side, side) of 0 and 1 that nobody told: what differs from the median.

    The median is that of all pictures with the same background (n, backgrounds), pixel by pixel; a
    pixel is covered where a colour is off by more than that.
    """
    medians = [pictures[on].median(0).values for on in backgrounds.T.bool()]
    apart = (pictures - torch.stack(medians)[backgrounds.argmax(1)]).abs()
    return (apart.amax(1, keepdim=True) > more).float()


class Reader(nn.Module):
    """Pictures (n, 3, 16, 16) to a pose (n, 4), and scores of backgrounds, shapes and textures."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((3, width), (width, 2 * width), (2 * width, 2 * width)):
            layers += [nn.Conv2d(before, after, 3, 1, 1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if before > 3 else []
        self.maps = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * width, 128), nn.ReLU())
        self.out = nn.Linear(128, sum(COUNTS.values()))

    def forward(self, pictures: Tensor) -> Codes:
        return Codes(*self.out(self.maps(pictures)).split(tuple(COUNTS.values()), 1))


def painter_in_stages(scale: str) -> FineGANGenerator:
    """FineGAN's generator for sprites: two doublings, no residual blocks; wider at scale full."""
    if scale == "full":
        widths = {"background_widths": (128, 64, 32), "shape_widths": (256, 128, 12)}
    else:
        widths = {"background_widths": (32, 16, 8), "shape_widths": (64, 32, 6)}
    return FineGANGenerator(**widths, residual=0, texture_residual=0, **COUNTS)


def told_loss(net: nn.Module, batch: Sequence) -> dict[str, Tensor]:
    """What a painter pays that is told codes, pictures and masks: mean absolute errors.

    Of the ground only where nothing covers it; of both masks; of the picture.
    """
    codes, pictures, mask = batch
    out = net(codes)
    masks = [(m - mask).abs().mean() for m in (out.shape_mask, out.texture_mask)]
    return {
        "behind": ((out.background - pictures).abs() * (1 - mask)).mean(),
        "outline": masks[0] + masks[1],
        "picture": (out.picture - pictures).abs().mean(),
    }


def encoder(seed: int, scale: str) -> MixNMatchEncoder:
    """MixNMatch's encoders for sprites, as they are before training; wider at scale full."""
    torch.manual_seed(seed)
    return MixNMatchEncoder(**COUNTS, side=SIDE, width=48 if scale == "full" else 12)


def reading_loss(net: nn.Module, batch: Sequence) -> Tensor:
    """Mean absolute error of the pose, and cross-entropies of the other three."""
    found, codes = net(batch[1]), batch[0]
    parts = [(found[0] - codes[0]).abs().mean()]
    parts += [F.cross_entropy(x, y.argmax(1)) for x, y in zip(found[1:], codes[1:], strict=True)]
    return torch.stack(parts).sum()


def learn_to_read(reader: nn.Module, steps: int, *, seed: int) -> History:
    """Train on free sprites, whose factors have nothing to do with each other."""
    quiet = {"progress": False, "live": False}
    batches = Fresh(steps, tied=False, seed=seed)
    return fit(
        reader, batches, reading_loss, steps=steps, lr=3e-3, scheduler=warmup_cosine, **quiet
    )


@torch.no_grad()
def right(
    reader: Callable[[Tensor], Sequence[Tensor]], pictures: Tensor, wanted: Sequence[Tensor]
) -> Float[Tensor, "n 4"]:
    """1 where a reader finds the factor that is wanted, else 0, in the order of `FACTORS`."""
    found = [torch.cat(x) for x in zip(*map(reader, pictures.split(200)), strict=True)]
    hits = [(found[0] - wanted[0]).abs().mean(1) < NEAR]
    hits += [x.argmax(1) == y.argmax(1) for x, y in zip(found[1:], wanted[1:], strict=True)]
    return torch.stack(hits, 1).float()


def exchange_shares(
    judge: Callable[[Tensor, Codes], Tensor],
    codes: Codes,
    donors: Codes,
    made: Tensor,
    factor: int,
) -> list[float]:
    """Of pictures in which one factor should be the donor's: the share that took it, the share that
    kept the other three, and both.

    judge: (pictures, wanted codes) to (n, 4), as `right` with its reader.
    """
    hits = judge(made, exchanged(codes, donors, factor))
    others = hits[:, [k for k in range(len(FACTORS)) if k != factor]].prod(1)
    return [x.mean().item() for x in (hits[:, factor], others, hits.prod(1))]


@torch.no_grad()
def overlap(painter: nn.Module, codes: Sequence[Tensor], donors: Sequence[Tensor], k: int) -> float:
    """Mean intersection over union of the last masks before and after one factor is exchanged."""
    a, b = (painter(c).texture_mask > 0.5 for c in (codes, exchanged(codes, donors, k)))
    both, either = (x.flatten(1).sum(1) for x in (a & b, a | b))
    return (both / either.clamp(min=1)).mean().item()


def overlaps(painters: Mapping[str, nn.Module], codes: Codes, donors: Codes) -> str:
    """In words, for each painter: `overlap` where the donor's paint, or background, is taken."""
    return "\n".join(
        f"{name}: donor's paint {overlap(net, codes, donors, 3):.3f}, donor's background "
        f"{overlap(net, codes, donors, 1):.3f}"
        for name, net in painters.items()
    )


def masks_told_and_guessed(count: int, seed: int, judge: Callable, codes: Codes) -> str:
    """In words: what `judge` finds right in collages of tied pictures, by true and guessed masks.

    judge: (pictures, wanted codes) to (n, 4), as `right` with its reader.
    """
    own, lines = draw_codes(count, tied=True, seed=seed), []
    pictures, masks = paint(own)
    ways = {"told": masks, "guessed": guessed_masks(pictures, own.background)}
    for name, masks in ways.items():
        hits = judge(Collage(own, pictures, masks)(codes).picture, codes)
        shares = ", ".join(f"{f} {v:.3f}" for f, v in zip(FACTORS, hits.mean(0), strict=True))
        lines.append(f"masks {name}: {shares}; all four {hits.prod(1).mean():.3f}")
    return "\n".join(lines)


def show_levels(
    levels: Sequence[str],
    panels: Mapping[str, tuple[np.ndarray, Sequence[float], float]],
    *,
    names: tuple[str, str, str],
    title: str,
) -> Figure:
    """For each factor a panel: what is kept of it by level, of a system, a rival and a baseline.

    panels: by the factor, shares (levels, trainings) of the system, one for each level of the
        rival, and one for all of the baseline. names: of these three.
    """
    figure, cells = plt.subplots(2, 2, figsize=(style.WIDTH, 4.8), sharex=True, sharey=True)
    told, place = [], np.arange(len(levels))
    for axes, (factor, (ours, theirs, level)) in zip(cells.flat, panels.items(), strict=True):
        middle = ours.mean(1)
        ends = np.stack([middle - ours.min(1), ours.max(1) - middle])
        axes.errorbar(place, middle, ends, fmt="o-", color=style.BLUE, capsize=4, label=names[0])
        axes.plot(place, theirs, "s--", color=style.VERMILION, label=names[1])
        axes.axhline(level, color="0.4", linestyle=":", label=names[2])
        axes.set(title=factor, ylim=(0, 1.05), xticks=place, xticklabels=levels)
        axes.margins(x=0.1)
        axes.grid(True, axis="y")
        told.append(f"{factor}: {', '.join(f'{x:.2f}' for x in middle)}")
    for axes in cells[:, 0]:
        axes.set_ylabel("share kept")
    for axes in cells[-1]:
        axes.set_xlabel("level that is told")
    handles = cells[0][0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title)
    return style.describe(figure, f"{title}. {names[0]}, by level: {'; '.join(told)}.")
