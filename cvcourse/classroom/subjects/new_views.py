"""What lesson 40 needs around its networks: pairs of views, whichever of the two is given."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cvcourse.classroom.history import History
from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects import styles
from cvcourse.classroom.subjects.generating import Players, Turn, play
from cvcourse.classroom.training import fit, trained, warmup_cosine
from cvcourse.data.views import Views
from cvcourse.losses import FeatureExtractor, perceptual_loss
from cvcourse.metrics import psnr, ssim
from cvcourse.models import vgg_layers
from cvcourse.ops import align_scale_shift

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


class Pairs:
    """`steps` batches of 8: a picture, its camera, a pose, and what is seen from there.

    data: pictures (N, 2, 3, H, W), and the targets of `cvcourse.data.views.Views`, stacked. Which
    of two views is given is drawn. wrong_pose: poses are exchanged within a batch.
    """

    def __init__(self, data, seed: int, *, steps: int, wrong_pose: bool = False) -> None:
        self.data, self.seed, self.wrong_pose, self.steps = data, seed, wrong_pose, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        chance, (pictures, target) = torch.Generator().manual_seed(self.seed), self.data
        for _ in range(self.steps):
            i = torch.randint(len(pictures), (8,), generator=chance)
            first = int(torch.randint(2, (), generator=chance))  # from either to the other
            pose = target["poses"][i.roll(1) if self.wrong_pose else i, 1].clone()
            pose[:, :3, 3] *= 1 - 2 * first
            yield pictures[i, first], target["intrinsics"][i], pose, pictures[i, 1 - first]


def both_ways(
    pictures: Tensor, target: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All pairs (N), from each view to the other: given, intrinsics, poses, wanted, (2N, ...)."""
    there = target["poses"][:, 1]
    back = there.clone()
    back[:, :3, 3] *= -1  # cameras are not turned
    given, wanted = (torch.cat(views.unbind(1)) for views in (pictures, pictures.flip(1)))
    return given, target["intrinsics"].repeat(2, 1, 1), torch.cat([there, back]), wanted


class Batches:
    """Batches of 8 of several tensors' rows, each given `turns` times: once to every player."""

    def __init__(self, *rows: Tensor, seed: int, steps: int, turns: int = 1) -> None:
        self.rows, self.seed, self.steps, self.turns = rows, seed, steps, turns

    def __len__(self) -> int:
        return self.steps * self.turns

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        chance = torch.Generator().manual_seed(self.seed)
        for _ in range(self.steps):
            i = torch.randint(len(self.rows[0]), (8,), generator=chance)
            for _ in range(self.turns):
                yield tuple(row[i] for row in self.rows)


def loss_network(run: Run, seed: int) -> FeatureExtractor:
    """Lesson 17's loss network number `seed`, at its four layers `LAYERS`."""
    classifier = styles.new_classifier(seed)
    learn = partial(styles.learn_features, run, classifier, seed)
    trained(run, f"features-{seed}", classifier, learn, lesson="17")
    names = vgg_layers(styles.STAGES)
    layers = [names[layer] for layer in LAYERS]
    cut = classifier.features[: 1 + max(map(int, layers))]
    return FeatureExtractor(cut, layers, mean=styles.MEAN, std=styles.STD).to(run.device)


def learn_by(
    nets: Mapping[str, nn.Module],
    losses: Mapping[str, Callable[[nn.ModuleDict, tuple[Tensor, ...]], dict[str, Tensor]]],
    rows: tuple[Tensor, ...],
    *,
    seed: int,
    steps: int,
    lr: float,
) -> History:
    """Train networks in turns: in each of `steps` rounds every one, by its own loss, with Adam.

    losses: `loss(nets, batch)` by the name of the network that learns from it. rows: what batches
    are drawn from. All networks of a round see the same batch.
    """
    players = Players(nets, [Turn(name, [name], loss) for name, loss in losses.items()])
    batches = Batches(*rows, seed=seed, steps=steps, turns=len(losses))
    recipe = {"scheduler": warmup_cosine, "live": False, "progress": False}
    optimizer = players.optimizer(lr=lr)
    return fit(players, batches, play, steps=len(batches), optimizer=optimizer, **recipe)


def steepness(pictures: Tensor) -> float:
    """Mean square of the differences of neighbours, across and down."""
    across, down = pictures.diff(dim=-1), pictures.diff(dim=-2)
    return (across.square().mean() + down.square().mean()).item()


