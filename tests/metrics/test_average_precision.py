from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import average_precision, match_detections, precision_recall_curve
from tests import oracle

METHODS = ["coco", "voc07", "area"]


@pytest.mark.parametrize("case", oracle.cases("voc_map"))
def test_oracle_voc_map(case):
    def voc_map(preds, target, n_classes):
        per_class = []
        for c in range(1, n_classes):  # 0 is the background in kornia
            scores, matched, targets = [], [], 0
            for p, t in zip(preds, target, strict=True):
                boxes, of_class = p["boxes"][p["labels"] == c], p["scores"][p["labels"] == c]
                target_boxes = t["boxes"][t["labels"] == c]
                scores.append(of_class)
                matched.append(match_detections(boxes, of_class, target_boxes) >= 0)
                targets += len(target_boxes)
            curve = precision_recall_curve(torch.cat(scores), torch.cat(matched), targets)
            per_class.append(average_precision(*curve[:2], method="voc07"))
        # per_class is a list in the file: compared as a list, lest one side alone be float32
        return {
            "value": torch.stack(per_class).mean(),
            "per_class": torch.stack(per_class).tolist(),
        }

    oracle.assert_matches(case, voc_map)


def test_by_hand():
    precision = torch.tensor([1, 1 / 2, 2 / 3], dtype=torch.float64)  # hit, miss, hit, of 3 targets
    recall = torch.tensor([1 / 3, 1 / 3, 2 / 3], dtype=torch.float64)
    assert average_precision(precision, recall, method="area") == pytest.approx(1 / 3 + 2 / 9)
    voc07 = (4 * 1 + 3 * 2 / 3) / 11  # r = 0, .1, .2, .3 see 1; .4, .5, .6 see 2/3
    assert average_precision(precision, recall, method="voc07") == pytest.approx(voc07)
    coco = (34 * 1 + 33 * 2 / 3) / 101
    assert average_precision(precision, recall, method="coco") == pytest.approx(coco)


def naive(precision, recall, method):
    def best(r):
        return max((p for p, q in zip(precision, recall, strict=True) if q >= r), default=0)

    if method == "area":
        edges = [0, *recall]
        return sum((b - a) * best(b) for a, b in pairwise(edges))
    steps = {"coco": 100, "voc07": 10}[method]
    return sum(best(i * (1 / steps)) for i in range(steps + 1)) / (steps + 1)


curves = st.lists(st.booleans(), min_size=1, max_size=40).map(torch.tensor)


@pytest.mark.parametrize("method", METHODS)
@given(curves, st.integers(1, 5))
def test_naive_loop(method, matched, missed):
    scores = torch.arange(len(matched), 0, -1).float()
    precision, recall, _ = precision_recall_curve(scores, matched, int(matched.sum()) + missed)
    got = average_precision(precision, recall, method=method)
    assert got == pytest.approx(naive(precision.tolist(), recall.tolist(), method))


@pytest.mark.parametrize("method", METHODS)
@given(matched=curves)
def test_a_hit_in_place_of_a_miss_never_hurts(method, matched):
    scores = torch.arange(len(matched), 0, -1).float()
    values = []
    for flags in (matched, matched.sort(descending=True).values):
        curve = precision_recall_curve(scores, flags, len(matched))
        values.append(average_precision(*curve[:2], method=method))
    assert 0 <= values[0] <= values[1] + 1e-12 <= 1 + 2e-12


@pytest.mark.parametrize("method", METHODS)
class TestEdgeCases:
    def test_perfect(self, method):
        curve = precision_recall_curve(torch.rand(7), torch.ones(7).bool(), 7)
        assert average_precision(*curve[:2], method=method) == pytest.approx(1)

    def test_empty_curve(self, method):
        assert average_precision(torch.zeros(0), torch.zeros(0), method=method) == 0

    def test_no_targets(self, method):
        curve = precision_recall_curve(torch.rand(2), torch.zeros(2).bool(), 0)
        assert average_precision(*curve[:2], method=method).isnan()

    def test_half_precision_curve(self, method):
        precision, recall = torch.tensor([1, 0.5, 0.75]), torch.tensor([0.25, 0.25, 0.5])
        value = average_precision(precision.half(), recall.half(), method=method)
        assert value == average_precision(precision, recall, method=method)


@pytest.mark.as_user
class TestBadInput:
    def test_method(self):
        with pytest.raises(ValueError, match="method must be one of 'coco', 'voc07', 'area'"):
            average_precision(torch.ones(2), torch.ones(2), method="voc")

    def test_shapes(self):
        with pytest.raises(ValueError, match="precision and recall must both be"):
            average_precision(torch.ones(2), torch.ones(3))

    @pytest.mark.parametrize("recall", [[0.5, 0.4], [0.5, 1.1], [-0.1, 0.5]], ids=str)
    def test_recall(self, recall):
        with pytest.raises(ValueError, match="recall must rise within"):
            average_precision(torch.ones(2), torch.tensor(recall))
