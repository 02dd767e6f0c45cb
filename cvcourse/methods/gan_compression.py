"""A smaller generator: distil all of them at once, then search (Li et al. 2020, arXiv:2003.08936).

While `models.SlimmableGenerator` learns, each step draws the channels of one generator inside; all
share weights, and each can be judged without training of its own.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses import non_saturating_gan_loss
from cvcourse.losses._checks import check_same_shape
from cvcourse.ops._checks import check_floating, check_fraction, check_same_length

Channels = tuple[int, ...]
PIX2PIX_CHOICES = ((64, 56, 48, 40, 32, 24, 16),) * 8
CYCLEGAN_CHOICES = ((64, 48, 32, 24, 16),) * 8
DRAWS = 100


class Found(NamedTuple):
    """A generator of the search, what it scored and costs, and the best score so far each time."""

    channels: Channels
    score: float
    cost: float
    history: list[float]


def compression_losses(
    answer: Float[Tensor, "batch channels height width"],
    target: Float[Tensor, "batch channels height width"],
    maps: Sequence[Float[Tensor, "batch features rows columns"]],
    teacher_maps: Sequence[Float[Tensor, "batch features rows columns"]],
    scores: Float[Tensor, "batch *scores"] | None = None,
    *,
    reconstruction: float = 100.0,
    distillation: float = 1.0,
    gan_loss: Callable[[Tensor, bool], Tensor] = non_saturating_gan_loss,
) -> dict[str, Float[Tensor, ""]]:
    """What a student learns from: "total", "reconstruction", "distillation", and "gan" if scored.

    Args:
        answer: the student's.
        target: the true picture where there are pairs, else the teacher's answer.
        maps: the student's, after `models.DistillationConnectors`.
        teacher_maps: the teacher's; constants.
        scores: of the discriminator, for the student's answer.
        reconstruction, distillation: weights of those losses.
        gan_loss: of scores; the authors take hinge for pix2pix and least squares for CycleGAN.

    **Conventions**: mean absolute difference of answers; mean squared difference of each two maps,
    added up. Parts are unweighted.

    Raises ValueError for other shapes and dtypes, or another number of maps.
    """
    check_floating("answer", answer)
    check_same_shape("target", target, "answer", answer)
    check_same_length("teacher_maps", teacher_maps, "maps", maps)
    losses = {"reconstruction": (answer - target.detach()).abs().mean()}
    gap = answer.new_zeros(())
    for i, (ours, theirs) in enumerate(zip(maps, teacher_maps, strict=True)):
        check_same_shape(f"teacher_maps[{i}]", theirs, f"maps[{i}]", ours)
        gap = gap + (ours - theirs.detach()).square().mean()
    losses["distillation"] = gap
    total = reconstruction * losses["reconstruction"] + distillation * gap
    if scores is not None:
        losses["gan"] = gan_loss(scores, True)
        total = total + losses["gan"]
    return {"total": total, **losses}


def sample_channels(
    choices: Sequence[Sequence[int]], generator: torch.Generator | None = None
) -> Channels:
    """One of the numbers of each group, each as likely.

    Raises ValueError for no group, or an empty one.
    """
    _check_choices(choices)
    return tuple(_one_of(group, generator) for group in choices)


def evolve_channels(
    choices: Sequence[Sequence[int]],
    score: Callable[[Channels], float],
    *,
    cost: Callable[[Channels], float],
    budget: float,
    population: int = 100,
    generations: int = 500,
    parents: float = 0.25,
    mutations: float = 0.5,
    chance: float = 0.2,
    largest: bool = False,
    generator: torch.Generator | None = None,
) -> Found:
    """Search by evolution: the best keep their place, mutate, and cross.

    Args:
        choices: numbers of channels for each group, such as `CYCLEGAN_CHOICES`.
        score: of a generator, such as its FID; called once for each.
        cost: such as its multiply-adds, which must grow with each number.
        budget: the most it may cost.
        population: generators at a time, besides parents.
        generations: how often parents are chosen. The best comes from any of them.
        parents: the share that lives on.
        mutations: the share of children of one parent, whose groups are drawn anew with `chance`;
            the others take each group from one of two parents.
        largest: whether the largest score is best, as of mIoU, rather than the smallest.

    Children that cost too much are drawn again; after 100 draws groups at random are made smaller
    until they do not, so that a tight budget ends (the authors draw for ever).

    Raises ValueError for empty choices, sizes below 1, shares outside [0, 1], or a budget below the
    cost of the smallest generator.
    """
    _check_choices(choices)
    for name, value in (("population", population), ("generations", generations)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    for name, value in (("parents", parents), ("mutations", mutations), ("chance", chance)):
        check_fraction(name, value)
    smallest = tuple(min(group) for group in choices)
    if not cost(smallest) <= budget:
        raise ValueError(
            f"budget must be at least {cost(smallest)}, the cost of {smallest}, got {budget}"
        )
    scores: dict[Channels, float] = {}

    def judge(channels: Channels) -> float:
        if channels not in scores:
            scores[channels] = float(score(channels))
        return -scores[channels] if largest else scores[channels]

    def draw(make: Callable[[], Channels]) -> Channels:
        for _ in range(DRAWS):
            channels = make()
            if cost(channels) <= budget:
                return channels
        while cost(channels) > budget:
            channels = _smaller(channels, choices, generator)
        return channels

    def one(group: Sequence):
        return _one_of(group, generator)

    def happens(probability: float) -> bool:
        return torch.rand((), generator=generator, device="cpu").item() < probability

    def mutant() -> Channels:
        pairs = zip(one(alive), choices, strict=True)
        return tuple(one(group) if happens(chance) else own for own, group in pairs)

    def child() -> Channels:
        return tuple(one(pair) for pair in zip(one(alive), one(alive), strict=True))

    pool = [draw(lambda: sample_channels(choices, generator)) for _ in range(population)]
    survivors, mutants = max(1, round(parents * population)), round(mutations * population)
    history = []
    for generation in range(generations):
        alive = sorted(pool, key=judge)[:survivors]
        history.append(scores[alive[0]])
        if generation < generations - 1:
            pool = alive + [draw(mutant) for _ in range(mutants)]
            pool += [draw(child) for _ in range(population - mutants)]
    best = alive[0]
    return Found(best, scores[best], cost(best), history)


def _smaller(
    channels: Channels, choices: Sequence[Sequence[int]], generator: torch.Generator | None
) -> Channels:
    can = [i for i, group in enumerate(choices) if channels[i] > min(group)]
    i = _one_of(can, generator)
    less = max(n for n in choices[i] if n < channels[i])
    return (*channels[:i], less, *channels[i + 1 :])


def _one_of(group: Sequence, generator: torch.Generator | None):
    return group[torch.randint(len(group), (), generator=generator, device="cpu").item()]


def _check_choices(choices: Sequence[Sequence[int]]) -> None:
    if not len(choices) or not all(len(group) for group in choices):
        raise ValueError(f"choices must have numbers for each group, got {choices}")
