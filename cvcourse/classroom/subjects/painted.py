"""Handwritten digits painted on photographs: upright things of ten kinds on grounds without an up.

After MNIST-M (Ganin and Lempitsky 2015, arXiv:1409.7495), with the digits of `cvcourse.data.digits`
and the photographs of `cvcourse.data.pictures`. Train, val and test share no digit and no
photograph.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.data import digits, pictures

PHOTOGRAPHS = {
    "train": ("brick", "grass", "gravel", "coffee", "flower", "rocket"),
    "val": ("chelsea", "motorcycle"),
    "test": ("china", "astronaut"),
}
DIGIT = 20  # pixels of a digit, with a margin around it
SHORT = 160  # pixels of a photograph's shorter side
STRENGTH = 0.4  # ink's channels are within this of black on bright grounds, of white on dark ones


def pieces(split: str, side: int = 24) -> Float[Tensor, "pieces 3 side side"]:
    """Square pieces of the split's photographs, half a side apart."""
    if split not in PHOTOGRAPHS:
        raise ValueError(f"split must be one of {tuple(PHOTOGRAPHS)}, got {split!r}")
    if not DIGIT <= side <= SHORT:
        raise ValueError(f"side must be from {DIGIT} to {SHORT}, got {side}")
    found = []
    for name in PHOTOGRAPHS[split]:
        picture = pictures.load(name).expand(3, -1, -1)[None]
        scale = SHORT / min(picture.shape[2:])
        size = [round(scale * n) for n in picture.shape[2:]]
        picture = F.interpolate(picture, size, mode="bilinear", antialias=True)[0]
        windows = picture.unfold(1, side, side // 2).unfold(2, side, side // 2)
        found.append(windows.permute(1, 2, 0, 3, 4).flatten(0, 1))
    return torch.cat(found)


def ink(split: str, side: int = 24) -> tuple[Float[Tensor, "n 1 side side"], Int64[Tensor, " n"]]:
    """The digits of a split in the middle of `side` pixels, ink 1 on 0, and which they are."""
    images, labels = digits.load(split, DIGIT)
    before = (side - DIGIT) // 2
    return F.pad(images, (before, side - DIGIT - before) * 2), labels


def paint(
    ink: Float[Tensor, "n 1 side side"],
    pieces: Float[Tensor, "pieces 3 side side"],
    generator: torch.Generator,
    *,
    contrast: float = 0.6,
) -> Float[Tensor, "n 3 side side"]:
    """Each digit in a colour of its own on a piece drawn at random, in [0, 1].

    Pieces are turned by a random number of quarters: nothing in them says which way is up.

    contrast: of the grounds, about each one's mean; 0 leaves plain colours.
    """
    count = len(ink)
    ground = pieces[torch.randint(len(pieces), (count,), generator=generator)]
    turns = torch.randint(4, (count,), generator=generator)
    for k in (1, 2, 3):
        ground[turns == k] = ground[turns == k].rot90(k, (2, 3))
    mean = ground.mean((2, 3), keepdim=True)
    ground = mean + contrast * (ground - mean)
    bright = (mean.mean(1, keepdim=True) > 0.45).float()
    dark = STRENGTH * torch.rand(count, 3, 1, 1, generator=generator)
    colour = bright * dark + (1 - bright) * (1 - dark)
    return torch.lerp(ground, colour.expand_as(ground), ink.expand_as(ground)).clamp(0, 1)


def painted(
    split: str, *, side: int = 24, copies: int = 1, seed: int = 0, contrast: float = 0.6
) -> tuple[Float[Tensor, "n 3 side side"], Int64[Tensor, " n"]]:
    """Every digit of a split, painted `copies` times, and which they are."""
    strokes, labels = ink(split, side)
    generator = torch.Generator().manual_seed(seed)
    images = paint(
        strokes.repeat(copies, 1, 1, 1), pieces(split, side), generator, contrast=contrast
    )
    return images, labels.repeat(copies)


def segmented(
    split: str, count: int, *, seed: int = 1
) -> tuple[Float[Tensor, "count 3 24 24"], Int64[Tensor, "count 24 24"]]:
    """So many digits of a split on plain grounds, drawn, and what is where: 0, or 1 + the digit."""
    images, labels = painted(split, contrast=0.0)
    some = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:count]
    inked = ink(split)[0][some, 0] > 0.5
    return images[some], torch.where(inked, 1 + labels[some, None, None], 0)


def scattered(
    split: str, count: int, *, side: int = 48, seed: int = 0
) -> list[tuple[Float[Tensor, "3 side side"], dict[str, Tensor]]]:
    """Pictures of one to three digits of a split, for a detector: (picture, target).

    Each digit, drawn at random, is 0.6 to 1 of a quarter of the picture wide, and lies anywhere in
    a quarter of its own. Ground and ink are one plain colour each. targets: `boxes` (n, 4) around
    what is more than half ink, as x1, y1, x2, y2 in pixels, and `labels` (n,), the digits.
    """
    forms, kinds = digits.load(split)
    generator = torch.Generator().manual_seed(seed)
    half = side // 2

    def whole(low: int, high: int) -> int:  # both included
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    sheets, targets = torch.zeros(count, 1, side, side), []
    for sheet in sheets[:, 0]:
        boxes, labels = [], []
        for quarter in torch.randperm(4, generator=generator)[: whole(1, 3)].tolist():
            form, size = whole(0, len(forms) - 1), whole(round(0.6 * half), half)
            stroke = F.interpolate(forms[form][None], (size, size), mode="bicubic")[0, 0]
            y, x = (half * where + whole(0, half - size) for where in divmod(quarter, 2))
            sheet[y : y + size, x : x + size] = stroke.clamp(0, 1)
            rows, columns = (stroke > 0.5).nonzero().unbind(1)
            boxes.append(
                [x + columns.min(), y + rows.min(), x + columns.max() + 1, y + rows.max() + 1]
            )
            labels.append(kinds[form])
        targets.append({"boxes": torch.tensor(boxes).float(), "labels": torch.tensor(labels)})
    images = paint(sheets, pieces(split, side), generator, contrast=0.0)
    return list(zip(images, targets, strict=True))


class Painted:
    """A loader of `steps` batches of the training digits, each painted anew.

    Iterated twice, it gives the same batches.
    """

    def __init__(self, steps: int, batch: int, *, side: int = 24, seed: int = 0) -> None:
        self.steps, self.batch, self.seed = steps, batch, seed
        self.ink, self.labels = ink("train", side)
        self.pieces = pieces("train", side)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.steps):
            chosen = torch.randint(len(self.ink), (self.batch,), generator=generator)
            yield paint(self.ink[chosen], self.pieces, generator), self.labels[chosen]
