"""Average precision of a data set in which each picture is there several times, or not at all.

Matching happens within a picture, so it is done once; a picture that is there w times gives its
hits and false alarms the weight w. Equals `coco_average_precision` of the repeated pictures, bit
for bit: where scores are equal, pictures count in their order, and the copies of one behind each
other.
"""

from typing import NamedTuple

import numpy as np

from cvcourse.metrics._coco_curves import RECALLS, interpolated, mean_of_defined
from cvcourse.metrics._coco_matches import Matches


class _Curve(NamedTuple):
    """What the precision of one class is made of, best score first, in columns."""

    image: np.ndarray  # (n,) of each detection
    copy: np.ndarray  # (n,) the copy of the picture that it is in, from 1; 0 for in all of them
    starts: np.ndarray  # (columns,) the first detection of each column
    hit: np.ndarray  # (T, columns)
    false_alarm: np.ndarray  # (T, columns)
    targets: np.ndarray  # the image of each target that counts

    def precision(self, times: np.ndarray) -> np.ndarray | float:
        """(T, 101), or -1 where no picture with a target is there."""
        positives = int(times[self.targets].sum())
        if not positives:
            return -1.0
        there = times[self.image]
        weight = np.where(self.copy > 0, there >= self.copy, there)
        weight = np.add.reduceat(weight, self.starts) if len(weight) else weight
        return interpolated(weight * self.hit, weight * self.false_alarm, positives)


def average_precision_of_draws(matches: Matches, times: np.ndarray) -> np.ndarray:
    """(draws,) AP over all thresholds, classes and the first range of areas.

    times: (draws, images) how often each image is there.
    """
    thresholds, most = matches.hit.shape[2], int(times.max(initial=0))
    curves = [_curve(matches, k, most) for k in range(len(matches.classes))]
    scores = np.empty(len(times))
    for draw, times_of_draw in enumerate(times):
        precision = np.empty((thresholds, len(RECALLS), len(curves)))
        for k, curve in enumerate(curves):
            precision[..., k] = curve.precision(times_of_draw)
        scores[draw] = mean_of_defined(precision)
    return scores


def _curve(matches: Matches, k: int, most: int) -> _Curve:
    rows = np.flatnonzero(matches.label == k)
    rows = rows[np.argsort(-matches.score[rows], kind="stable")]
    rows, copy = _with_copies(rows, matches, most)
    hit, false_alarm = matches.hit[rows, 0], matches.false_alarm[rows, 0]  # (n, T)
    # one column for false alarms in a row: between hits, precision only falls
    apart = hit.any(1)
    new = np.ones(len(rows), dtype=bool)
    new[1:] = apart[1:] | apart[:-1] | (false_alarm[1:] != false_alarm[:-1]).any(1)
    starts = np.flatnonzero(new)
    return _Curve(
        image=matches.image[rows],
        copy=copy,
        starts=starts,
        hit=hit[starts].T,
        false_alarm=false_alarm[starts].T,
        targets=matches.target_image[(matches.target_label == k) & matches.counted[:, 0]],
    )


def _with_copies(rows: np.ndarray, matches: Matches, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Detections of one score in one picture come copy by copy, so each copy gets its own."""
    score, image = matches.score[rows], matches.image[rows]
    group = np.zeros(len(rows), dtype=np.int64)
    group[1:] = np.cumsum((score[1:] != score[:-1]) | (image[1:] != image[:-1]))
    tied = np.bincount(group)[group] > 1
    copies = np.where(tied, most, 1)
    index = np.repeat(np.arange(len(rows)), copies)
    copy = np.arange(len(index)) - np.repeat(np.cumsum(copies) - copies, copies) + 1
    order = np.lexsort((index, copy, group[index]))
    index, copy = index[order], copy[order]
    return rows[index], np.where(tied[index], copy, 0)
