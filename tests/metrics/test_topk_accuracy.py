import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import topk_accuracy
from cvcourse.metrics.topk_accuracy import ROWS, _ranks, _ranks_in_cache
from tests import oracle


@pytest.mark.parametrize("case", oracle.cases("topk_accuracy"))
def test_oracle(case):
    oracle.assert_matches(case, topk_accuracy)


@pytest.mark.parametrize("case", oracle.cases("topk_accuracy/macro"))
def test_oracle_macro(case):
    def mean_over_classes(preds, target, topk):
        """torchmetrics counts a class without samples as 0 where k = 1 and it is a first guess."""
        of_class = [topk_accuracy(preds[target == c], target[target == c], topk) for c in range(6)]
        accuracy = torch.stack(of_class)  # (classes, ks), nan without samples
        guessed = preds.argmax(1).unique()
        accuracy[guessed, 0] = accuracy[guessed, 0].nan_to_num(0)
        return accuracy.nanmean(0)

    oracle.assert_matches(case, mean_over_classes)


def naive(preds, target, topk):
    hits = []
    for scores, t in zip(preds.tolist(), target.tolist(), strict=True):
        order = sorted(range(len(scores)), key=lambda c: (-scores[c], c))
        hits.append([order.index(t) < k for k in topk])
    return torch.tensor(hits).float().mean(0)


@pytest.mark.parametrize("topk", [(1,), (1, 3), (5, 2), [4]], ids=str)
@pytest.mark.parametrize("levels", [3, 10**6], ids=["many ties", "no ties"])
def test_naive_loop(topk, levels):
    preds = torch.randint(levels, (ROWS + 40, 7)).float()
    target = torch.randint(7, (ROWS + 40,))
    torch.testing.assert_close(topk_accuracy(preds, target, topk), naive(preds, target, topk))


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("levels", [4, 10**6], ids=["many ties", "no ties"])
def test_fast_path_equals_the_definition(k, levels):
    preds = torch.randint(levels, (2 * ROWS + 3, 9)).float()
    preds[::7, 2] = torch.nan
    preds[::5, 4] = torch.inf
    preds[::11] = -torch.inf
    target = torch.randint(9, (len(preds),))
    fast, plain = _ranks_in_cache(preds, target, k), _ranks(preds, target)
    assert torch.equal(fast.clamp_max(k), plain.clamp_max(k))


def test_equal_scores_go_to_the_lower_class():
    preds = torch.zeros(4, 4)
    target = torch.arange(4)
    assert topk_accuracy(preds, target, (1, 2, 4)).tolist() == [0.25, 0.5, 1]


def test_nan_scores_never_count_as_a_hit():
    preds = torch.full((2, 3), torch.nan)
    assert topk_accuracy(preds, torch.tensor([0, 2]), (1, 2, 3, 9)).tolist() == [0, 0, 0, 0]
    preds = torch.tensor([[torch.nan, 2, 1]])
    assert topk_accuracy(preds, torch.tensor([1]), (1, 2)).tolist() == [0, 1]


def test_k_above_the_number_of_classes():
    assert topk_accuracy(torch.rand(5, 3), torch.tensor([0, 1, 2, 0, 1]), (3, 4, 99)).eq(1).all()


def test_ignore_index():
    preds, target = torch.rand(30, 5), torch.randint(5, (30,))
    want = topk_accuracy(preds[10:], target[10:], (1, 2))
    target[:10] = 255
    assert torch.equal(topk_accuracy(preds, target, (1, 2), ignore_index=255), want)


def test_empty_and_all_ignored_are_nan():
    none = torch.zeros(0, dtype=torch.int64)
    for topk in ((1,), (1, 2)):
        assert topk_accuracy(torch.zeros(0, 3), none, topk).isnan().all()
        target = torch.full((4,), -100)
        assert topk_accuracy(torch.rand(4, 3), target, topk, ignore_index=-100).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_dtypes(dtype):
    preds, target = torch.randn(50, 6).to(dtype), torch.randint(6, (50,))
    assert torch.equal(topk_accuracy(preds, target, (1, 3)), naive(preds.double(), target, (1, 3)))


def test_uint8_labels():
    preds, target = torch.randn(50, 6), torch.randint(6, (50,))
    assert torch.equal(topk_accuracy(preds, target.to(torch.uint8)), topk_accuracy(preds, target))


@given(st.integers(0, 2**32), st.integers(1, 8), st.integers(1, 6))
def test_grows_with_k_and_sees_only_the_order(seed, samples, classes):
    generator = torch.Generator().manual_seed(seed)
    preds = torch.randint(5, (samples, classes), generator=generator).double()
    target = torch.randint(classes, (samples,), generator=generator)
    value = topk_accuracy(preds, target, range(1, classes + 1))
    assert (value.diff() >= 0).all()
    assert value[-1] == 1
    assert torch.equal(value, topk_accuracy(preds.exp(), target, range(1, classes + 1)))


@pytest.mark.as_user
class TestBadInput:
    preds, target = torch.rand(4, 3), torch.tensor([0, 1, 2, 0])

    @pytest.mark.parametrize("bad", [-1, 3, 1000])
    def test_label_out_of_range(self, bad):
        with pytest.raises(ValueError, match=r"target must lie in \[0, 2\]"):
            topk_accuracy(self.preds, torch.tensor([0, 1, 2, bad]))

    @pytest.mark.parametrize("topk", [(), (0,), (1, -1), (1.5,)], ids=str)
    def test_topk(self, topk):
        with pytest.raises(ValueError, match="topk must hold one or more integers"):
            topk_accuracy(self.preds, self.target, topk)

    def test_shapes(self):
        with pytest.raises(ValueError, match="preds must be"):
            topk_accuracy(self.preds, self.target[:3])
        with pytest.raises(ValueError, match="preds must be"):
            topk_accuracy(self.preds[None], self.target)

    def test_dtypes(self):
        with pytest.raises(ValueError, match="preds must be floating point"):
            topk_accuracy(self.preds.long(), self.target)
        with pytest.raises(ValueError, match="target must hold integer labels"):
            topk_accuracy(self.preds, self.target.float())
