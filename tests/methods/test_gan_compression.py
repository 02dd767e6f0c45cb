"""Distillation of answers and maps, and the search for channels beside trying all."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import least_squares_gan_loss, non_saturating_gan_loss
from cvcourse.methods import compression_losses, evolve_channels, sample_channels
from cvcourse.models import DistillationConnectors, SlimmableGenerator

CHOICES = ((4, 3, 2), (4, 2), (4, 3), (2, 1))


def cost(channels):
    return sum(a * b for a, b in itertools.pairwise(channels))


def score(channels):
    """Best with much of the third, little of the first."""
    return 10 - 3 * channels[2] + channels[0] ** 2 / 2 - channels[3]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("budget", [13, 20, 27, 100])
def test_evolution_finds_what_trying_all_finds(budget, largest):
    affordable = [c for c in itertools.product(*CHOICES) if cost(c) <= budget]
    best = (max if largest else min)(map(score, affordable))
    found = evolve_channels(
        CHOICES,
        score,
        cost=cost,
        budget=budget,
        population=12,
        generations=8,
        largest=largest,
        generator=seeded(),
    )
    assert found.score == best == score(found.channels)
    assert found.cost == cost(found.channels) <= budget
    order = sorted(found.history, reverse=not largest)
    assert found.history == order
    assert len(found.history) == 8


def test_nothing_is_judged_twice_and_nothing_too_dear():
    judged = []

    def watched(channels):
        judged.append(channels)
        return score(channels)

    options = {"population": 10, "generations": 6, "generator": seeded()}
    evolve_channels(CHOICES, watched, cost=cost, budget=20, **options)
    assert len(judged) == len(set(judged))
    assert all(cost(channels) <= 20 for channels in judged)


def test_a_budget_for_the_smallest_alone_ends():
    choices = ((5, 4, 3, 2, 1),) * 8
    found = evolve_channels(
        choices, sum, cost=sum, budget=8, population=3, generations=2, generator=seeded()
    )
    assert found.channels == (1,) * 8


def test_the_same_seed_finds_the_same():
    options = {"cost": cost, "budget": 27, "population": 5, "generations": 3}
    first, second = (
        evolve_channels(CHOICES, score, **options, generator=seeded(3)) for _ in range(2)
    )
    assert first == second


def test_samples_are_uniform():
    generator = seeded()
    drawn = [sample_channels(CHOICES, generator) for _ in range(3000)]
    for i, group in enumerate(CHOICES):
        for number in group:
            share = sum(channels[i] == number for channels in drawn) / len(drawn)
            assert abs(share - 1 / len(group)) < 0.04  # four standard deviations


def test_losses_by_hand():
    torch.manual_seed(0)
    answer, target = torch.rand(2, 2, 3, 4, 4).double()
    maps, teacher = ([torch.rand(2, 5, 2, 2).double() for _ in range(3)] for _ in range(2))
    scores = torch.randn(2, 1, 3, 3).double()
    found = compression_losses(answer, target, maps, teacher, scores, distillation=2.0)
    assert found["reconstruction"] == F.l1_loss(answer, target)
    gap = sum(F.mse_loss(a, b) for a, b in zip(maps, teacher, strict=True))
    torch.testing.assert_close(found["distillation"], gap)
    total = 100 * found["reconstruction"] + 2 * gap + non_saturating_gan_loss(scores, True)
    torch.testing.assert_close(found["total"], total)
    squares = compression_losses(answer, target, [], [], scores, gan_loss=least_squares_gan_loss)
    assert squares["gan"] == (scores - 1).square().mean()
    assert squares["distillation"] == 0
    assert set(compression_losses(answer, target, [], [])) == {
        "total",
        "reconstruction",
        "distillation",
    }


def test_the_teacher_is_a_constant():
    torch.manual_seed(0)
    student = SlimmableGenerator(channels=(4,) * 8, blocks=3)
    teacher = SlimmableGenerator(channels=(6,) * 8, blocks=3)
    connect, x = DistillationConnectors(16, 24), torch.rand(1, 3, 8, 8)
    answer, maps = student.features(x, (2,) * 8)
    target, wanted = teacher.features(x)
    compression_losses(answer, target, connect(maps), wanted)["total"].backward()
    assert all(p.grad is None for p in teacher.parameters())
    assert connect[0].weight.grad[:, :8].abs().sum() > 0
    assert not connect[0].weight.grad[:, 8:].any()


def test_distilled_slices_come_nearer_to_the_teacher():
    torch.manual_seed(0)
    student, teacher = (SlimmableGenerator(channels=(3,) * 8, blocks=1) for _ in range(2))
    connect, x, generator = (
        DistillationConnectors(12, 12, layers=2),
        torch.rand(2, 3, 8, 8),
        seeded(),
    )
    with torch.no_grad():
        target, wanted = teacher.features(x)
    learning = [*student.parameters(), *connect.parameters()]
    optimizer = torch.optim.Adam(learning, 1e-2)

    def gaps():
        with torch.no_grad():
            return [(student(x, (n,) * 8) - target).abs().mean().item() for n in (2, 3)]

    before = gaps()
    for _ in range(40):
        channels = sample_channels(((3, 2),) * 8, generator)
        answer, maps = student.features(x, channels)
        loss = compression_losses(answer, target, connect(maps), wanted)["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(after < 0.8 * then for after, then in zip(gaps(), before, strict=True))


ANSWER = torch.rand(1, 3, 4, 4)
SEARCH = {"cost": cost, "budget": 27}


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sample_channels(()), "choices must have numbers for each group, got"),
        (lambda: sample_channels(((1,), ())), "choices must have numbers for each group, got"),
        (
            lambda: evolve_channels(CHOICES, score, cost=cost, budget=9),
            r"budget must be at least 13, the cost of \(2, 2, 3, 1\)",
        ),
        (
            lambda: evolve_channels(CHOICES, score, cost=cost, budget=float("nan")),
            "budget must be at least .* got nan",
        ),
        (
            lambda: evolve_channels(CHOICES, score, **SEARCH, population=0),
            "population must be at least 1, got 0",
        ),
        (
            lambda: evolve_channels(CHOICES, score, **SEARCH, generations=0),
            "generations must be at least 1, got 0",
        ),
        (
            lambda: evolve_channels(CHOICES, score, **SEARCH, chance=2),
            r"chance must lie in \[0, 1\], got 2",
        ),
        (
            lambda: compression_losses(ANSWER, ANSWER[:, :2], [], []),
            "target must have the shape of answer",
        ),
        (
            lambda: compression_losses(ANSWER, ANSWER, [ANSWER], []),
            "teacher_maps and maps must have the same length, got 0 and 1",
        ),
        (
            lambda: compression_losses(ANSWER, ANSWER, [ANSWER], [ANSWER[:, :1]]),
            r"teacher_maps\[0\] must have the shape of maps\[0\]",
        ),
        (
            lambda: compression_losses(ANSWER.long(), ANSWER.long(), [], []),
            "answer must be floating point, got torch.int64",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
