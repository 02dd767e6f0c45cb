import types

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import jaccard_score

from cvcourse.classroom import gain_of_trainings, paired_gain, wilson_interval
from cvcourse.classroom.subjects.gains import (
    check_trainings,
    gain_between,
    gain_of_objects,
    gain_of_sum,
    gains_in_words,
    interval_of_sum,
    mean_iou_gain,
    mean_iou_interval,
    times_drawn,
    trainings_in_words,
    verdict_of_gain,
)
from cvcourse.metrics import bootstrap_interval, confusion_matrix

RANDOM = np.random.default_rng(0)


class TestPairedGain:
    ours, theirs = RANDOM.normal(0.6, 0.2, 80), RANDOM.normal(0.5, 0.2, 80)

    def test_equals_scipy(self):
        expected = stats.bootstrap(
            (self.ours, self.theirs),
            lambda ours, theirs, axis: (ours - theirs).mean(axis=axis),
            paired=True,
            vectorized=True,
            method="percentile",
            n_resamples=20000,
            random_state=0,
        )
        gain, low, high = paired_gain(self.ours, self.theirs, n=20000)
        assert gain == pytest.approx((self.ours - self.theirs).mean(), abs=1e-12)
        limits = expected.confidence_interval
        assert (low, high) == pytest.approx(
            (limits.low, limits.high), abs=2.5e-3
        )  # 3 standard errors

    def test_pairs_that_gain_alike_leave_no_doubt(self):
        noise = RANDOM.normal(size=50)
        assert paired_gain(noise + 0.25, noise) == pytest.approx((0.25, 0.25, 0.25))

    def test_same_draws_for_the_same_seed(self):
        assert paired_gain(self.ours, self.theirs) == paired_gain(self.ours, self.theirs)
        assert paired_gain(self.ours, self.theirs) != paired_gain(self.ours, self.theirs, seed=1)

    def test_pictures_without_a_value_are_left_out(self):
        ours, theirs = self.ours.copy(), self.theirs.copy()
        ours[3], theirs[[3, 7]] = np.nan, np.nan
        left = np.delete(np.arange(80), [3, 7])
        assert paired_gain(ours, theirs) == paired_gain(self.ours[left], self.theirs[left])
        assert all(map(np.isnan, paired_gain([np.nan], [1.0])))

    def test_lists_tensors_and_half_precision(self):
        lists = paired_gain([1, 2, 4], [0, 2, 1])
        assert lists[0] == pytest.approx(4 / 3)
        ours = torch.tensor([1.0, 2, 4], dtype=torch.float16, requires_grad=True)
        assert paired_gain(ours, torch.tensor([0, 2, 1])) == lists
        assert all(type(number) is float for number in lists)

    @pytest.mark.parametrize(
        ("ours", "theirs", "told"),
        [
            ([1.0, 2.0], [1.0], "as many, got 2 and 1"),
            ([[1.0, 2.0]], [1.0, 2.0], r"ours must be one finite .* shape \(1, 2\)"),
            ([1.0, 2.0], [1.0, float("inf")], "theirs must be .* with inf"),
            (0.5, [1.0], r"got shape \(\)"),
        ],
    )
    def test_bad_arguments(self, ours, theirs, told):
        with pytest.raises(ValueError, match=told):
            paired_gain(ours, theirs)


class TestGainOfTrainings:
    ours, theirs = [0.45, 0.47, 0.44], [0.43, 0.42, 0.43]

    def test_equals_scipy(self):
        test = stats.ttest_rel(self.ours, self.theirs)
        limits = test.confidence_interval(0.95)
        expected = np.subtract(self.ours, self.theirs).mean(), limits.low, limits.high
        assert gain_of_trainings(np.array(self.ours), np.array(self.theirs)) == (
            pytest.approx(expected)
        )

    def test_pairs_that_gain_alike_leave_no_doubt(self):
        assert gain_of_trainings([1.5, 2.5], [1.0, 2.0]) == (0.5, 0.5, 0.5)

    @pytest.mark.parametrize("theirs", [[1.0], [1.0, 2, 3], [1.0, np.nan], [[1.0, 2]]])
    def test_what_cannot_be_compared(self, theirs):
        with pytest.raises(ValueError, match="theirs"):
            gain_of_trainings([1.0, 2.0], theirs)

    def test_one_training_tells_nothing(self):
        with pytest.raises(ValueError, match="two at least"):
            gain_of_trainings([1.0], [2.0])


