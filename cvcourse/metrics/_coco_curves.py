"""COCO's precision at 101 recalls, and its recall, per threshold, class and range of areas."""

from collections.abc import Sequence

import numpy as np

RECALLS = np.linspace(0, 1, 101)


def precision_and_recall(
    hit: np.ndarray,
    false_alarm: np.ndarray,
    label: np.ndarray,
    score: np.ndarray,
    rank: np.ndarray,
    positives: np.ndarray,
    max_detections: Sequence[int],
) -> tuple[np.ndarray, np.ndarray]:
    """Precision (T, 101, K, A) and recall (T, K, A, M), -1 where there is no target.

    Args:
        hit, false_alarm: (detections, A, T); neither for a detection that is not counted.
        label: (detections,) index of the class, increasing.
        score, rank: (detections,) score, and place by it in the image and class.
        positives: (K, A) number of targets that count.
        max_detections: (M,) how many ranks count for each recall.
    """
    classes, areas = positives.shape
    thresholds = hit.shape[2]
    precision = np.full((thresholds, len(RECALLS), classes, areas), -1.0)
    recall = np.full((thresholds, classes, areas, len(max_detections)), -1.0)
    bounds = np.searchsorted(label, np.arange(classes + 1))
    for k, a in zip(*np.nonzero(positives), strict=True):
        rows = slice(bounds[k], bounds[k + 1])
        tp, fp = hit[rows, a], false_alarm[rows, a]  # (n, T)
        for m, limit in enumerate(max_detections):
            recall[:, k, a, m] = tp[rank[rows] < limit].sum(0) / positives[k, a]
        by_score = np.argsort(-score[rows], kind="stable")
        tp, fp = tp[by_score].T, fp[by_score].T  # (T, n)
        precision[:, :, k, a] = interpolated(tp, fp, int(positives[k, a]))
    return precision, recall


def mean_of_defined(values: np.ndarray) -> float:
    """Of those that are not -1; -1 where there is none."""
    defined = values[values > -1]
    return float(defined.mean()) if len(defined) else -1.0


def interpolated(tp: np.ndarray, fp: np.ndarray, positives: int) -> np.ndarray:
    """(T, 101): the best precision at each recall or beyond it, 0 where it is not reached."""
    tp, seen = tp.cumsum(1, dtype=np.float64), fp.cumsum(1, dtype=np.float64)
    seen += tp
    seen += np.spacing(1)
    best = np.divide(tp, seen, out=seen)
    best = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1]
    best = np.hstack([best, np.zeros((len(best), 1))])
    recall = np.divide(tp, positives, out=tp)
    return np.stack([b[np.searchsorted(r, RECALLS)] for b, r in zip(best, recall, strict=True)])
