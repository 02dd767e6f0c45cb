import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import (
    bootstrap_interval,
    coco_average_precision,
    confusion_matrix,
    mean_iou,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def naive(values, n, level, generator):
    means = []
    for _ in range(n):
        chosen = torch.randint(len(values), (len(values),), generator=generator)
        means.append(sum(values[i] for i in chosen.tolist()) / len(values))
    means = torch.tensor(means, dtype=torch.float64)
    low, high = means.quantile((1 - level) / 2), means.quantile((1 + level) / 2)
    return sum(values) / len(values), low.item(), high.item()


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_naive_loop(level):
    values = torch.rand(17, dtype=torch.float64)
    got = bootstrap_interval(values, n=200, level=level, generator=seeded())
    assert got == pytest.approx(naive(values.tolist(), 200, level, seeded()))


def test_fast_mean_draws_as_any_other_statistic_does():
    values = torch.rand(2000, dtype=torch.float64)  # so many that n draws are made in pieces
    fast = bootstrap_interval(values, n=1500, generator=seeded())
    plain = bootstrap_interval(values, n=1500, generator=seeded(), statistic=lambda v: v.mean())
    assert fast == pytest.approx(plain)


def test_records_are_drawn_as_tensors_are():
    values = torch.rand(12, dtype=torch.float64)
    of_records = bootstrap_interval(
        range(12), n=50, generator=seeded(), statistic=lambda chosen: values[chosen].mean()
    )
    of_values = bootstrap_interval(values, n=50, generator=seeded())
    assert of_records == pytest.approx(of_values)


@pytest.mark.parametrize("values", [[1, 2, 3, 4], (0.5, 0.25)], ids=["list", "tuple"])
def test_plain_numbers(values):
    estimate, low, high = bootstrap_interval(values, generator=seeded())
    assert estimate == sum(values) / len(values)
    assert min(values) <= low <= estimate <= high <= max(values)


def test_covers_the_true_mean_as_often_as_it_says():
    covered = 0
    for trial in range(200):
        values = torch.rand(50, generator=seeded(trial))
        _, low, high = bootstrap_interval(values, n=300, level=0.8, generator=seeded(trial))
        covered += low <= 0.5 <= high
    assert 0.72 < covered / 200 < 0.88


def test_paired_difference_is_narrower_than_two_intervals():
    easy = torch.rand(60, generator=seeded())
    a, b = easy, easy - 0.02 + 0.01 * torch.randn(60, generator=seeded(1))
    difference, low, high = bootstrap_interval(a - b, generator=seeded())
    assert 0 < low <= difference <= high  # a is better, surely
    _, low_a, _ = bootstrap_interval(a, generator=seeded())
    _, _, high_b = bootstrap_interval(b, generator=seeded())
    assert low_a < high_b  # which the single intervals cannot tell


def test_mean_iou_over_resampled_images():
    preds, target = torch.randint(3, (2, 10, 8, 8))
    pairs = zip(preds, target, strict=True)
    matrices = torch.stack([confusion_matrix(p, t, 3) for p, t in pairs])
    estimate, low, high = bootstrap_interval(
        matrices, statistic=lambda m: mean_iou(m.sum(0)), n=100, generator=seeded()
    )
    assert estimate == pytest.approx(mean_iou(preds, target, 3).item())
    assert low < estimate < high


def test_coco_average_precision_over_resampled_images():
    boxes = torch.tensor([[0.0, 0, 50, 50], [60, 60, 90, 90]])
    target = [{"boxes": boxes, "labels": torch.tensor([0, 1])}] * 8
    preds = [
        {"boxes": boxes + shift, "labels": torch.tensor([0, 1]), "scores": torch.tensor([0.9, 0.8])}
        for shift in range(8)
    ]

    def ap(chosen):
        drawn = [preds[i] for i in chosen], [target[i] for i in chosen]
        return coco_average_precision(*drawn)["map"]

    estimate, low, high = bootstrap_interval(range(8), statistic=ap, n=40, generator=seeded())
    assert estimate == coco_average_precision(preds, target)["map"]
    assert 0 < low < estimate < high < 1


def test_higher_level_is_wider():
    values = torch.rand(30)
    narrow = bootstrap_interval(values, level=0.5, generator=seeded())
    wide = bootstrap_interval(values, level=0.99, generator=seeded())
    assert wide[1] < narrow[1] < narrow[0] < narrow[2] < wide[2]


def test_constant_and_single_values_have_no_width():
    assert bootstrap_interval(torch.full((9,), 0.25)) == (0.25, 0.25, 0.25)
    assert bootstrap_interval([0.5]) == (0.5, 0.5, 0.5)


def test_empty_is_nan():
    for empty in (torch.zeros(0), []):
        assert all(x != x for x in bootstrap_interval(empty))


def test_nan_is_not_hidden_unless_asked():
    values = torch.tensor([0.1, torch.nan, 0.3])
    assert all(x != x for x in bootstrap_interval(values))
    estimate, low, high = bootstrap_interval([0.1, 0.3, 0.2], statistic=lambda v: sum(v) / 3)
    assert low <= estimate <= high
    estimate, _, _ = bootstrap_interval(values, statistic=torch.nanmean, n=1)
    assert estimate == pytest.approx(0.2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64], ids=str)
def test_means_are_taken_in_float64(dtype):
    values = (100 * torch.rand(300)).to(dtype)
    got = bootstrap_interval(values, n=20, generator=seeded())
    assert got == bootstrap_interval(values.double(), n=20, generator=seeded())


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=20),
    st.floats(-10, 10),
    st.floats(0.1, 10),
)
def test_moves_and_scales_with_the_values(values, shift, scale):
    values = torch.tensor(values, dtype=torch.float64)
    plain = bootstrap_interval(values, n=20, generator=seeded())
    moved = bootstrap_interval(scale * values + shift, n=20, generator=seeded())
    assert moved == pytest.approx([scale * x + shift for x in plain], abs=1e-9)


@pytest.mark.as_user
class TestBadInput:
    def test_n(self):
        with pytest.raises(ValueError, match="n must be an integer >= 1"):
            bootstrap_interval(torch.rand(3), n=0)

    @pytest.mark.parametrize("level", [0, 1, 95, float("nan")])
    def test_level(self, level):
        with pytest.raises(ValueError, match=r"level must lie in \(0, 1\)"):
            bootstrap_interval(torch.rand(3), level=level)
