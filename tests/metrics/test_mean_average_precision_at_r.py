import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import mean_average_precision_at_r, recall_at_k


def naive(query, labels, gallery=None, gallery_labels=None):
    leave_one_out = gallery is None
    if leave_one_out:
        gallery, gallery_labels = query, labels
    values = []
    for i, (q, label) in enumerate(zip(query, labels, strict=True)):
        others = [j for j in range(len(gallery)) if not (leave_one_out and i == j)]
        others.sort(key=lambda j: (q - gallery[j]).norm().item())
        flags = [bool(gallery_labels[j] == label) for j in others]
        r = sum(flags)
        if r:
            precisions = [sum(flags[: i + 1]) / (i + 1) for i in range(r) if flags[i]]
            values.append(sum(precisions) / r)
    return torch.tensor(values, dtype=torch.float64).mean()


@pytest.mark.parametrize("chunk", [1, 4, 1000])
def test_naive_loop(chunk):
    embeddings, labels = torch.randn(25, 3, dtype=torch.float64), torch.randint(6, (25,))
    got = mean_average_precision_at_r(embeddings, labels, metric="euclidean", chunk=chunk)
    torch.testing.assert_close(got, naive(embeddings, labels))


def test_naive_loop_with_gallery():
    query, gallery = torch.randn(9, 3, dtype=torch.float64), torch.randn(15, 3).double()
    labels, gallery_labels = torch.randint(5, (9,)), torch.randint(4, (15,))
    options = {"gallery": gallery, "gallery_labels": gallery_labels}
    got = mean_average_precision_at_r(query, labels, **options, metric="euclidean")
    torch.testing.assert_close(got, naive(query, labels, **options))


def test_by_hand():
    embeddings = torch.tensor([[0.0], [1], [2.1], [3.3]])
    labels = torch.tensor([0, 1, 0, 0])  # R is 2; neighbours by label: 100, -, 001 (3, 1, 0) ...
    #   query 0: order 1, 2, 3 -> miss, hit: (1/2) / 2      = 1/4
    #   query 2: order 1, 3, 0 -> miss, hit: (1/2) / 2      = 1/4
    #   query 3: order 2, 1, 0 -> hit, miss: (1/1) / 2      = 1/2; query 1 has no match
    got = mean_average_precision_at_r(embeddings, labels, metric="euclidean")
    assert got == pytest.approx(1 / 3)


def test_separate_classes_score_one():
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 2])
    assert mean_average_precision_at_r(torch.eye(3)[labels], labels) == 1


def test_one_class():
    assert mean_average_precision_at_r(torch.randn(5, 2), torch.zeros(5).long()) == 1


def test_no_match_and_empty_are_nan():
    assert mean_average_precision_at_r(torch.randn(4, 2), torch.arange(4)).isnan()
    none = torch.zeros(0, dtype=torch.int64)
    assert mean_average_precision_at_r(torch.zeros(0, 4), none).isnan()


def test_half_precision_and_autocast():
    embeddings, labels = torch.randn(40, 8).bfloat16(), torch.randint(5, (40,))
    want = mean_average_precision_at_r(embeddings.float(), labels)
    assert mean_average_precision_at_r(embeddings, labels) == want
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert mean_average_precision_at_r(embeddings.float(), labels) == want


@given(st.integers(0, 2**32), st.integers(1, 6))
def test_equals_recall_at_1_where_every_class_is_a_pair(seed, classes):
    torch.manual_seed(seed)
    embeddings, labels = torch.randn(2 * classes, 3), torch.arange(2 * classes) // 2
    value = mean_average_precision_at_r(embeddings, labels)
    torch.testing.assert_close(value, recall_at_k(embeddings, labels)[0])


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="embeddings must be"):
        mean_average_precision_at_r(torch.randn(5, 3), torch.arange(4))
    with pytest.raises(ValueError, match="metric must be one of"):
        mean_average_precision_at_r(torch.randn(5, 3), torch.arange(5), metric="l2")
