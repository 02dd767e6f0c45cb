"""Edits of which the right answer is known: digits in three clothings, heads under many lights."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from cvcourse.classroom.device import fewer
from cvcourse.classroom.subjects.alphabets import colour
from cvcourse.classroom.training import fit
from cvcourse.data import heads, real, rendered_digits
from cvcourse.methods import StarGANv2Batch
from cvcourse.ops import lambert_shading

CLOTHES = ("ink", "board", "night")
FONTS = {"train": (0, 1, 3, 4, 6, 8, 9), "val": (2, 7), "test": (5, 10)}
HUES = 24  # that a picture without a known colour is compared with
_PALE = 0.85  # how much of a colour's light a night has


class Digits(NamedTuple):
    """Coverage (N, 1, size, size) in [0, 1], and which digits (N,)."""

    coverage: Tensor
    digits: Tensor


def draw_digits(split: str, count: int, *, seed: int = 0, size: int = 16) -> Digits:
    """Glyphs of the fonts of a split, turned up to 14°, resized up to 8 % and shifted at random.

    Raises ValueError for another split, or a size that does not divide the 32 pixels of a glyph.
    """
    if split not in FONTS:
        raise ValueError(f"split must be one of {', '.join(FONTS)}, got {split!r}")
    if size < 8 or rendered_digits.DRAWN % size:
        raise ValueError(f"size must be 8, 16 or 32, got {size}")
    g = torch.Generator().manual_seed(10 * seed + list(FONTS).index(split))
    font = torch.tensor(FONTS[split])[torch.randint(len(FONTS[split]), (count,), generator=g)]
    digit = torch.randint(10, (count,), generator=g)
    turn, scale, right, down = torch.rand(4, count, generator=g) * 2 - 1
    scale = 1.25 + 0.1 * scale
    cos, sin = (0.25 * turn).cos() * scale, (0.25 * turn).sin() * scale
    rows = torch.stack([cos, -sin, 0.15 * right, sin, cos, 0.12 * down], 1)
    glyphs = rendered_digits.glyphs()[font, digit][:, None]
    glyphs = F.avg_pool2d(glyphs, rendered_digits.DRAWN // size)
    grid = F.affine_grid(rows.view(-1, 2, 3), [count, 1, size, size], align_corners=False)
    return Digits(F.grid_sample(glyphs, grid, align_corners=False), digit)


def dressed(coverage: Tensor, clothes: Tensor, hues: Tensor) -> Tensor:
    """Pictures (N, 3, S, S) in [-1, 1] of digits (N, 1, S, S).

    clothes: (N,) of `CLOTHES`: coloured ink on white paper, white chalk on a coloured board,
        coloured light in a black night. hues: (N,), places on the circle of colours.
    """
    full = colour(torch.ones_like(coverage[:, 0]), hues)
    tone = 0.15 + 0.7 * full
    ink = 1 - coverage * (1 - tone)
    board = coverage + (1 - coverage) * tone
    night = coverage * tone / _PALE
    every = torch.stack([ink, board, night], 1)
    return 2 * every[torch.arange(len(coverage)), clothes] - 1


class Dressed(NamedTuple):
    """Digits and what they wear: N of each; pictures (N, 3, size, size) in [-1, 1]."""

    coverage: Tensor
    digits: Tensor
    clothes: Tensor
    hues: Tensor
    pictures: Tensor


def dressed_digits(split: str, count: int, *, seed: int = 0, size: int = 16) -> Dressed:
    """`draw_digits`, a third in each of the clothes, each in a colour of its own.

    A rehearsal sees 240 at most.
    """
    count = fewer(count, 240)
    drawn = draw_digits(split, count, seed=seed, size=size)
    hues = torch.rand(count, generator=torch.Generator().manual_seed(seed + 1))
    clothes = torch.arange(count) % len(CLOTHES)
    return Dressed(*drawn, clothes, hues, dressed(drawn.coverage, clothes, hues))


def nearest_true(pictures: Tensor, coverage: Tensor, clothes: Tensor) -> Tensor:
    """Mean distance (N,) to the nearest of the true pictures in `HUES` colours, white less black 1.

    What must not change and what must are both in it; which colour it is, is not.
    """
    found = []
    for k in range(HUES):
        true = dressed(coverage, clothes, torch.full((len(coverage),), k / HUES))
        found.append((pictures.clamp(-1, 1) - true).abs().mean((1, 2, 3)) / 2)
    return torch.stack(found).min(0).values


def hues_of(pictures: Tensor) -> Tensor:
    """The hue (N,) in [0, 1) of all the colour of pictures (N, 3, S, S), whites and greys left out.

    Red, green and blue pull to three sides, 120° apart; where they pull alike, nothing is left.
    """
    red, green, blue = pictures.clamp(-1, 1).sum((2, 3)).unbind(1)
    across, up = red - (green + blue) / 2, (green - blue) * math.sqrt(3) / 2
    return (torch.atan2(up, across) / (2 * math.pi)) % 1


def around(a: Tensor, b: Tensor) -> Tensor:
    """How far two places on the circle of colours are apart, 0 to 0.5."""
    return ((a - b + 0.5) % 1 - 0.5).abs()


class Reader(nn.Module):
    """Pictures (N, 3, S, S) to 30 scores: 10 digits in each of three clothings."""

    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 24, 3, 1, 1), nn.ReLU(), nn.Conv2d(24, 32, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(32, 48, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(48 * (size // 4) ** 2, 30),
        )  # fmt: skip

    def forward(self, pictures: Tensor) -> Tensor:
        return self.layers(pictures)

    @torch.no_grad()
    def read(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Clothes (N,) and digits (N,)."""
        best = self(pictures.clamp(-1, 1)).argmax(1)
        return best // 10, best % 10


