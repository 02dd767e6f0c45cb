"""Maps of labels and pictures of them: beds of four materials, three of them photographed.

What a bed is made of has nothing to do with where it lies. Brick and gravel have one mean colour,
so that only their grain tells them apart; grass is green, and the sky has no grain at all.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from cvcourse.classroom.device import fewer
from cvcourse.classroom.history import History
from cvcourse.classroom.subjects.generating import Players, Turn, play
from cvcourse.classroom.training.fit import fit, warmup_cosine
from cvcourse.data import pictures
from cvcourse.data.scenes.randomness import SPLITS, Stream
from cvcourse.losses import hinge_gan_loss, wasserstein_gan_loss
from cvcourse.models import PatchDiscriminator

MATERIALS = ("grass", "brick", "gravel", "sky")
_TINTS = torch.tensor([[0.75, 1.0, 0.55], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.72, 0.9, 1.15]])
_FINE = 144  # pixels of a photograph's side
BATCH = 8
NEAR = 5.0  # times the mean absolute difference from the true picture
_CONTRAST = 0.16  # deviation of a grain; its mean is a half


def materials(
    split: str, count: int, *, side: int = 32, seed: int = 0
) -> tuple[Int64[Tensor, "count side side"], Float[Tensor, "count 3 side side"]]:
    """Labels, indices of MATERIALS, and pictures of them in [0, 1].

    Two paths, across and along, part the square into four beds, each of a material by lot; where in
    its photograph a grain begins, and how bright the whole picture is, is drawn anew. Train, val
    and test share no place of the photographs. A rehearsal sees 100 pictures at most.

    Raises ValueError for another split, or a side below 16 or above 64.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {tuple(SPLITS)}, got {split!r}")
    if not 16 <= side <= _FINE // 2 - 8:
        raise ValueError(f"side must be from 16 to {_FINE // 2 - 8}, got {side}")
    count = fewer(count, 100)
    labels = torch.empty(count, side, side, dtype=torch.int64)
    images = torch.empty(count, 3, side, side)
    for i in range(count):
        stream = Stream(split, seed + 1, i)
        row, column = (side // 4 + stream.integer(side // 2 + 1) for _ in range(2))
        for rows in (slice(row), slice(row, None)):
            for columns in (slice(column), slice(column, None)):
                labels[i, rows, columns] = stream.integer(len(MATERIALS))
        colours = torch.stack([_painted(stream, k, split, side) for k in range(len(MATERIALS))])
        image = colours.gather(0, labels[i].expand(1, 3, -1, -1))[0]
        images[i] = (image * stream.uniform(0.85, 1.15)).clamp(0, 1)
    return labels, images


def pasted(
    maps: Int64[Tensor, "n height width"],
    labels: Int64[Tensor, "m height width"],
    images: Float[Tensor, "m 3 height width"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n 3 height width"]:
    """What needs no network: each material of a map is filled with what a picture has at these
    places, by lot one of those that are of this material wherever the map asks for it.

    labels, images: of the pictures that are pasted from. Where none is so everywhere, those that
    lack the fewest pixels may be drawn.
    """
    grains = []
    for k in range(len(MATERIALS)):
        asked, lack = (maps == k).flatten(1).float(), (labels != k).flatten(1).float()
        missing = asked @ lack.mT  # (n, m) pixels
        fits = (missing == missing.amin(1, keepdim=True)).float()
        grains.append(images[torch.multinomial(fits, 1, generator=generator)[:, 0]])
    where = maps[:, None, None].expand(-1, 1, images.shape[1], -1, -1)
    return torch.stack(grains, 1).gather(1, where)[:, 0]


def planes(
    labels: Int64[Tensor, "n height width"], generator: torch.Generator | None = None
) -> Float[Tensor, "n 4 height width"]:
    """What a painter is told: a plane for each material, -1 where it is not, luck in [0, 1] where
    it is. Luck is what a grain can be made of; a plane of one number would have none."""
    where = F.one_hot(labels, len(MATERIALS)).movedim(3, 1).float()
    luck = torch.rand(len(labels), 1, *labels.shape[1:], generator=generator)
    return where * (1 + luck.to(where)) - 1


def judged(judge: nn.Module, labels: Tensor, images: Tensor) -> Tensor:
    """The scores of a judge who sees where what should be, beside the picture in [-1, 1]."""
    where = 2 * F.one_hot(labels, len(MATERIALS)).movedim(3, 1).to(images) - 1
    return judge(torch.cat([where, images], 1))


def new_judge(width: int = 16) -> PatchDiscriminator:
    """pix2pix's, small: it sees labels and picture, and scores patches."""
    return PatchDiscriminator(channels=len(MATERIALS) + 3, width=width, strided=2, padding=1)


def pix2pix_loss(
    nets: nn.ModuleDict, x: Tensor, labels: Tensor, images: Tensor
) -> dict[str, Tensor]:
    """Of the painter's turn: fool the judge, and stay near the true picture."""
    made = nets["painter"](x)
    scores = judged(nets["judge"], labels, made)
    near = NEAR * (made - images).abs().mean()
    return {"fool": wasserstein_gan_loss(scores, True), "near": near}


def learn_to_paint(
    painter: nn.Module,
    judge: nn.Module,
    labels: Int64[Tensor, "n height width"],
    images: Float[Tensor, "n 3 height width"],
    rounds: int,
    *,
    loss: Callable = pix2pix_loss,
    draw: Callable[[], Sequence[int] | None] = lambda: None,
    helpers: Mapping[str, nn.Module] | None = None,
    rate: float = 2e-3,
) -> History:
    """pix2pix with hinge losses; `painter` ends as the running average of its weights.

    images: in [0, 1]. loss: `loss(nets, x, labels, images)` of the painter's turn, images in
        [-1, 1]. draw: the channels of one picture that the judge is shown. helpers: networks that
        learn with the painter.
    """

    def tell(nets: nn.ModuleDict, batch: list[Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            channels = draw()
            x = planes(batch[0])
            made = nets["painter"](x) if channels is None else nets["painter"](x, channels)
        real = hinge_gan_loss(judged(nets["judge"], *batch), True)
        return {"real": real, "made": hinge_gan_loss(judged(nets["judge"], batch[0], made), False)}

    def paint(nets: nn.ModuleDict, batch: list[Tensor]) -> dict[str, Tensor]:
        return loss(nets, planes(batch[0]), *batch)

    helpers = dict(helpers or {})
    turns = [Turn("judge", ["judge"], tell), Turn("paint", ["painter", *helpers], paint)]
    nets = {"painter": painter, "judge": judge, **helpers}
    players = Players(nets, turns, averages={"painter": 0.98})
    rates = dict.fromkeys(nets, rate) | {"judge": rate / 4}
    loader = DataLoader(TensorDataset(labels, 2 * images - 1), BATCH, shuffle=True, drop_last=True)
    history = fit(
        players, loader, play, steps=players.steps(rounds), optimizer=players.optimizer(rates),
        scheduler=warmup_cosine, progress=False, live=False,
    )  # fmt: skip
    painter.load_state_dict(players.average["painter"].average.state_dict())
    return history


def new_reader() -> nn.Sequential:
    """A small network that names each pixel's material: (n, 3, H, W) to logits (n, 4, H, W)."""
    layers: list[nn.Module] = []
    for before, after, dilation in ((3, 24, 1), (24, 24, 1), (24, 32, 2), (32, 32, 4)):
        conv = nn.Conv2d(before, after, 3, padding=dilation, dilation=dilation, bias=False)
        layers += [conv, nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(32, len(MATERIALS), 1))


def learn_to_read(
    reader: nn.Module,
    labels: Int64[Tensor, "n height width"],
    images: Float[Tensor, "n 3 height width"],
    *,
    steps: int,
) -> History:
    """Train a `new_reader` on pictures and the labels of their pixels."""
    loader = DataLoader(TensorDataset(images, labels), 16, shuffle=True, drop_last=True)
    quiet = {"progress": False, "live": False}
    return fit(reader, loader, _naming, steps=steps, lr=5e-3, scheduler=warmup_cosine, **quiet)


@torch.no_grad()
def read_materials(
    reader: nn.Module, images: Float[Tensor, "n 3 height width"]
) -> Int64[Tensor, "n height width"]:
    """The most probable material of each pixel."""
    return torch.cat([reader(batch).argmax(1) for batch in images.split(100)])


def _naming(reader: nn.Module, batch: list[Tensor]) -> Tensor:
    return F.cross_entropy(reader(batch[0]), batch[1])


def _painted(stream: Stream, material: int, split: str, side: int) -> Tensor:
    tint = _TINTS[material][:, None, None]
    if MATERIALS[material] == "sky":
        paler = torch.linspace(-0.1, 0.1, side)[:, None].expand(side, side)
        return (0.62 + paler) * tint
    grain = _grain(MATERIALS[material], split)
    top, left = (stream.integer(size - side + 1) for size in grain.shape)
    piece = grain[top : top + side, left : left + side]
    return (piece.flip(1) if stream.integer(2) else piece) * tint


@cache
def _grain(name: str, split: str) -> Tensor:
    """The part of a photograph that belongs to a split, grey, with one mean and one deviation."""
    photograph = pictures.load(name).mean(0)[None, None]
    small = F.interpolate(photograph, (_FINE, _FINE), mode="bilinear", antialias=True)[0, 0]
    half = _FINE // 2
    rows = {"train": slice(None), "val": slice(half), "test": slice(half, None)}[split]
    part = small[rows, :half] if split == "train" else small[rows, half:]
    return (part - part.mean()) / part.std() * _CONTRAST + 0.5
