import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import mine_distance_weighted
from cvcourse.losses.distance_weighted import distance_weights
from tests import oracle
from tests.losses.helpers import refuses


@pytest.mark.parametrize("case", oracle.cases("distance_weighted_weights"))
def test_oracle_pytorch_metric_learning(case):
    """Rows without a negative in reach are nan there, 0 here."""

    def adapter(embeddings, labels, cutoff, nonzero_loss_cutoff):
        weights = distance_weights(embeddings, labels, cutoff, nonzero_loss_cutoff)
        nothing = weights.sum(1, keepdim=True) == 0
        return {"weights": weights.masked_fill(nothing, math.nan)}

    oracle.assert_matches(case, adapter)


@pytest.mark.parametrize("dimension", [2, 3, 8])
def test_naive_loop(dimension):
    x, labels = F.normalize(torch.randn(7, dimension).double()), [0, 0, 1, 1, 2, 2, 2]
    want = torch.zeros(7, 7).double()
    for i in range(7):
        for j in range(7):
            d = math.dist(x[i].tolist(), x[j].tolist())
            if labels[i] != labels[j] and d < 1.4:
                d = max(d, 0.5)
                density = d ** (dimension - 2) * (1 - d**2 / 4) ** ((dimension - 3) / 2)
                want[i, j] = 1 / density
    want = (want / want.sum(1, keepdim=True)).nan_to_num(0)
    got = distance_weights(x, torch.tensor(labels))
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "case", oracle.cases("sphere_distance_density", "less_supervision/cases.json")
)
def test_weights_are_the_inverse_of_the_density_of_distances(case):
    """One anchor, and a negative at each of the oracle's distances from it."""
    d, density = case["inputs"]["d"], case["expected"]["value"]
    x = torch.zeros(len(d) + 1, case["params"]["dim"], dtype=torch.float64)
    x[0, 0], x[1:, 0] = 1, 1 - d.square() / 2
    x[1:, 1] = (1 - x[1:, 0].square()).sqrt()
    got = distance_weights(x, torch.arange(len(x)), cutoff=0.01, nonzero_loss_cutoff=2.0)[0, 1:]
    want = -density.log()
    torch.testing.assert_close(got.log(), want - want.logsumexp(0), rtol=1e-8, atol=1e-8)


def test_drawn_as_often_as_the_weights_say():
    x, labels = torch.randn(12, 4), torch.arange(12) // 3
    weights = distance_weights(x, labels)
    counts, generator = torch.zeros(12, 12), torch.Generator().manual_seed(0)
    for _ in range(2000):
        a, _, n = mine_distance_weighted(x, labels, generator=generator)
        counts.index_put_((a, n), torch.ones(len(a)), accumulate=True)
    drawn = counts / counts.sum(1, keepdim=True).clamp(min=1)
    assert (drawn - weights).abs().max() < 0.03  # 4000 draws a row: 4 standard deviations


def test_every_positive_pair_once():
    x, labels = torch.randn(12, 4), torch.arange(12) // 3
    a, p, n = mine_distance_weighted(x, labels)
    in_reach = (distance_weights(x, labels).sum(1) > 0).tolist()
    pairs = [
        [i, j] for i in range(12) for j in range(12) if i != j and i // 3 == j // 3 and in_reach[i]
    ]
    assert torch.stack([a, p], 1).tolist() == pairs
    assert (labels[a] != labels[n]).all()


def test_a_tight_cluster_does_not_starve_the_others():
    """pytorch-metric-learning loses most anchors of such a batch, in 512 dimensions."""
    x = torch.randn(64, 512)
    x[:8] = x[0] + 1e-3 * torch.randn(8, 512)
    labels = torch.arange(64) // 2
    in_reach = (F.normalize(x) @ F.normalize(x).T > 1 - 1.45**2 / 2) & (labels[:, None] != labels)
    weights = distance_weights(x, labels, nonzero_loss_cutoff=1.45)
    assert (weights.sum(1) > 0).sum() == in_reach.any(1).sum() > 50


def test_same_seed_same_draw():
    x, labels = torch.randn(12, 4), torch.arange(12) // 3
    draws = [
        mine_distance_weighted(x, labels, generator=torch.Generator().manual_seed(5))
        for _ in range(2)
    ]
    torch.testing.assert_close(*draws)


@pytest.mark.parametrize("labels", [[], [0], [0, 0, 0], [0, 1, 2]])
def test_empty_one_class_no_positives(labels):
    mined = mine_distance_weighted(torch.randn(len(labels), 4), torch.tensor(labels).long())
    assert [m.shape for m in mined] == [(0,)] * 3
    assert [m.dtype for m in mined] == [torch.int64] * 3


def test_identical_are_as_far_as_the_cutoff():
    weights = distance_weights(torch.ones(4, 3), torch.tensor([0, 0, 1, 1]))
    assert weights.tolist() == [[0, 0, 0.5, 0.5]] * 2 + [[0.5, 0.5, 0, 0]] * 2


def test_nan_is_never_drawn():
    x = torch.randn(8, 4)
    x[0] = math.nan
    weights = distance_weights(x, torch.arange(8) // 2, nonzero_loss_cutoff=2.0)
    assert (weights[0] == 0).all()
    assert (weights[:, 0] == 0).all()
    assert (weights[2:].sum(1) > 0).all()


def test_property_rows_are_distributions_over_negatives():
    x, labels = torch.randn(30, 16), torch.randint(5, (30,))
    weights = distance_weights(x, labels, nonzero_loss_cutoff=2.0)
    torch.testing.assert_close(weights.sum(1), torch.ones(30))
    assert (weights[labels[:, None] == labels] == 0).all()


@pytest.mark.as_user
def test_bad_input():
    x, labels = torch.zeros(3, 4), torch.zeros(3, dtype=torch.int64)
    with refuses("embeddings"):
        mine_distance_weighted(x.long(), labels)
    with refuses("embeddings"):
        mine_distance_weighted(x[:, :1], labels)
    with refuses("labels"):
        mine_distance_weighted(x, labels[:2])
    for cutoffs in ((0, 1.4), (1.4, 0.5), (0.5, 2.1), (math.nan, 1)):
        with refuses("cutoff and nonzero_loss_cutoff"):
            mine_distance_weighted(x, labels, *cutoffs)