def grades(made: Tensor, wanted: Tensor, judges: list[FeatureExtractor]) -> dict[str, float]:
    """Decibels, SSIM, steepness as a share of the truth's, and the distance of features.

    judges: networks whose features are compared, by mean |difference|, summed over their layers and
    averaged over them. Pictures are clipped to [0, 1].
    """
    made = made.clamp(0, 1)
    apart = [perceptual_loss(see(made), see(wanted), criterion="l1").item() for see in judges]
    found = {"PSNR": psnr(made, wanted).item(), "SSIM": ssim(made, wanted).item()}
    found["steep"] = steepness(made) / steepness(wanted)
    return found | {"features": sum(apart) / len(apart)}


def two_depths(
    films: Views, index: int, bend: float = 0.0
) -> tuple[Tensor, dict[str, Tensor], Tensor, Tensor, Tensor]:
    """A film, its target, and inverse depths 1.2 / z (T, H, W): true, multi-view, single-view.

    Multi-view depth is the truth with 5 % noise, and nan where something moves. Single-view depth
    is the truth raised to a power (exp(± bend) at most), times 0.3 to 0.9, plus 0 to 0.2, drawn for
    each frame.
    """
    frames, target = films[index]
    chance = torch.Generator().manual_seed(index)
    true = 1.2 / target["depth"]
    multi = true * (1 + 0.05 * torch.randn(true.shape, generator=chance))
    multi[target["moving"]] = torch.nan
    factor, power, offset = torch.rand(3, len(true), 1, 1, generator=chance)
    bent = true ** (bend * (2 * power - 1)).exp()
    return frames, target, true, multi, (0.3 + 0.6 * factor) * bent + 0.2 * offset


class Film(NamedTuple):
    """Frames (T, 3, H, W), inverse depths (T, H, W), and where what moves is seen (T, H, W).

    `line` is single-view depth, aligned to multi-view depth in each frame by a factor and an
    offset. `index` is the film's among its `Views`.
    """

    frames: Tensor
    true: Tensor
    multi: Tensor
    single: Tensor
    line: Tensor
    moving: Tensor
    index: Tensor


def films_of(films: Views, bend: float, *, least: int = 40) -> list[Film]:
    """Those films in which what moves covers more than `least` pixels of each frame."""
    found = []
    for index in range(len(films)):
        frames, target, true, multi, single = two_depths(films, index, bend)
        moving = target["moving"]
        if moving.flatten(1).sum(1).min() > least:
            line = in_line(single, multi, ~moving)
            found.append(Film(frames, true, multi, single, line, moving, torch.tensor(index)))
    return found


def in_line(single: Tensor, multi: Tensor, known: Tensor) -> Tensor:
    """Single-view depth, aligned frame by frame where multi-view depth is known."""
    s, t = align_scale_shift(single, multi, known)
    return (s[:, None, None] * single + t[:, None, None]).clamp(0.05, 0.98)


class FilmBatches:
    """`steps` batches of two films' frames: frames, multi-view, aligned depth, what moves."""

    def __init__(self, films: list[Film], *, seed: int, steps: int) -> None:
        self.films, self.seed, self.steps = films, seed, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        chance = torch.Generator().manual_seed(self.seed)
        for _ in range(self.steps):
            i = torch.randint(len(self.films), (2,), generator=chance).tolist()
            two = [self.films[k] for k in i]
            yield tuple(
                torch.cat([getattr(film, part) for film in two])
                for part in ("frames", "multi", "line", "moving")
            )


def depth_marks(guesses: list[Tensor], films: list[Film]) -> dict[str, float]:
    """Means over films: "complete", the share of pixels with a depth; the root mean square error of
    inverse depth, where there is one, on what moves and on the "rest"; and how "unsteady" what
    moves is: the deviation over frames of the mean log(guess / true) on it. nan of no pixel.
    """
    rows = []
    for guess, film in zip(guesses, films, strict=True):
        held, apart = ~guess.isnan(), (guess - film.true).square()
        errors = [apart[mask & held].mean().sqrt() for mask in (film.moving, ~film.moving)]
        ratio = (guess / film.true).log()
        levels = [x[mask].mean() for x, mask in zip(ratio, film.moving, strict=True)]
        rows.append(torch.stack([held.float().mean(), *errors, torch.stack(levels).std()]))
    names = ("complete", "walker", "rest", "unsteady")
    return dict(zip(names, torch.stack(rows).mean(0).tolist(), strict=True))
