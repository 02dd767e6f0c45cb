"""How sure a measured score is, and the difference of two: intervals of 95 % for comparisons.

An interval over pictures tells how a score could have come out on other pictures, with the same
weights. It says nothing of another training: for that, give one value for each training.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from cvcourse.metrics import bootstrap_interval, mean_iou

LEVEL = 0.95
TAIL = (1 - LEVEL) / 2


def paired_gain(
    ours: ArrayLike | Tensor, theirs: ArrayLike | Tensor, *, n: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """(gain, low, high): by how much `ours` is higher than `theirs` on average, and how sure it is.

    ours, theirs: (N,) two methods' values for the same N pictures, or for the same N trainings.

    The interval is the paired percentile bootstrap: of the N differences, as many are drawn with
    replacement, n times. Where 0 is outside it, the gain is more than the luck of the draw of these
    pictures (or trainings).

    **Conventions**: pairs with a nan (a picture on which there is nothing to measure) are left out;
    none left gives nan. Of three trainings it is too narrow: see `gain_of_trainings`.

    Raises ValueError where the two are not (N,), as many, and without infinities.
    """
    ours, theirs = _values("ours", ours), _values("theirs", theirs)
    if ours.shape != theirs.shape:
        raise ValueError(f"ours and theirs must be as many, got {len(ours)} and {len(theirs)}")
    gains = ours - theirs
    return bootstrap_interval(
        gains[~gains.isnan()], n=n, level=LEVEL, generator=torch.Generator().manual_seed(seed)
    )


def gain_between(
    ours: ArrayLike | Tensor, theirs: ArrayLike | Tensor, *, n: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """(gain, low, high): by how much the mean of `ours` is higher, of two sets of other pictures.

    ours, theirs: (N,) and (M,) values. The interval is the percentile bootstrap of the difference,
    each set drawn anew by itself.

    Raises ValueError where one is not of one dimension and without infinities.
    """
    both = _values("ours", ours), _values("theirs", theirs)
    draws = (
        torch.from_numpy(times_drawn(len(of), n, seed + i)).double() @ of / len(of)
        for i, of in enumerate(both)
    )
    ours_drawn, theirs_drawn = draws
    gain = float(both[0].mean() - both[1].mean())
    return gain, *quantiles((ours_drawn - theirs_drawn).numpy())


def gain_of_trainings(
    ours: ArrayLike | Tensor, theirs: ArrayLike | Tensor
) -> tuple[float, float, float]:
    """(gain, low, high): by how much `ours` is higher than `theirs`, over few paired trainings.

    ours, theirs: (N,) two methods' values for the same N seeds, such as columns of `repeated`.

    The interval is Student's for paired values. Where 0 is outside it, another training would most
    likely gain as well; where 0 is inside, N trainings do not tell the two apart.

    Raises ValueError where the two are not (N,), as many, finite, and two at least.
    """
    from scipy.stats import t

    ours, theirs = _values("ours", ours), _values("theirs", theirs)
    if ours.shape != theirs.shape or len(ours) < 2 or (ours + theirs).isnan().any():
        raise ValueError(
            "ours and theirs must be as many finite values, two at least, got "
            f"{ours.tolist()} and {theirs.tolist()}"
        )
    gains = ours - theirs
    gain, error = float(gains.mean()), float(gains.std()) / len(gains) ** 0.5
    half = error * float(t.ppf(1 - TAIL, len(gains) - 1))
    return gain, gain - half, gain + half


def gains_in_words(ours: ArrayLike | Tensor, theirs: ArrayLike | Tensor) -> str:
    """`gain_of_trainings` and each training's gain: "+0.002 (-0.010 to +0.014): -0.001, +0.005"."""
    gain, low, high = gain_of_trainings(ours, theirs)
    each = ", ".join(f"{gain:+.3f}" for gain in (_values("ours", ours) - _values("theirs", theirs)))
    return f"{gain:+.3f} ({low:+.3f} to {high:+.3f}): {each}"