class TestWilsonInterval:
    @pytest.mark.parametrize(
        ("hits", "trials"), [(0, 1), (1, 1), (0, 20), (20, 20), (7, 10), (499, 500), (3, 1000)]
    )
    def test_equals_scipy(self, hits, trials):
        share, low, high = wilson_interval(hits, trials)
        expected = stats.binomtest(hits, trials).proportion_ci(method="wilson")
        assert share == hits / trials
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert 0 <= low <= share <= high <= 1

    def test_limits_solve_the_score_equation(self):
        z, (share, *limits) = stats.norm.ppf(0.975), wilson_interval(34, 50)
        for p in limits:
            assert (share - p) ** 2 == pytest.approx(z**2 * p * (1 - p) / 50)

    def test_counts_of_tensors(self):
        hits = torch.tensor([True, False, True])
        assert wilson_interval(hits.sum(), len(hits)) == wilson_interval(2, 3)

    def test_no_trials(self):
        assert all(map(np.isnan, wilson_interval(0, 0)))

    @pytest.mark.parametrize(("hits", "trials"), [(3, 2), (-1, 2), (0.5, 2), (1, 2.5)])
    def test_bad_arguments(self, hits, trials):
        with pytest.raises(ValueError, match=r"^(hits|trials) must"):
            wilson_interval(hits, trials)


def f1(counts):
    hits, misses, alarms = counts
    return 2 * hits / (2 * hits + misses + alarms)


class TestOfSum:
    counts, others = (
        torch.randint(1, 9, (60, 3), generator=torch.Generator().manual_seed(s)) for s in (1, 2)
    )

    def test_value_and_interval_are_those_of_resampled_pictures(self):
        expected = bootstrap_interval(
            self.counts,
            statistic=lambda drawn: f1(drawn.sum(0)),
            n=300,
            generator=torch.Generator().manual_seed(5),
        )
        assert interval_of_sum(self.counts, f1, n=300, seed=5) == pytest.approx(expected, abs=1e-6)

    def test_gain_is_paired(self):
        both = torch.stack([self.counts, self.others], 1)
        expected = bootstrap_interval(
            both,
            statistic=lambda drawn: f1(drawn[:, 0].sum(0)) - f1(drawn[:, 1].sum(0)),
            n=300,
            generator=torch.Generator().manual_seed(5),
        )
        got = gain_of_sum(self.counts, self.others, f1, n=300, seed=5)
        assert got == pytest.approx(expected, abs=1e-6)
        assert gain_of_sum(self.counts, self.counts, f1) == (0, 0, 0)

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="one shape"):
            gain_of_sum(self.counts, self.others[:-1], f1)
        with pytest.raises(ValueError, match=r"counts must be \(pictures, ...\)"):
            interval_of_sum(self.counts[:0], f1)
        with pytest.raises(ValueError, match=r"others must be \(pictures, ...\)"):
            gain_of_sum(self.counts, self.others[:, 0], f1)
        with pytest.raises(ValueError, match="n must be at least 1"):
            interval_of_sum(self.counts, f1, n=0)


class TestGainOfObjects:
    ours, theirs = RANDOM.normal(0.6, 0.2, 80), RANDOM.normal(0.5, 0.2, 80)
    pictures = RANDOM.permutation(np.arange(80))

    def test_one_object_a_picture(self):
        got = gain_of_objects(self.ours, self.theirs, self.pictures)
        assert got == pytest.approx(paired_gain(self.ours, self.theirs), abs=0.01)

    def test_objects_of_a_picture_are_drawn_together(self):
        once = gain_of_objects(self.ours, self.theirs, self.pictures)
        thrice = (np.tile(values, 3) for values in (self.ours, self.theirs, self.pictures))
        assert gain_of_objects(*thrice) == pytest.approx(once)  # no narrower

    def test_the_mean_is_over_objects(self):
        gain, low, high = gain_of_objects([1, 2, 6], [0, 0, 0], [7, 7, 3])
        assert gain == 3
        assert (low, high) == (1.5, 6)
        assert gain_of_objects([4, 5, 6], [2, 3, 4], [0, 0, 1]) == (2, 2, 2)


GENERATOR = torch.Generator().manual_seed(0)
TARGET = torch.randint(4, (30, 12, 12), generator=GENERATOR)


def spoiled(share):
    return TARGET.where(torch.rand(TARGET.shape, generator=GENERATOR) < share, 0)


