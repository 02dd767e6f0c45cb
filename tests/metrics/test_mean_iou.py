import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import confusion_matrix, mean_iou
from tests import oracle


def with_absent_as_zero(preds, target, num_classes, average="macro", ignore_index=None):
    iou = mean_iou(preds, target, num_classes, average=average, ignore_index=ignore_index)
    return iou.nan_to_num(0) if average == "none" else iou


@pytest.mark.parametrize("case", oracle.cases("mean_iou"))
def test_oracle_torchmetrics(case):
    oracle.assert_matches(case, with_absent_as_zero)


@pytest.mark.parametrize("case", oracle.cases("mean_iou/per_image"))
def test_oracle_torchmetrics_per_image(case):
    def per_image(preds, target, num_classes):
        pairs = zip(preds, target, strict=True)
        return torch.stack([mean_iou(p, t, num_classes) for p, t in pairs])

    oracle.assert_matches(case, per_image)


@pytest.mark.parametrize("case", oracle.cases("mean_iou/kornia"))
def test_oracle_kornia(case):
    def per_image_and_class(preds, target, num_classes, eps):
        pairs = zip(preds, target, strict=True)
        iou = torch.stack([mean_iou(p, t, num_classes, average="none") for p, t in pairs])
        return iou.nan_to_num(1)  # absent classes are perfect in kornia; eps is below the tolerance

    oracle.assert_matches(case, per_image_and_class)


def naive(preds, target, num_classes, ignore_index=None):
    values = []
    keep = target != ignore_index if ignore_index is not None else torch.ones_like(target).bool()
    for c in range(num_classes):
        if c == ignore_index:
            values.append(float("nan"))
            continue
        p, t = (preds == c) & keep, (target == c) & keep
        union = (p | t).sum().item()
        values.append((p & t).sum().item() / union if union else float("nan"))
    return torch.tensor(values)


@pytest.mark.parametrize("ignore_index", [None, 255, 1], ids=str)
def test_naive_loop(ignore_index):
    preds, target = torch.randint(5, (2, 3, 8, 8))
    if ignore_index is not None:
        target[0] = ignore_index
    want = naive(preds, target, 7, ignore_index)
    options = {"num_classes": 7, "ignore_index": ignore_index}
    got = mean_iou(preds, target, average="none", **options)
    torch.testing.assert_close(got, want, equal_nan=True)
    torch.testing.assert_close(mean_iou(preds, target, **options), want.nanmean())


def test_an_ignored_class_is_absent_even_where_it_is_predicted():
    preds, target = torch.tensor([0, 1, 1, 2, 2, 2]), torch.tensor([0, 0, 1, 2, 1, 2])
    iou = mean_iou(preds, target, 3, average="none", ignore_index=1)
    torch.testing.assert_close(iou, torch.tensor([1 / 2, torch.nan, 1.0]), equal_nan=True)
    assert mean_iou(preds, target, 3, ignore_index=1) == 0.75
    assert mean_iou(preds, target, 3, average="micro", ignore_index=1) == 3 / 4
    torch.testing.assert_close(
        mean_iou(preds, target, 3, average="weighted", ignore_index=1), torch.tensor(3 / 4)
    )


@pytest.mark.parametrize("ignore_index", [None, 255, 2], ids=str)
@pytest.mark.parametrize("average", ["macro", "micro", "weighted", "none"])
def test_of_a_matrix_summed_over_batches(average, ignore_index):
    preds, target = torch.randint(4, (2, 6, 8, 8))
    if ignore_index is not None:
        target[:, :2] = ignore_index
    options = {"average": average, "ignore_index": ignore_index}
    halves = [slice(0, 2), slice(2, 6)]
    matrix = sum(
        confusion_matrix(preds[h], target[h], 4, ignore_index=ignore_index) for h in halves
    )
    want = mean_iou(preds, target, 4, **options)
    torch.testing.assert_close(mean_iou(matrix, **options), want, equal_nan=True)
    if ignore_index == 2:  # as well if the matrix was counted with that label
        matrix = confusion_matrix(preds, target, 4)
        torch.testing.assert_close(mean_iou(matrix, **options), want, equal_nan=True)


def test_absent_class_is_nan_and_left_out():
    preds, target = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])
    assert mean_iou(preds, target, 3, average="none").isnan().tolist() == [False, False, True]
    assert mean_iou(preds, target, 3) == mean_iou(preds, target, 2) == 0.5


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_nothing_valid_is_nan(average):
    labels = torch.full((4, 4), 255)
    assert mean_iou(labels, labels, 3, average=average, ignore_index=255).isnan()
    empty = torch.zeros(0, dtype=torch.int64)
    assert mean_iou(empty, empty, 3, average=average).isnan()


def test_one_class():
    labels = torch.zeros(3, 3, dtype=torch.int64)
    assert mean_iou(labels, labels, 1) == 1


@given(st.integers(0, 2**32), st.permutations(range(4)))
def test_renaming_classes_changes_nothing(seed, order):
    generator = torch.Generator().manual_seed(seed)
    preds, target = torch.randint(4, (2, 30), generator=generator)
    order = torch.tensor(order)
    torch.testing.assert_close(mean_iou(order[preds], order[target], 4), mean_iou(preds, target, 4))
    assert 0 <= mean_iou(preds, target, 4) <= 1
    assert mean_iou(target, target, 4) == 1


@pytest.mark.as_user
class TestBadInput:
    labels = torch.tensor([[0, 1, 1]])

    def test_average(self):
        with pytest.raises(ValueError, match="average must be one of 'macro'"):
            mean_iou(self.labels, self.labels, 2, average="mean")

    def test_num_classes_is_missing(self):
        with pytest.raises(ValueError, match="num_classes must be given"):
            mean_iou(self.labels, self.labels)

    def test_label_out_of_range(self):
        with pytest.raises(ValueError, match="target must lie in"):
            mean_iou(self.labels, self.labels + 1, 2)

    def test_matrix_is_not_square(self):
        with pytest.raises(ValueError, match="preds without target must be a square"):
            mean_iou(self.labels)

    def test_matrix_with_num_classes(self):
        with pytest.raises(ValueError, match="num_classes must be given with target only"):
            mean_iou(torch.eye(2, dtype=torch.int64), num_classes=2)