def trained_reader(pictures: Tensor, clothes: Tensor, digits: Tensor, steps: int) -> Reader:
    """A network that names clothes and digit, of pictures that no editor has touched."""
    reader = Reader(pictures.shape[-1])
    loader = DataLoader(
        TensorDataset(pictures, 10 * clothes + digits),
        min(64, len(pictures)),
        shuffle=True,
        drop_last=True,
    )
    fit(
        reader, loader, lambda net, batch: F.cross_entropy(net(batch[0]), batch[1]),
        steps=steps, lr=3e-3, progress=False, live=False,
    )  # fmt: skip
    return reader.cpu().eval()


class Exam(NamedTuple):
    """Edits to be made: N digits, the clothes to put on, and twice luck, references and answers."""

    drawn: Dressed
    targets: Tensor  # (N,), other clothes than its own for each
    luck: Tensor  # (2, N, latent)
    references: list[Tensor]  # two of (N, 3, S, S)
    truths: list[Tensor]  # two of (N, 3, S, S): the digits in the clothes asked for, in any colour


def exam(drawn: Dressed, *, latent: int, seed: int) -> Exam:
    """An edit to make of each digit; references are drawn digits, too."""
    g = torch.Generator().manual_seed(seed)
    count = len(drawn.clothes)
    targets = (drawn.clothes + torch.randint(1, 3, (count,), generator=g)) % 3
    others = Errands(drawn.pictures, drawn.clothes, 1, seed=0, latent=latent).others
    references = [others(targets, g) for _ in range(2)]
    luck = torch.randn(2, count, latent, generator=g)
    hues = torch.rand(2, count, generator=g)
    return Exam(
        drawn, targets, luck, references, [dressed(drawn.coverage, targets, h) for h in hues]
    )


def marks(exam: Exam, reader: Reader, two: Sequence[Tensor]) -> dict[str, float]:
    """Of two answers (N, 3, S, S) to an exam, the first of which follows the first reference.

    "clothes" and "digit": the share that the reader reads as asked for. "to truth": `nearest_true`.
    "diversity": how far the two answers are apart, where two true ones are 1 apart. "hues apart":
    how far their hues are. "off reference": how far the hue is from the first reference's.
    """
    made, second = (x.clamp(-1, 1) for x in two)
    put_on, digits = reader.read(made)
    hue = hues_of(made)
    largest = (exam.truths[0] - exam.truths[1]).abs().mean()
    numbers = {
        "clothes": (put_on == exam.targets).float(),
        "digit": (digits == exam.drawn.digits).float(),
        "to truth": nearest_true(made, exam.drawn.coverage, exam.targets),
        "diversity": (made - second).abs().mean((1, 2, 3)) / largest,
        "hues apart": around(hue, hues_of(second)),
        "off reference": around(hue, hues_of(exam.references[0])),
    }
    return {name: values.mean().item() for name, values in numbers.items()}


class LitHeads(NamedTuple):
    """Heads N under L lights each; linear brightness, axes as in `cvcourse.data.heads`."""

    images: Tensor  # (N, L, 3, S, S)
    lights: Tensor  # (N, L, 3)
    visible: Tensor  # (N, L, 1, S, S) bool: no shadow is cast there
    albedo: Tensor  # (N, 3, S, S)
    normals: Tensor  # (N, 3, S, S)
    masks: Tensor  # (N, 1, S, S) bool