def trainings_in_words(table: Mapping[str, np.ndarray], ours: str, theirs: str, *keys: str) -> str:
    """Two rows of a table as `repeated` gives it: for each key both rows, and `gains_in_words`.

    table: values of each training by "ROW: KEY".
    """
    lines = []
    for key in keys:
        both = [np.asarray(table[f"{row}: {key}"]) for row in (ours, theirs)]
        told = (
            f"{row} {values.round(3)}" for row, values in zip((ours, theirs), both, strict=True)
        )
        lines.append(f"{key}: {' | '.join(told)}")
        lines.append(f"   gained, mean (95 % over trainings) and each: {gains_in_words(*both)}")
    return "\n".join(lines)


def verdict_of_gain(ours: ArrayLike | Tensor, theirs: ArrayLike | Tensor) -> str:
    """`gains_in_words`, and whether the interval is above 0 ("ahead"), below ("behind") or neither
    ("not told apart")."""
    _, low, high = gain_of_trainings(ours, theirs)
    verdict = "ahead" if low > 0 else "behind" if high < 0 else "not told apart"
    return f"{gains_in_words(ours, theirs)}: {verdict}"


def check_trainings(
    mine: Mapping[str, Sequence[float] | None],
    table: Mapping[str, np.ndarray],
    theirs: str,
    *,
    key: str = "F1",
) -> str:
    """A reader's own three trainings of some rows of a table, and then the table's, over one row.

    mine: scores of rows by name, None where there are none yet. theirs: the row that they are
        compared with. table: values by "ROW: KEY", from the same seeds. key: of the score.

    Raises AssertionError where a row is not as many values as the table's, or is `theirs` itself.
    """
    lines, base = [], table[f"{theirs}: {key}"]
    for name, yours in mine.items():
        if yours is None:
            lines.append(f"{name}: nothing yet: put in your {key}s, and run this cell again")
            continue
        assert len(yours) == len(base), f"{name}: seeds 0, 1, 2; one training is a throw of dice"
        assert list(yours) != list(base), f"{name}: these are the {key}s of {theirs} itself"
        lines.append(f"{name} over {theirs}, yours: {verdict_of_gain(yours, base)}")
        lines.append(f"   ours: {verdict_of_gain(table[f'{name}: {key}'], base)}")
    return "\n".join(lines)


