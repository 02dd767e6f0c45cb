import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import recall_at_k
from tests import oracle


@pytest.mark.parametrize("case", oracle.cases("recall_at_k"))
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_oracle(case, metric):
    def both(embeddings, labels, ks):
        dropping = recall_at_k(embeddings, labels, ks, metric=metric)
        matchable = (labels[:, None] == labels).sum(1) > 1
        return {"drop": dropping, "strict": dropping * matchable.double().mean()}

    oracle.assert_matches(case, both, keys=["drop", "strict"])


def naive(query, labels, ks, gallery=None, gallery_labels=None, metric="cosine"):
    leave_one_out = gallery is None
    if leave_one_out:
        gallery, gallery_labels = query, labels
    hits = []
    for i, (q, label) in enumerate(zip(query, labels, strict=True)):
        ranking = []
        for j, (g, other) in enumerate(zip(gallery, gallery_labels, strict=True)):
            if leave_one_out and i == j:
                continue
            near = F.cosine_similarity(q, g, dim=0) if metric == "cosine" else -(q - g).norm()
            ranking.append((-near.item(), bool(other == label)))  # of equals, the wrong class first
        flags = [match for _, match in sorted(ranking)]
        if any(flags):
            hits.append([any(flags[:k]) for k in ks])
    return torch.tensor(hits).double().mean(0)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_naive_loop(metric, chunk):
    embeddings, labels = torch.randn(30, 4, dtype=torch.float64), torch.randint(8, (30,))
    ks = (1, 2, 5, 29)
    got = recall_at_k(embeddings, labels, ks, metric=metric, chunk=chunk)
    torch.testing.assert_close(got, naive(embeddings, labels, ks, metric=metric))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_naive_loop_with_gallery(metric):
    query, gallery = torch.randn(12, 4, dtype=torch.float64), torch.randn(20, 4).double()
    labels, gallery_labels = torch.randint(8, (12,)), torch.randint(6, (20,))
    options = {"gallery": gallery, "gallery_labels": gallery_labels, "metric": metric}
    got = recall_at_k(query, labels, (1, 3, 100), **options, chunk=5)
    torch.testing.assert_close(got, naive(query, labels, (1, 3, 100), **options))


def test_query_in_its_own_gallery_is_found():
    embeddings, labels = torch.randn(6, 3), torch.arange(6)
    options = {"gallery": embeddings, "gallery_labels": labels}
    assert recall_at_k(embeddings, labels, **options) == 1


def test_collapsed_embeddings_score_zero():
    labels = torch.tensor([0, 0, 1, 1])
    assert recall_at_k(torch.ones(4, 3), labels, (1, 2)).tolist() == [0, 0]
    assert recall_at_k(torch.ones(4, 3), labels, (3,)).tolist() == [1]


def test_separate_classes_score_one():
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    assert recall_at_k(torch.eye(3)[labels], labels, (1, 4)).tolist() == [1, 1]


def test_one_class():
    assert recall_at_k(torch.randn(5, 2), torch.zeros(5).long()) == 1


def test_query_without_a_match_is_left_out():
    labels = torch.tensor([0, 0, 1])
    assert recall_at_k(torch.eye(3), labels, (2,)) == 1
    assert recall_at_k(torch.randn(4, 2), torch.arange(4), (1, 2)).isnan().all()


def test_empty_is_nan():
    none = torch.zeros(0, dtype=torch.int64)
    assert recall_at_k(torch.zeros(0, 4), none, (1, 2)).isnan().all()
    options = {"gallery": torch.zeros(0, 4), "gallery_labels": none}
    assert recall_at_k(torch.randn(3, 4), torch.arange(3), **options).isnan().all()


def test_near_neighbours_of_long_vectors():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(64) // 2
    centres = 1e4 + torch.randn(32, 8, generator=generator)
    embeddings = centres[labels] + 1e-2 * torch.randn(64, 8, generator=generator)
    assert recall_at_k(embeddings, labels, metric="euclidean") == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_and_autocast(dtype):
    embeddings, labels = torch.randn(40, 8).to(dtype), torch.randint(5, (40,))
    want = recall_at_k(embeddings.float(), labels, (1, 4))
    assert torch.equal(recall_at_k(embeddings, labels, (1, 4)), want)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(recall_at_k(embeddings.float(), labels, (1, 4)), want)


@given(st.integers(0, 2**32), st.integers(2, 12))
def test_grows_with_k_and_sees_only_who_is_nearest(seed, items):
    torch.manual_seed(seed)
    embeddings, labels = torch.randn(items, 3, dtype=torch.float64), torch.randint(3, (items,))
    value = recall_at_k(embeddings, labels, range(1, items))
    if not value.isnan().any():
        assert (value.diff() >= 0).all()
        assert value[-1] == 1
    order = torch.randperm(items)
    again = recall_at_k(3 * embeddings[order], labels[order] + 7, range(1, items))
    torch.testing.assert_close(value, again, equal_nan=True)


@pytest.mark.as_user
class TestBadInput:
    embeddings, labels = torch.randn(5, 3), torch.arange(5)

    @pytest.mark.parametrize("ks", [(), (0,), (1, 2.5)], ids=str)
    def test_ks(self, ks):
        with pytest.raises(ValueError, match="ks must hold one or more integers"):
            recall_at_k(self.embeddings, self.labels, ks)

    def test_shapes(self):
        with pytest.raises(ValueError, match="embeddings must be"):
            recall_at_k(self.embeddings, self.labels[:4])
        with pytest.raises(ValueError, match="embeddings must be"):
            recall_at_k(self.embeddings[0], self.labels)
        with pytest.raises(ValueError, match="gallery must have 3 dims, got 2"):
            recall_at_k(
                self.embeddings,
                self.labels,
                gallery=torch.rand(4, 2),
                gallery_labels=torch.arange(4),
            )

    def test_half_a_gallery(self):
        with pytest.raises(ValueError, match="given together"):
            recall_at_k(self.embeddings, self.labels, gallery=self.embeddings)
        with pytest.raises(ValueError, match="given together"):
            recall_at_k(self.embeddings, self.labels, gallery_labels=self.labels)

    @pytest.mark.parametrize("bad", [torch.nan, torch.inf])
    def test_not_finite(self, bad):
        with pytest.raises(ValueError, match="embeddings must be finite"):
            recall_at_k(torch.full((5, 3), bad), self.labels)

    def test_options(self):
        with pytest.raises(ValueError, match="metric must be one of 'cosine', 'euclidean'"):
            recall_at_k(self.embeddings, self.labels, metric="dot")
        with pytest.raises(ValueError, match="chunk must be an integer >= 1"):
            recall_at_k(self.embeddings, self.labels, chunk=0)
        with pytest.raises(ValueError, match="embeddings must be floating point"):
            recall_at_k(self.embeddings.long(), self.labels)