class Pair(NamedTuple):
    """A head under one light and another, (B, ...) each."""

    image: Tensor
    light: Tensor
    wanted: Tensor
    new_light: Tensor
    albedo: Tensor
    normals: Tensor
    mask: Tensor
    visible: Tensor  # under the new light


def lit_heads(split: str, count: int, *, lights: int = 8, size: int = 48) -> LitHeads:
    """The first heads of a split, each under lights of its own; eight in a rehearsal."""
    rows = []
    for i in range(fewer(count, 8)):
        head = heads.draw_head(i, size=size, split=split)
        own = [heads.draw_light(i * lights + k, split=split) for k in range(lights)]
        lit = [heads.shine(head, light) for light in own]
        images = torch.stack([one.image for one in lit])
        visible = torch.stack([one.visible for one in lit])
        rows.append((images, torch.stack(own), visible, head.albedo, head.normals, head.mask[None]))
    return LitHeads(*(torch.stack(field) for field in zip(*rows, strict=True)))


class Pairs:
    """`steps` batches of `Pair`: heads at random, each under two different of its lights."""

    def __init__(self, lit: LitHeads, steps: int, *, seed: int, size: int = 16) -> None:
        self.lit, self.steps, self.seed, self.size = lit, steps, seed, size

    def __len__(self) -> int:
        return self.steps

    def __iter__(self):
        g = torch.Generator().manual_seed(self.seed)
        heads_, lights = self.lit.images.shape[:2]
        for _ in range(self.steps):
            i = torch.randint(heads_, (self.size,), generator=g)
            old = torch.randint(lights, (self.size,), generator=g)
            new = (old + torch.randint(1, lights, (self.size,), generator=g)) % lights
            yield paired(self.lit, i, old, new)


def paired(lit: LitHeads, index: Tensor, old: Tensor, new: Tensor) -> Pair:
    """Heads `index`, from lights `old` to lights `new`, (B,) each."""
    return Pair(
        lit.images[index, old], lit.lights[index, old], lit.images[index, new],
        lit.lights[index, new], lit.albedo[index], lit.normals[index], lit.masks[index],
        lit.visible[index, new],
    )  # fmt: skip


@torch.no_grad()
def in_batches(answer: Callable[[Pair], Tensor], pair: Pair, size: int = 40) -> Tensor:
    """What `answer` gives for `size` heads at a time, one after the other: (B, 3, S, S)."""
    starts = range(0, len(pair.image), size)
    return torch.cat([answer(Pair(*(x[i : i + size] for x in pair))) for i in starts])


def decibels(images: Tensor, pair: Pair) -> Tensor:
    """(B,): how near relit pictures are to those wanted, within the heads; brightness 1 is 0 dB."""
    square = ((images - pair.wanted).square() * pair.mask).sum((1, 2, 3))
    return -10 * (square / (3 * pair.mask.sum((1, 2, 3)))).log10()


def fitted_lights(images: Tensor, albedo: Tensor, normals: Tensor, masks: Tensor) -> Tensor:
    """The light (B, 3), as long as it is bright, that explains pictures best, with true heads.

    Least squares of brightness over albedo against normals, over the pixels that are lit: first
    those brighter than a tenth of their albedo, then four times those that the light found reaches.
    """
    inside = masks[:, 0]
    bright = images.mean(1) / albedo.mean(1).clamp(min=0.02)
    lit = inside & (bright > 0.1)
    for _ in range(5):
        dark = lit.sum((1, 2)) < 10
        lit = torch.where(dark[:, None, None], inside, lit)
        weighted = normals * lit[:, None]
        square = torch.einsum("bihw,bjhw->bij", weighted, normals) + 1e-6 * torch.eye(3)
        light = torch.linalg.solve(square, torch.einsum("bihw,bhw->bi", weighted, bright))
        facing = torch.einsum("bihw,bi->bhw", normals, light)
        lit = inside & (facing > 0.05) & (bright > 0.05)
    return light


def errors_of_light_and_colour(images: Tensor, pair: Pair) -> tuple[Tensor, Tensor]:
    """How far relit pictures are from the light that was asked for, and from their own colours.

    Returns the angle (B,) in degrees between the new light and that of `fitted_lights`, and the
    mean distance (B,) of the picture over its shading under the light fitted, brought to length 1,
    from the true albedo, as a share of the albedo: over pixels with a shading above 0.3, no shadow
    and little highlight in the truth, and a shading above 0.2 under the light fitted.
    """
    light = F.normalize(fitted_lights(images, pair.albedo, pair.normals, pair.mask), dim=1)
    degrees = (light * pair.new_light).sum(1).clamp(-1, 1).acos().rad2deg()
    found, true = (lambert_shading(pair.normals, x) for x in (light, pair.new_light))
    highlight = (pair.wanted - pair.albedo * true).mean(1, keepdim=True)
    clear = pair.mask & pair.visible & (true > 0.3) & (found > 0.2) & (highlight < 0.02)
    apart = ((images / found.clamp(min=0.2) - pair.albedo).abs() * clear).sum((1, 2, 3))
    return degrees, apart / (pair.albedo * clear).sum((1, 2, 3)).clamp(min=1e-6)