class TestMeanIou:
    target, maps, others = TARGET, spoiled(0.8), spoiled(0.7)

    def matrices(self, maps):
        return torch.stack(
            [confusion_matrix(m, t, 4) for m, t in zip(maps, self.target, strict=True)]
        )

    def score(self, maps, chosen):
        true, found = self.target[chosen].flatten(), maps[chosen].flatten()
        return jaccard_score(true, found, average="macro")

    def drawn(self, n, seed):
        generator = torch.Generator().manual_seed(seed)
        return [torch.randint(30, (30,), generator=generator) for _ in range(n)]

    def test_interval_equals_that_of_scikit_learns_scores(self):
        scores = [self.score(self.maps, chosen) for chosen in self.drawn(60, 7)]
        expected = (self.score(self.maps, slice(None)), *np.quantile(scores, [0.025, 0.975]))
        got = mean_iou_interval(self.matrices(self.maps), n=60, seed=7)
        assert got == pytest.approx(expected, abs=2e-7)

    def test_gain_equals_that_of_scikit_learns_scores(self):
        def gain(chosen):
            return self.score(self.maps, chosen) - self.score(self.others, chosen)

        gains = [gain(chosen) for chosen in self.drawn(60, 7)]
        expected = (gain(slice(None)), *np.quantile(gains, [0.025, 0.975]))
        ours, theirs = self.matrices(self.maps), self.matrices(self.others)
        assert mean_iou_gain(ours, theirs, n=60, seed=7) == pytest.approx(expected, abs=2e-7)
        assert expected[1] > 0


def test_times_drawn_are_those_of_torch():
    generator = torch.Generator().manual_seed(3)
    drawn = [torch.randint(6, (6,), generator=generator).bincount(minlength=6) for _ in range(50)]
    assert np.array_equal(times_drawn(6, 50, 3), torch.stack(drawn))


def test_gains_in_words():
    ours, theirs = [0.50, 0.60, 0.55], [0.48, 0.61, 0.50]
    gain, low, high = gain_of_trainings(ours, theirs)
    expected = f"{gain:+.3f} ({low:+.3f} to {high:+.3f}): +0.020, -0.010, +0.050"
    assert gains_in_words(ours, theirs) == expected
    assert expected.startswith("+0.020 (-0.055 to +0.095)")  # 0.02 ± 4.3027 * 0.03 / sqrt(3)


def test_two_rows_of_a_table_in_words():
    table = {"a: F1": np.array([0.5, 0.6004]), "b: F1": np.array([0.25, 0.5]), "b: IoU": None}
    first, second = trainings_in_words(table, "a", "b", "F1").split("\n")
    assert first == "F1: a [0.5 0.6] | b [0.25 0.5 ]"
    assert second.endswith("each: " + gains_in_words(table["a: F1"], table["b: F1"]))


def test_verdict_of_a_gain():
    ours = [0.50, 0.60, 0.55]
    assert verdict_of_gain(ours, [0.40, 0.51, 0.44]).endswith("+0.110: ahead")
    assert verdict_of_gain([0.40, 0.51, 0.44], ours).endswith("-0.110: behind")
    told = verdict_of_gain(ours, [0.48, 0.61, 0.50])
    assert told == f"{gains_in_words(ours, [0.48, 0.61, 0.50])}: not told apart"


class TestTrainingsOfAReader:
    table = types.MappingProxyType(
        {"base: F1": np.array([0.979, 0.976, 0.982]), "new: F1": np.array([0.989, 0.98, 0.962])}
    )

    def test_are_judged_beside_the_tables(self):
        yours, ours = check_trainings({"new": [0.5, 0.51, 0.49]}, self.table, "base").splitlines()
        assert "yours" in yours
        assert yours.endswith("behind")
        assert "ours" in ours
        assert ours.endswith("not told apart")

    def test_are_asked_for_while_there_are_none(self):
        assert "nothing yet" in check_trainings({"new": None}, self.table, "base")

    def test_are_as_many_as_the_tables(self):
        with pytest.raises(AssertionError, match="throw of dice"):
            check_trainings({"new": [0.97]}, self.table, "base")

    def test_are_of_another_row(self):
        with pytest.raises(AssertionError, match="of base itself"):
            check_trainings({"new": [0.979, 0.976, 0.982]}, self.table, "base")

    def test_of_another_score(self):
        table = {"base: mIoU": np.array([0.4, 0.5, 0.6]), "new: mIoU": np.array([0.5, 0.6, 0.7])}
        assert "your mIoUs" in check_trainings({"new": None}, table, "base", key="mIoU")
        yours, _ = check_trainings({"new": [0.6, 0.7, 0.8]}, table, "base", key="mIoU").split("\n")
        assert yours.endswith("+0.200, +0.200, +0.200: ahead")


def test_gain_between_two_sets_equals_scipy():
    ours, theirs = RANDOM.normal(0.6, 0.2, 80), RANDOM.normal(0.5, 0.1, 50)
    gain, low, high = gain_between(ours, theirs, n=20_000)
    expected = stats.bootstrap(
        (ours, theirs),
        lambda ours, theirs, axis: ours.mean(axis=axis) - theirs.mean(axis=axis),
        vectorized=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert gain == pytest.approx(ours.mean() - theirs.mean())
    assert (low, high) == pytest.approx(tuple(expected), abs=2e-3)
    with pytest.raises(ValueError, match="ours must be"):
        gain_between(ours[None], theirs)
