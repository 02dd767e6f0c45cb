import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import mine_semi_hard, triplet_margin_loss
from tests import oracle
from tests.losses.helpers import refuses

LABELS = [0, 0, 1, 1, 1, 2, 0, 3, 3]
NAMES = ["anchors", "positives", "negatives"]


@pytest.mark.parametrize("case", oracle.cases("triplet_loss/semi_hard_all"))
def test_oracle_triplet_margin_miner(case):
    def adapter(embeddings, labels, margin, normalize):
        mined = mine_semi_hard(embeddings, labels, margin, normalize=normalize)
        x = F.normalize(embeddings) if normalize else embeddings
        # the oracle's loss has no epsilon in its distances
        near, far = ((x[mined[0]] - x[mined[k]]).norm(dim=1) for k in (1, 2))
        loss = torch.relu(near - far + margin)
        value = loss.mean() if len(loss) else loss.sum()
        return {"value": value, **dict(zip(NAMES, mined, strict=True))}

    oracle.assert_matches(case, adapter)


@pytest.mark.parametrize("case", oracle.cases("triplet_loss/semi_hard_per_anchor"))
def test_oracle_batch_easy_hard_miner(case):
    """Its negatives may be farther than the positive by any distance."""

    def adapter(embeddings, labels, normalize):
        mined = mine_semi_hard(embeddings, labels, math.inf, True, normalize)
        return dict(zip(NAMES, mined, strict=True))

    oracle.assert_matches(case, adapter)


def naive(x, labels, margin):
    """All semi-hard triplets, with the distance of the positive and of the negative."""
    found, n = [], range(len(x))
    for i in n:
        for j in n:
            for k in n:
                near, far = math.dist(x[i], x[j]), math.dist(x[i], x[k])
                if i != j and labels[i] == labels[j] != labels[k] and near < far <= near + margin:
                    found.append((i, j, k, near, far))
    return found


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("margin", [0.2, 1.0, math.inf])
def test_naive_loop(normalize, margin):
    x, labels = torch.randn(9, 4).double(), torch.tensor(LABELS)
    points = (F.normalize(x) if normalize else x).tolist()
    found = naive(points, LABELS, margin)
    mined = torch.stack(mine_semi_hard(x, labels, margin, normalize=normalize), 1)
    assert mined.tolist() == [list(f[:3]) for f in found]
    # per anchor: with the farthest positive, the nearest negative
    want = []
    for i in range(9):
        positives = [j for j in range(9) if LABELS[j] == LABELS[i] and j != i]
        if positives:
            farthest = max(positives, key=lambda j: math.dist(points[i], points[j]))
            own = [f for f in found if f[0] == i and f[1] == farthest]
            if own:
                want.append(list(min(own, key=lambda f: f[4])[:3]))
    mined = torch.stack(mine_semi_hard(x, labels, margin, True, normalize), 1)
    assert mined.tolist() == want


@pytest.mark.parametrize("per_anchor", [True, False])
@pytest.mark.parametrize("labels", [[], [0], [0, 0, 0], [0, 1, 2]])
def test_empty_one_class_no_positives(labels, per_anchor):
    x = torch.randn(len(labels), 4)
    mined = mine_semi_hard(x, torch.tensor(labels).long(), per_anchor=per_anchor)
    assert [m.shape for m in mined] == [(0,)] * 3
    assert [m.dtype for m in mined] == [torch.int64] * 3


@pytest.mark.parametrize("per_anchor", [True, False])
def test_identical_and_nan_are_never_mined(per_anchor):
    labels = torch.tensor([0, 0, 1, 1])
    for value in (0.3, math.nan):
        x = torch.full((4, 3), value)
        assert [len(m) for m in mine_semi_hard(x, labels, per_anchor=per_anchor)] == [0, 0, 0]


@pytest.mark.parametrize("per_anchor", [True, False])
def test_property_every_triplet_has_a_loss_below_the_margin(per_anchor):
    x, labels = F.normalize(torch.randn(40, 8)), torch.arange(40) // 4
    mined = mine_semi_hard(x, labels, 0.3, per_anchor)
    assert len(mined[0])
    loss = triplet_margin_loss(*(x[m] for m in mined), margin=0.3, reduction="none")
    assert ((loss > -1e-5) & (loss < 0.3 + 1e-5)).all()
    assert not mine_semi_hard(x.requires_grad_(), labels)[0].requires_grad


@pytest.mark.as_user
def test_bad_input():
    x, labels = torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)
    with refuses("embeddings"):
        mine_semi_hard(x.long(), labels)
    with refuses("labels"):
        mine_semi_hard(x, labels[:2])
    for margin in (0, -1, math.nan):
        with refuses("margin"):
            mine_semi_hard(x, labels, margin)