class MeanHead:
    """Relights without a network, as if each head had the mean shape of some others.

    heads: whose mean it is. tuning: by which it chooses how small a brightness to divide by, and
        how far to believe a picture's colour.
    """

    floors, shares = (0.05, 0.1, 0.2, 0.4, 0.8), (0.0, 0.25, 0.5, 0.75, 1.0)

    def __init__(self, heads: LitHeads, tuning: Pair) -> None:
        self.normals = F.normalize(heads.normals.mean(0), dim=0)
        self.inside = heads.masks.float().mean(0) > 0.5
        self.colour = (heads.albedo * heads.masks).sum((0, 2, 3)) / heads.masks.sum()
        self.floor = max(
            self.floors, key=lambda floor: decibels(self.by_ratio(tuning, floor), tuning).mean()
        )
        self.share = max(
            self.shares, key=lambda share: decibels(self.lit(tuning, share), tuning).mean()
        )

    def shadings(self, pair: Pair) -> list[Tensor]:
        """Under the old lights and under the new ones, (B, 1, S, S) each."""
        shape = self.normals.expand(len(pair.image), -1, -1, -1)
        return [lambert_shading(shape, light) for light in (pair.light, pair.new_light)]

    def by_ratio(self, pair: Pair, floor: float | None = None) -> Tensor:
        """The picture times the ratio of the shadings; none is divided by less than the floor."""
        old, new = self.shadings(pair)
        return pair.image * new / old.clamp(min=floor or self.floor)

    def lit(self, pair: Pair, share: float | None = None) -> Tensor:
        """The mean head under the new light, matte; its colour is, by a share, the picture's."""
        share = self.share if share is None else share
        old, new = self.shadings(pair)
        own = (pair.image * self.inside).sum((2, 3)) / (old * self.inside).sum((2, 3))
        return self.colour.lerp(own, share)[..., None, None] * new


def he_initialised(nets: nn.Module) -> nn.Module:
    """Weights of convolutions and linear layers by He et al., biases 0, as StarGAN v2's authors."""
    for layer in nets.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return nets


class Errands:
    """`steps` batches for StarGAN v2: pictures, the clothes to put on, luck and two references."""

    def __init__(
        self, pictures: Tensor, clothes: Tensor, steps: int, *, seed: int, latent: int,
        size: int = 16,
    ) -> None:  # fmt: skip
        self.pictures, self.clothes = pictures, clothes
        self.steps, self.seed, self.latent, self.size = steps, seed, latent, size
        self._of_kind = [torch.where(clothes == k)[0] for k in range(len(CLOTHES))]

    def __len__(self) -> int:
        return self.steps

    def __iter__(self):
        g = torch.Generator().manual_seed(self.seed)
        for _ in range(self.steps):
            index = torch.randint(len(self.pictures), (self.size,), generator=g)
            targets = torch.randint(len(CLOTHES), (self.size,), generator=g)
            references = torch.stack([self.others(targets, g) for _ in range(2)])
            luck = torch.randn(2, self.size, self.latent, generator=g)
            yield StarGANv2Batch(
                self.pictures[index], self.clothes[index], targets, luck, references
            )

    def others(self, targets: Tensor, generator: torch.Generator) -> Tensor:
        """A picture at random for each of the clothes (B,) that are asked for."""
        found = [self._of_kind[k] for k in targets.tolist()]
        share = torch.rand(len(targets), generator=generator).tolist()
        index = [int(own[int(s * len(own))]) for own, s in zip(found, share, strict=True)]
        return self.pictures[index]


class Animals(NamedTuple):
    """Photographs (N, 3, size, size) in [-1, 1], and their domains (N,): cat, dog, wild."""

    pictures: Tensor
    domains: Tensor


def animals(folder: str | Path, split: str, *, size: int) -> Animals:
    """AFHQ, shrunk: each pixel is the mean of those that fall together.

    See `cvcourse.data.real.Afhq` for folder and split.
    """
    pictures, domains = [], []
    for image, domain in real.Afhq(folder, split):  # one at a time: they are large
        pictures.append(2 * F.interpolate(image[None], (size, size), mode="area") - 1)
        domains.append(domain)
    return Animals(torch.cat(pictures), torch.tensor(domains))
