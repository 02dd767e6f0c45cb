"""What lesson 43 measures about its open questions: readers asked beyond digits, and scaling."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.neural_network import MLPClassifier
from torch import Tensor, nn
from torch.nn import functional as F

from cvcourse.classroom.subjects.gains import quantiles, times_drawn
from cvcourse.classroom.training.repeated import folder
from cvcourse.data import digits, pictures
from cvcourse.data.cluttered_digits import SIDE, cluttered_digits


def table_of(name: str) -> dict[str, np.ndarray]:
    """What another lesson measured over its trainings: `lessons/tables/NAME.json`."""
    told = json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))
    return {key: np.array(values) for key, values in told["values"].items()}


def digits_and_others(seed: int) -> dict[str, tuple[Tensor, Tensor | None]]:
    """{what is shown: (pictures (N, 1, 40, 40), the digit on each or None)}, which no reader of
    lesson 03b has seen.

    "as taught" are the 382 test digits among scraps, turned by up to 60 degrees; "turned over" by
    120 to 180; "to set a bar" are the 258 of the val split, as taught. "faces" and "no faces" are
    the hundred each of `pictures.faces`, enlarged; in "faces, dark" all faces are darkened by one
    factor, to the mean of "as taught".
    """
    draws = torch.Generator().manual_seed(seed)
    crops, face = pictures.faces()
    crops = F.interpolate(crops, (SIDE, SIDE), mode="bilinear")
    bar = cluttered_digits(258, "val", draws)[:2]
    taught = cluttered_digits(382, "test", draws)[:2]
    faces = crops[face == 1]
    return {
        "to set a bar": bar,
        "as taught": taught,
        "turned over": cluttered_digits(382, "test", draws, turns=(120.0, 180.0))[:2],
        "faces": (faces, None),
        "faces, dark": (faces * (taught[0].mean() / faces.mean()), None),
        "no faces": (crops[face == 0], None),
    }


class Said(NamedTuple):
    digit: Tensor  # (N,) int64: the most probable
    confidence: Tensor  # (N,): its probability
    sure: Tensor  # (N,) bool: above the bar
    right: Tensor | None  # (N,) bool; None where there is no digit


@torch.no_grad()
def ask(reader: nn.Module, shown: Mapping[str, tuple[Tensor, Tensor | None]]) -> dict[str, Said]:
    """What a reader says of each kind of pictures but the first, by which the bar is set: the
    confidence that 95 of 100 of these reach."""
    said, bar = {}, None
    for name, (images, truth) in shown.items():
        confidence, digit = reader(images).softmax(1).max(1)
        if bar is None:
            bar = confidence.quantile(0.05)
            continue
        right = None if truth is None else digit == truth
        said[name] = Said(digit, confidence, confidence >= bar, right)
    return said


def misread(
    learner: Callable[[int], ClassifierMixin], sizes: Sequence[int], draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which test digits are misread by learners that were given more and more others.

    learner: from a seed to a classifier of scikit-learn. sizes: how many digits of the train and
        val splits it is given; a smaller draw is part of the next.

    Returns (sizes, draws, 382) booleans, and (sizes, draws): shares misread of their own digits.

    Raises ValueError for a size of more than the 1,415 digits that there are.
    """
    parts = [digits.load(split) for split in ("train", "val")]
    x, y = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    new, truth = (part.numpy() for part in digits.load("test"))
    x, new = (images.reshape(len(images), -1) for images in (x, new))
    if max(sizes) > len(y):
        raise ValueError(f"sizes must be {len(y)} at most, but are {sizes}")
    wrong, own = np.empty((len(sizes), draws, len(truth)), bool), np.empty((len(sizes), draws))
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(len(y))
        for i, size in enumerate(sizes):
            some = order[:size]
            taught = learner(draw).fit(x[some], y[some])
            wrong[i, draw] = taught.predict(new) != truth
            own[i, draw] = 1 - taught.score(x[some], y[some])
    return wrong, own


def misread_by_width(units: Sequence[int], seed: int) -> dict[str, float]:
    """Shares of test digits that networks of so many hidden units misread, given the same 320
    digits each, and ("..., own") of these 320."""
    found = {}
    for width in units:

        def learner(_: int, width: int = width) -> MLPClassifier:
            return MLPClassifier((width,), max_iter=5000, random_state=seed)

        wrong, own = misread(learner, (320,), 1)
        found |= {f"{width}": float(wrong.mean()), f"{width}, own": float(own.mean())}
    return found


def times_foretold(
    foretold: Callable[[Sequence[int], np.ndarray], float], sizes: Sequence[int], wrong: np.ndarray
) -> tuple[float, float, float]:
    """(times, low, high): how many times as many are misread at the last size as a law says.

    foretold: from sizes and shares misread at all of them, of which it takes no notice of the
        last, to the share at the last. wrong: (sizes, draws, pictures) booleans. The interval, of
        95 %, ranges over the pictures, of all draws together: 1,000 resamples, each with a law of
        its own.
    """
    each = wrong.mean(1)  # (sizes, pictures)
    anew = times_drawn(each.shape[1], 1000, seed=0) / each.shape[1] @ each.T
    errors = each.mean(1)
    low, high = quantiles([new[-1] / foretold(sizes, new) for new in anew])
    return float(errors[-1] / foretold(sizes, errors)), low, high
