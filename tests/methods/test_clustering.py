"""Whitening, k-means, empty clusters, uniform epochs, agreement: DeepCluster and ClusterFit."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from cvcourse.methods import (
    UniformClusterSampler,
    clusterfit_labels,
    deepcluster_labels,
    k_means,
    normalized_mutual_information,
    repair_empty_clusters,
    reset_classifier,
    whiten,
)
from tests import oracle

CASES = "less_supervision/cases.json"


@pytest.mark.parametrize("case", oracle.cases("deepcluster_features", CASES))
def test_whitened_as_faiss_does(case):
    def run(features, dim):
        rows = whiten(features.double(), dim)
        return {"absolute": rows.abs(), "gram_first8": rows[:8] @ rows[:8].T}

    oracle.assert_matches(case, run)


def test_whitened_components_by_scikit_learn():
    from sklearn.decomposition import PCA

    x = torch.randn(40, 7) @ torch.randn(7, 7) + 5
    want = PCA(4, whiten=True, svd_solver="full").fit_transform(x.double().numpy())
    want /= np.linalg.norm(want, axis=1, keepdims=True)
    np.testing.assert_allclose(whiten(x, 4).abs(), np.abs(want), atol=1e-5)


def test_directions_without_variance_and_equal_rows():
    x = torch.randn(20, 5)
    x[:, 3:] = 1
    rows = whiten(x, 5)
    assert rows.isfinite().all()
    assert rows[:, 3:].abs().max() == 0
    assert whiten(torch.ones(4, 3), 2).abs().max() == 0
    assert whiten(x[:1], 1).isfinite().all()
    assert whiten(x.half(), 2).dtype == torch.float32


def blobs(per_blob=30, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = 20 * torch.eye(4)
    labels = torch.arange(4).repeat_interleave(per_blob)
    return centres[labels] + torch.randn(len(labels), 4, generator=generator), labels


def test_separate_groups_are_found():
    x, labels = blobs()
    best = max(
        (k_means(x, 4, seed=seed) for seed in range(6)),
        key=lambda found: normalized_mutual_information(found, labels),
    )
    assert normalized_mutual_information(best, labels) == pytest.approx(1)
    assert torch.equal(k_means(x, 4, seed=1), k_means(x, 4, seed=1))
    assert not torch.equal(k_means(x, 9, seed=1), k_means(x, 9, seed=2))


def test_lloyd_converges_to_means():
    x, _ = blobs()
    found = k_means(x, 7, iterations=100)
    means = torch.stack([x[found == c].mean(0) for c in range(7)])
    assert torch.equal(torch.cdist(x, means).argmin(1), found)


def test_no_cluster_is_empty_even_of_equal_rows():
    for x in (torch.zeros(6, 2), torch.tensor([[0.0], [0], [0], [1], [1], [1]])):
        assert k_means(x, 4).bincount(minlength=4).min() >= 1
    assert k_means(torch.zeros(1, 2), 1).tolist() == [0]


def test_an_empty_cluster_halves_another():
    x, labels = blobs()
    merged = torch.where(labels == 3, 2, labels)  # cluster 3 is empty, 2 is twice as large
    generator = torch.Generator().manual_seed(0)
    taken = []
    for _ in range(60):
        found = repair_empty_clusters(x, merged, 4, generator=generator)
        moved = found != merged
        assert (found[moved] == 3).all()
        [giver] = merged[moved].unique().tolist()
        assert (found == giver).any()  # it is not empty in turn
        taken.append(giver)
    shares = np.bincount(taken, minlength=3) / 60
    assert shares[2] == pytest.approx(0.5, abs=0.25)  # in proportion: 60 of 120 images
    assert (shares > 0).all()
    full = repair_empty_clusters(x, labels, 4)
    assert torch.equal(full, labels)


def test_each_cluster_as_often_as_any_other():
    assignments = torch.tensor([0] * 90 + [2] * 8 + [5] * 2)
    generator = torch.Generator().manual_seed(0)
    sampler = UniformClusterSampler(assignments, generator=generator)
    chosen = torch.tensor(list(sampler))
    assert len(chosen) == len(sampler) == 100
    counts = assignments[chosen].bincount(minlength=6)
    assert counts[[0, 2, 5]].tolist() == pytest.approx([33.3] * 3, abs=2)
    of_large = chosen[assignments[chosen] == 0]
    assert len(of_large.unique()) == len(of_large)  # without replacement where there are enough
    assert not torch.equal(torch.tensor(list(sampler)), chosen)
    again = UniformClusterSampler(assignments, generator=torch.Generator().manual_seed(0))
    assert list(again) == chosen.tolist()
    assert len(list(UniformClusterSampler(assignments, length=7))) == 7


@pytest.mark.parametrize("case", oracle.cases("nmi", CASES))
def test_agreement_as_in_the_paper(case):
    def run(a, b):
        return {"geometric": normalized_mutual_information(a, b)}

    oracle.assert_matches(case, run, ["geometric"])


def test_agreement_by_its_definition():
    generator = torch.Generator().manual_seed(0)
    a = torch.randint(3, (200,), generator=generator)
    b = torch.where(torch.rand(200, generator=generator) < 0.7, a, 2 * a + 1)
    joint = torch.zeros(3, 6).double()
    joint.index_put_((a, b), torch.full((200,), 1 / 200).double(), accumulate=True)
    p, q = joint.sum(1), joint.sum(0)
    outer = p[:, None] * q
    mutual = (joint * (joint / outer).log()).nansum()
    entropies = [-(x * x.log()).nansum() for x in (p, q)]
    want = mutual / (entropies[0] * entropies[1]).sqrt()
    assert normalized_mutual_information(a, b) == pytest.approx(want.item())
    assert normalized_mutual_information(a, (a + 1) % 3) == pytest.approx(1)


def test_labels_of_both_methods():
    x, labels = blobs()
    for found in (
        clusterfit_labels(100 * torch.rand(len(x), 1) * x, 4, seed=3),  # lengths do not count
        deepcluster_labels(x, 4, dims=3, seed=3),
    ):
        assert found.bincount(minlength=4).min() > 0
        assert normalized_mutual_information(found, labels) > 0.7


def test_a_new_classifier():
    layer = nn.Linear(300, 200)
    reset_classifier(layer)
    assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert layer.bias.abs().max() == 0


def test_without_scikit_learn(monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "sklearn"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for call in (
        lambda: k_means(torch.rand(4, 2), 2),
        lambda: normalized_mutual_information(torch.arange(3), torch.arange(3)),
    ):
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'cvcourse\[lessons\]'"):
            call()


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: whiten(torch.zeros(3, 2), 3), "dims must be from 1 to 2, got 3"),
        (lambda: whiten(torch.zeros(3), 1), "features must have shape"),
        (lambda: k_means(torch.zeros(3, 2), 4), "clusters must be from 1 to 3 images, got 4"),
        (lambda: k_means(torch.zeros(3, 2), 2, iterations=0), "iterations must be at least 1"),
        (
            lambda: repair_empty_clusters(torch.zeros(3, 2), torch.tensor([0, 1, 7]), 3),
            "assignments must be from 0 to 2, got 7",
        ),
        (
            lambda: repair_empty_clusters(torch.zeros(3, 2), torch.tensor([0, 1]), 3),
            r"assignments must be \(3,\)",
        ),
        (lambda: UniformClusterSampler(torch.zeros(0).long()), "assignments must be"),
        (lambda: UniformClusterSampler(torch.zeros(2).long(), length=0), "length must be"),
        (
            lambda: normalized_mutual_information(torch.arange(3), torch.arange(4)),
            "first and second must be",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
