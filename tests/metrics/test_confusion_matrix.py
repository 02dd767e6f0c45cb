import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import confusion_matrix
from tests import oracle


@pytest.mark.parametrize("case", oracle.cases("confusion_matrix"))
def test_oracle(case):
    oracle.assert_matches(case, confusion_matrix)


def naive(preds, target, num_classes, ignore_index=None):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for p, t in zip(preds.flatten().tolist(), target.flatten().tolist(), strict=True):
        if t != ignore_index:
            matrix[t, p] += 1
    return matrix


@pytest.mark.parametrize("ignore_index", [None, 255, -100, 2], ids=str)
@pytest.mark.parametrize("num_classes", [4, 200], ids=["16-bit codes", "64-bit codes"])
def test_naive_loop(num_classes, ignore_index):
    preds = torch.randint(num_classes, (2, 9, 11))
    target = torch.randint(num_classes, (2, 9, 11))
    if ignore_index is not None:
        target[0, :4] = ignore_index
    matrix = confusion_matrix(preds, target, num_classes, ignore_index=ignore_index)
    assert torch.equal(matrix, naive(preds, target, num_classes, ignore_index))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32], ids=str)
def test_any_integer_dtype(dtype):
    preds, target = torch.randint(21, (2, 500))
    matrix = confusion_matrix(preds.to(dtype), target.to(dtype), 21)
    assert torch.equal(matrix, naive(preds, target, 21))


def test_uint8_with_as_many_classes_as_it_holds():
    labels = torch.arange(256, dtype=torch.uint8)
    matrix = confusion_matrix(labels, labels, 256, ignore_index=255)
    assert torch.equal(matrix.diagonal(), (torch.arange(256) < 255).long())


def test_masks_are_two_classes():
    preds, target = torch.rand(2, 50) < 0.4
    assert torch.equal(confusion_matrix(preds, target, 2), naive(preds.int(), target.int(), 2))
    ignoring = confusion_matrix(preds, target, 2, ignore_index=0)
    assert torch.equal(ignoring, naive(preds.int(), target.int(), 2, ignore_index=0))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=40))
def test_matrices_of_parts_add_up(pairs):
    preds, target = torch.tensor(pairs).T
    whole = confusion_matrix(preds, target, 5)
    parts = [confusion_matrix(p, t, 5) for p, t in zip(preds, target, strict=True)]
    assert torch.equal(whole, sum(parts))
    assert torch.equal(whole.T, confusion_matrix(target, preds, 5))


@pytest.mark.parametrize("shape", [(0,), (0, 4, 4), (2, 0)])
def test_empty_is_zero(shape):
    empty = torch.zeros(shape, dtype=torch.int64)
    assert torch.equal(confusion_matrix(empty, empty, 3), torch.zeros(3, 3, dtype=torch.int64))


def test_all_ignored_is_zero():
    labels = torch.full((3, 4), 255)
    assert confusion_matrix(labels, labels, 3, ignore_index=255).sum() == 0


def test_prediction_under_an_ignored_target_is_not_looked_at():
    preds, target = torch.tensor([0, 77, -5]), torch.tensor([0, 9, 9])
    matrix = confusion_matrix(preds, target, 2, ignore_index=9)
    assert matrix.tolist() == [[1, 0], [0, 0]]


@pytest.mark.as_user
class TestBadInput:
    labels = torch.tensor([0, 1, 2])

    @pytest.mark.parametrize("bad", [-1, 3, 255, 2**31 + 1, 65536, -(2**40)])
    def test_label_out_of_range(self, bad):
        wrong = torch.tensor([0, 1, bad])
        with pytest.raises(ValueError, match=r"target must lie in \[0, 2\]"):
            confusion_matrix(self.labels, wrong, 3)
        with pytest.raises(ValueError, match=r"preds must lie in \[0, 2\]"):
            confusion_matrix(wrong, self.labels, 3)

    def test_shapes(self):
        with pytest.raises(ValueError, match="preds and target must have the same shape"):
            confusion_matrix(self.labels, self.labels[:2], 3)

    def test_scores_instead_of_labels(self):
        with pytest.raises(ValueError, match="preds must hold integer labels"):
            confusion_matrix(self.labels.float(), self.labels, 3)

    def test_no_classes(self):
        with pytest.raises(ValueError, match="num_classes"):
            confusion_matrix(self.labels, self.labels, 0)
