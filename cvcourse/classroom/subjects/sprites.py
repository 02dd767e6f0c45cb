"""Sprites of four factors: a background, an outline, what it is painted with, and a pose.

Codes are those of `methods.draw_factors`, so that each factor is known, can be exchanged alone, and
what should come out can be painted. In the world that lessons learn from, factors are tied: each of
eight kinds has its own background, and its outline follows from what it is painted with.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.classroom.history import History
from cvcourse.classroom.training.fit import fit, warmup_cosine
from cvcourse.data.scenes.shapes import SHAPES
from cvcourse.data.scenes.surfaces import PALETTE
from cvcourse.methods import draw_factors
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
