"""Design spaces: pycls' tables, principles, distributions by hand and by closed form."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from cvcourse.methods import (
    complexity,
    draw_anynet,
    draw_line,
    error_band,
    error_distribution,
    good_range,
    sample_designs,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("space", "ABCDE")
def test_each_space_keeps_its_principles(space):
    source = generator()
    for _ in range(100):
        design = draw_anynet(space, widths=(8, 256), generator=source)
        assert all(1 <= d <= 16 for d in design.depths)
        assert all(8 <= w <= 256 and w % 8 == 0 for w in design.widths)
        assert set(design.group_widths) <= {1, 2, 4, 8, 16, 32}
        if space >= "B":
            assert len(set(design.bottlenecks)) == 1
        if space >= "C":
            assert len(set(design.group_widths)) == 1
        if space >= "D":
            assert design.widths == sorted(design.widths)
        if space >= "E":
            assert design.depths == sorted(design.depths)


def test_the_free_space_uses_its_freedom():
    source = generator()
    designs = [draw_anynet("A", generator=source) for _ in range(200)]
    assert {b for d in designs for b in d.bottlenecks} == {1, 0.5, 0.25}
    assert {d for design in designs for d in design.depths} == set(range(1, 17))
    assert sum(d.widths == sorted(d.widths) for d in designs) < 30  # 1 of 24 by chance
    assert any(len(set(d.bottlenecks)) > 1 for d in designs)
    assert designs[:3] == [draw_anynet("A", generator=g) for g in [generator()] for _ in range(3)]


def test_lines_lie_in_pycls_ranges():
    source = generator()
    lines = [draw_line(generator=source) for _ in range(300)]
    assert {line.depth for line in lines} == set(range(12, 29))
    for line in lines:
        assert 8 <= line.w_0 <= 256
        assert line.w_0 % 8 == 0
        assert 8 <= line.w_a <= 256
        assert line.w_a == round(line.w_a, 1)
        assert 2 <= line.w_m <= 3
        assert line.w_m == round(line.w_m, 3)
        assert 8 <= line.group_width <= 128
        assert line.group_width % 8 == 0
    # the median of a uniform logarithm is the geometric mean: 45.3
    assert 35 < np.median([line.w_a for line in lines]) < 58


def test_sampling_tells_the_share_that_was_taken():
    numbers = iter(range(100))
    assert sample_designs(lambda: next(numbers), 4, lambda n: n % 5 == 0) == ([0, 5, 10, 15], 0.25)
    with pytest.raises(ValueError, match="accept: expected to take 3 of 10 designs, took 0"):
        sample_designs(lambda: 1, 3, lambda n: False, most=10)


def test_distribution_by_hand_and_by_numpy():
    errors = torch.tensor([0.3, 0.1, 0.3, 0.7])
    at = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.5, 1.0])
    # below, not at: 0.1 is not below 0.1
    assert error_distribution(errors, at).tolist() == [0, 0, 0.25, 0.25, 0.75, 1]
    errors, at = torch.rand(50), torch.rand(20)
    expected = (errors.numpy()[None] < at.numpy()[:, None]).mean(1)
    np.testing.assert_allclose(error_distribution(errors, at), expected)


def test_the_band_is_that_of_a_binomial():
    """Resampled, the number of models below a point is binomial."""
    errors = torch.arange(100) / 100
    at = torch.tensor([0.2, 0.5])
    low, high = error_band(errors, at, n=4000, generator=generator())
    for p, lo, hi in zip((0.2, 0.5), low.tolist(), high.tolist(), strict=True):
        deviation = (p * (1 - p) / 100) ** 0.5
        assert lo == pytest.approx(p - 1.96 * deviation, abs=0.011)
        assert hi == pytest.approx(p + 1.96 * deviation, abs=0.011)
    sure = error_band(torch.full((9,), 0.5), torch.tensor([0.4, 0.6]), generator=generator())
    assert [s.tolist() for s in sure] == [[0, 1], [0, 1]]


def test_the_good_range_is_that_of_the_closed_form():
    """P(the i-th best is the best of m drawn) = ((n-i)/n)^m - ((n-i-1)/n)^m."""
    n, m = 40, 10
    errors = torch.randperm(n, generator=generator()) / n
    values = 100 * errors  # the i-th best has the value 100 i / n
    low, median, high = good_range(values, errors, n=20_000, generator=generator())
    below = 1 - ((n - torch.arange(1, n + 1)) / n) ** m  # P(one of the best i + 1 is)
    exact = [100 * int((below >= q).nonzero()[0]) / n for q in (0.025, 0.5, 0.975)]
    assert [low, median, high] == pytest.approx(exact, abs=2.6)


def test_complexity_by_hand():
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, 2, 1, groups=2, bias=False), nn.BatchNorm2d(4), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16, 3),
    )  # fmt: skip
    net[1].eval()
    cost = complexity(net, torch.rand(1, 2, 8, 8))
    assert cost.flops == 4 * 4 * 4 * 9 + 3 * 17
    assert cost.params == 36 + 8 + 51
    assert cost.acts == 64 + 16 + 3
    assert net.training
    assert not net[1].training


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(draw_anynet, "F"), "space must be one of A, B, C, D, E, got 'F'"),
        (
            partial(error_distribution, torch.zeros(0), torch.zeros(1)),
            "errors must hold at least one model's",
        ),
        (
            partial(error_band, torch.zeros(2), torch.zeros(1), level=1.0),
            r"level must lie in \(0, 1\), got 1.0",
        ),
        (
            partial(good_range, torch.zeros(3), torch.zeros(2)),
            "values must be 2, one for each error, got 3",
        ),
        (partial(sample_designs, draw_anynet, 0), "n must be at least 1, got 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
