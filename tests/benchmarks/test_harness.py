"""What the benchmarks say of measured times; the times here are made up."""

import pytest
import scipy.stats
import torch

from benchmarks import harness
from benchmarks.harness import Case, compare, median_interval
from benchmarks.table import HEAD, table_row


@pytest.mark.parametrize("n", [6, 9, 20, 100])
def test_interval_is_of_the_order_statistics_of_the_binomial(n):
    low, high = median_interval(torch.randperm(n).tolist())
    assert low + high == n - 1
    assert (
        2 * scipy.stats.binom.cdf(low, n, 0.5) <= 0.05 < 2 * scipy.stats.binom.cdf(low + 1, n, 0.5)
    )


def test_interval_of_few_values_is_all_of_them():
    assert median_interval([3.0, 1.0, 2.0]) == (1, 3)


def test_interval_holds_the_median_of_skewed_values_as_often_as_it_says():
    samples = torch.distributions.Exponential(1.0).sample((2000, 15)).tolist()
    median = torch.tensor(2.0).log().item()
    held = sum(low <= median <= high for low, high in map(median_interval, samples))
    assert 0.95 <= held / 2000 <= 0.98  # 0.965 by the binomial


def case(**options):
    return Case(
        name="double",
        sizes="3",
        inputs=lambda: (torch.ones(3),),
        ours=lambda x: 2 * x,
        **{"peers": {"sum": lambda x: x + x}, **options},
    )


@pytest.fixture
def clock(monkeypatch):
    """`clock(ours=..., sum=...)`: milliseconds of the rounds, over and over."""

    def set_times(**times):
        names = {2: "ours", 3: "sum"}  # by what they make of 1
        turns = dict.fromkeys(times, 0)

        def milliseconds(f, inputs):
            name = names[int(f(torch.ones(1)))]
            turns[name] += 1
            return times[name][(turns[name] - 1) % len(times[name])]

        monkeypatch.setattr(harness, "_milliseconds", milliseconds)

    return set_times


def measured(clock, ours, peer, **options):
    clock(ours=ours, sum=peer)
    three = {"peers": {"sum": lambda x: 3 * x}, "different": ["sum"]}  # so that the clock knows it
    (row,) = compare(case(**three, **options), rounds=20)
    return row


def test_ratio_is_of_pairs_within_a_round(clock):
    """The machine slows tenfold in every other round, for both: no doubt of the ratio."""
    row = measured(clock, [1.0, 10.0], [2.0, 20.0])
    assert row.ratio == 2
    assert row.interval == (2, 2)
    assert row.rounds == 20


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        ([1.1], ("1.10x (1.10–1.10)", "faster")),
        ([0.9, 1.2], ("1.05x (0.90–1.20)", "parity")),
        ([0.9], ("0.90x (0.90–0.90)", "slower")),
        ([1.004], ("1.00x (1.00–1.00)", "parity")),
        ([1237.0], ("1237x (1237–1237)", "faster")),
    ],
)
def test_table_says_what_the_interval_says(clock, peer, said):
    cells = table_row(measured(clock, [1.0], peer)).split(" | ")
    columns = HEAD.splitlines()[0].split(" | ")
    assert len(cells) == len(columns)
    found = dict(zip(columns, cells, strict=True))
    assert (found["peer / ours"], found["ours is"]) == said
    assert found["peer"] == "sum *"


@pytest.mark.parametrize(("wanted", "said"), [(1.0, "1x"), (1.5, "1.5x **short**")])
def test_short_is_what_lies_below_with_its_whole_interval(clock, wanted, said):
    row = table_row(measured(clock, [1.0], [0.9, 1.2], target={"sum": wanted}))
    assert row.split(" | ")[7] == said


def test_another_value_is_refused():
    with pytest.raises(AssertionError, match="double differs from cube"):
        compare(case(peers={"cube": lambda x: x**3}), rounds=1)