def wilson_interval(hits: int, trials: int) -> tuple[float, float, float]:
    """(share, low, high): a share of hits, and Wilson's interval for it.

    Unlike a bootstrap it has a width where all or none are hits: of 20 hits in 20, 0.839 to 1.

    **Conventions**: trials are independent (pictures, not pixels). No trial at all: nan.

    Raises ValueError unless both are whole numbers and 0 <= hits <= trials.
    Reference: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    hits, trials = _count("hits", hits), _count("trials", trials)
    if not 0 <= hits <= trials:
        raise ValueError(f"hits must lie between 0 and {trials} trials, got {hits}")
    if not trials:
        return np.nan, np.nan, np.nan
    z = NormalDist().inv_cdf(1 - TAIL)
    share = hits / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = (
        z / (1 + z**2 / trials) * (share * (1 - share) / trials + z**2 / (2 * trials) ** 2) ** 0.5
    )
    return share, max(0.0, middle - half), min(1.0, middle + half)


def interval_of_sum(
    counts: Tensor, statistic: Callable[[Tensor], float], *, n: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """(value, low, high) of a score that is not a mean over pictures but made of summed counts.

    counts: (pictures, ...), such as hits, misses and false alarms of each picture.
    statistic: of their sum over pictures, (...), to the score.

    The interval is the percentile bootstrap over pictures.
    """
    counts = _counts("counts", counts)
    return _interval(statistic(counts.sum(0)), map(statistic, _sums(counts, n, seed)))


def gain_of_sum(
    counts: Tensor,
    others: Tensor,
    statistic: Callable[[Tensor], float],
    *,
    n: int = 2000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """(gain, low, high): how much higher the score of `counts` is than that of `others`.

    As `interval_of_sum`; the interval is paired: both are scored on the same drawn pictures.
    """
    both = _counts("counts", counts), _counts("others", others)
    if both[0].shape != both[1].shape:
        raise ValueError(
            f"counts and others must have one shape, got {tuple(counts.shape)} and "
            f"{tuple(others.shape)}"
        )

    def gain(of_each: Tensor) -> float:
        ours, theirs = of_each
        return float(statistic(ours)) - float(statistic(theirs))

    together = torch.stack(both, 1)
    return _interval(gain(together.sum(0)), map(gain, _sums(together, n, seed)))


def gain_of_objects(
    ours: ArrayLike | Tensor, theirs: ArrayLike | Tensor, pictures: ArrayLike | Tensor
) -> tuple[float, float, float]:
    """(gain, low, high): by how much `ours` is higher on average, of several objects a picture.

    ours, theirs, pictures: (N,) of each object its two values and its picture. The mean is over
    objects; the interval is over pictures, whose objects are drawn together (`gain_of_sum`).
    """
    ours, theirs = _values("ours", ours), _values("theirs", theirs)
    rows = torch.as_tensor(pictures).unique(return_inverse=True)[1]
    objects = rows.bincount().double()
    both = (
        torch.stack([objects.new_zeros(len(objects)).index_add(0, rows, values), objects], 1)
        for values in (ours, theirs)
    )
    return gain_of_sum(*both, lambda sums: float(sums[0] / sums[1]))


def mean_iou_interval(
    matrices: Tensor, *, n: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """(mIoU, low, high) of a data set, from one confusion matrix for each picture (N, K, K).

    The mIoU is of all pixels together, as benchmarks report it; `interval_of_sum` for the rest.
    """
    return interval_of_sum(matrices, mean_iou, n=n, seed=seed)


def mean_iou_gain(
    matrices: Tensor, others: Tensor, *, n: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """(gain, low, high): how much higher the mIoU of `matrices` is than that of `others`.

    Both (N, K, K), for the same pictures; `gain_of_sum` for the rest.
    """
    return gain_of_sum(matrices, others, mean_iou, n=n, seed=seed)


def times_drawn(pictures: int, n: int, seed: int) -> np.ndarray:
    """(n, pictures): how often each picture is in each of n draws of as many, with replacement."""
    if n < 1:
        raise ValueError(f"n must be at least 1, but is {n}")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(pictures, (n, pictures), generator=generator).numpy()
    drawn += pictures * np.arange(n)[:, None]
    return np.bincount(drawn.ravel(), minlength=n * pictures).reshape(n, pictures)


def quantiles(statistics: ArrayLike) -> tuple[float, float]:
    """(low, high): what leaves 2.5 % of the statistics on either side."""
    low, high = np.quantile(np.asarray(statistics, dtype=np.float64), [TAIL, 1 - TAIL])
    return float(low), float(high)


def _sums(counts: Tensor, n: int, seed: int) -> Sequence[Tensor]:
    """The counts of n draws of pictures, each summed; exact for whole numbers below 2**53."""
    weights = torch.from_numpy(times_drawn(len(counts), n, seed)).double()
    sums = (weights @ counts.flatten(1).double()).view(n, *counts.shape[1:])
    return sums if counts.is_floating_point() else sums.long()


def _interval(value: float, statistics) -> tuple[float, float, float]:
    return float(value), *quantiles([float(statistic) for statistic in statistics])


def _values(name: str, values: ArrayLike | Tensor) -> Tensor:
    values = torch.as_tensor(values).detach().cpu().double()
    if values.ndim != 1 or values.isinf().any():
        raise ValueError(
            f"{name} must be one finite number (or nan) for each picture, got shape "
            f"{tuple(values.shape)}{', with inf' if values.isinf().any() else ''}"
        )
    return values


def _counts(name: str, counts: Tensor) -> Tensor:
    counts = counts.detach().cpu()
    if counts.ndim < 2 or not len(counts):
        raise ValueError(f"{name} must be (pictures, ...), got shape {tuple(counts.shape)}")
    return counts


def _count(name: str, count: int) -> int:
    if int(count) != count:
        raise ValueError(f"{name} must be a whole number, got {count!r}")
    return int(count)
