import math

import pytest
import torch

from cvcourse.losses import dice_loss, soft_dice_score
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
    refuses,
)

MODES = ["multiclass", "multilabel", "binary"]


@pytest.mark.parametrize("case", oracle.cases("dice_loss"))
def test_oracle_segmentation_models_pytorch(case):
    def adapter(logits, target, **options):
        return dice_loss(logits, target, average="all", **options)

    oracle.assert_matches(case, adapter)


@pytest.mark.parametrize("case", oracle.cases("dice_loss/kornia"))
def test_oracle_kornia(case):
    """kornia averages over images, and has a loss of 1 (without gradient) if all is ignored."""

    def adapter(logits, target, average, ignore_index=None):
        losses = [
            dice_loss(x[None], t[None], average=average, ignore_index=ignore_index)
            if (t != (math.nan if ignore_index is None else ignore_index)).any()
            else 1 + 0 * x.sum()
            for x, t in zip(logits, target, strict=True)
        ]
        return torch.stack(losses).mean()

    oracle.assert_matches(case, adapter)


def naive(p, t, average, smooth):
    """p and t: for each class a list of numbers."""
    sums = [
        (sum(a * b for a, b in zip(ps, ts, strict=True)), sum(ps) + sum(ts), sum(ts))
        for ps, ts in zip(p, t, strict=True)
    ]
    if average == "micro":
        sums = [tuple(map(sum, zip(*sums, strict=True)))]
    losses = [1 - (2 * i + 2 * smooth) / (both + 2 * smooth) for i, both, _ in sums]
    present = [loss for loss, (_, _, true) in zip(losses, sums, strict=True) if true]
    return sum(present) / max(1, len(sums) if average == "all" else len(present))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("average", ["macro", "all", "micro"])
@pytest.mark.parametrize("smooth", [0.0, 0.5])
@pytest.mark.parametrize("ignore_index", [None, 255, -100])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_naive_loop(mode, average, smooth, ignore_index, dtype):
    x = torch.randn(2, 4, 3, 2).to(dtype)
    shape = (2, 3, 2) if mode == "multiclass" else x.shape
    t = torch.randint(3 if mode == "multiclass" else 2, shape)  # class 3 is absent
    if mode == "multilabel":
        t[:, 3] = 0
    if ignore_index is not None:
        t[..., 0] = ignore_index
    keep = t != ignore_index if ignore_index is not None else torch.ones_like(t, dtype=torch.bool)
    p = x.softmax(1) if mode == "multiclass" else x.sigmoid()
    if mode == "binary":
        p, truth = [p[keep].tolist()], [t[keep].tolist()]
    elif mode == "multilabel":
        p = [p[:, c][keep[:, c]].tolist() for c in range(4)]
        truth = [t[:, c][keep[:, c]].tolist() for c in range(4)]
    else:
        p = [p[:, c][keep].tolist() for c in range(4)]
        truth = [(t[keep] == c).long().tolist() for c in range(4)]
    loss = dice_loss(x, t, mode, average, smooth, ignore_index)
    assert_close(loss, naive(p, truth, average, smooth), 1e-12 if dtype == torch.float64 else 1e-6)


@pytest.mark.parametrize("average", ["macro", "all", "micro"])
def test_gradcheck(average):
    t = torch.tensor([[0, 1, 255], [1, 1, 0]])
    gradcheck(lambda x: dice_loss(x, t, "multiclass", average, 0.1, 255), torch.randn(2, 3, 3))
    t = torch.tensor([[[0, 1, 255]], [[1, 1, 0]]])
    for mode in ("multilabel", "binary"):
        gradcheck(lambda x, m=mode: dice_loss(x, t, m, average, 0.1, 255), torch.randn(2, 1, 3))


def test_soft_dice_score():
    p, t = torch.rand(2, 3, 5).double(), torch.randint(2, (2, 3, 5))
    for c in range(3):
        want = 1 - naive([p[:, c].flatten().tolist()], [t[:, c].flatten().tolist()], "all", 0.3)
        assert_close(soft_dice_score(p, t, (0, 2), smooth=0.3)[c], want)
    assert_close(
        soft_dice_score(p, p > 0.5), soft_dice_score(p[None], (p > 0.5)[None], (0, 1, 2, 3))
    )
    gradcheck(lambda p: soft_dice_score(p, t, 1), p)
    nothing = torch.zeros(4, requires_grad=True)
    assert_zero_with_gradient(soft_dice_score(nothing, nothing.detach()), nothing)
    assert soft_dice_score(nothing, nothing, smooth=1.0) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("average", ["macro", "all", "micro"])
@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_all_ignored_and_empty(mode, average, smooth):
    for shape in ((2, 3, 4, 5), (0, 3, 4, 5), (2, 3, 0, 5), (0, 3)):
        x = torch.randn(shape, requires_grad=True)
        t = torch.full(shape[:1] + shape[2:] if mode == "multiclass" else shape, 255)
        if 0 not in shape:
            assert_zero_with_gradient(dice_loss(x, t, mode, average, smooth, 255), x)
        else:
            assert_zero_with_gradient(dice_loss(x, t, mode, average, smooth), x)


def test_absent_class_is_left_out_of_macro_and_counts_in_all():
    x, t = torch.randn(2, 4, 9), torch.randint(3, (2, 9))
    macro, everything = dice_loss(x, t), dice_loss(x, t, average="all")
    assert_close(everything, 0.75 * macro, atol=1e-6)


def test_false_positives_of_an_empty_image_cost_in_smoothed_micro_only():
    x, t = torch.ones(1, 1, 5, requires_grad=True), torch.zeros(1, 1, 5)
    for average in ("macro", "all"):
        assert_zero_with_gradient(dice_loss(x, t, "binary", average, smooth=1.0), x)
    loss = dice_loss(x, t, "binary", "micro", smooth=1.0)
    (gradient,) = torch.autograd.grad(loss, x)
    assert (gradient > 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_saturated(mode):
    t = torch.tensor([[[1, 0, 1, 1]]]) if mode != "multiclass" else torch.tensor([[0, 1, 1, 0]])
    x = torch.nn.functional.one_hot(t, 2).movedim(-1, 1) if mode == "multiclass" else t
    x = (1e4 * (2.0 * x - 1)).requires_grad_()
    assert_zero_with_gradient(dice_loss(x, t, mode), x)
    wrong = dice_loss(-x, t, mode)
    assert wrong == 1
    assert_finite_gradient(wrong, x)


def test_one_class_multiclass():
    x, t = torch.randn(2, 1, 4, requires_grad=True), torch.zeros(2, 4, dtype=torch.int64)
    assert_zero_with_gradient(dice_loss(x, t), x)


def test_sums_over_many_pixels_do_not_drift():
    """A million times 0.1, added one by one in float32, is 100,958."""
    n = 10**6
    x = torch.tensor([0.1, 0.9]).log().view(1, 2, 1).expand(1, 2, n)
    loss = dice_loss(x, torch.zeros(1, n, dtype=torch.uint8))
    assert_close(loss, 1 - 2 * 0.1 / 1.1, atol=1e-6)


def test_nan_stays_nan():
    x = torch.zeros(1, 2, 3)
    x[0, 0, 0] = math.nan
    assert dice_loss(x, torch.tensor([[0, 1, 1]])).isnan()


def test_property_binary_is_multilabel_of_one_class():
    x, t = torch.randn(3, 1, 4, 5), torch.randint(2, (3, 1, 4, 5))
    assert dice_loss(x, t, "binary") == dice_loss(x, t, "multilabel")
    assert dice_loss(x[:, 0], t[:, 0], "binary") == dice_loss(x, t, "binary")


@pytest.mark.as_user
def test_bad_input():
    x, t = torch.zeros(2, 3, 4), torch.zeros(2, 4, dtype=torch.int64)
    with refuses("mode"):
        dice_loss(x, t, "multi")
    with refuses("average"):
        dice_loss(x, t, average="none")
    with refuses("smooth"):
        dice_loss(x, t, smooth=-1)
    with refuses("eps"):
        dice_loss(x, t, eps=0)
    with refuses("logits"):
        dice_loss(x.long(), t)
    with refuses("logits"):
        dice_loss(x.long(), x, "multilabel")
    with refuses("logits"):
        dice_loss(x[0, 0], x[0, 0], "multilabel")
    with refuses("target"):
        dice_loss(x, x)
    with refuses("target"):
        dice_loss(x, t.float())
    with refuses("target"):
        dice_loss(x, t, "multilabel")
    for label, ignore_index in ((3, None), (-1, None), (255, -100)):
        with refuses("target"):
            dice_loss(x, t + label, ignore_index=ignore_index)
        with refuses("target"):
            dice_loss(x, x + label, "multilabel", ignore_index=ignore_index)
    with refuses("probabilities"):
        soft_dice_score(x.long(), x)
    with refuses("target"):
        soft_dice_score(x, t)
    with refuses("smooth"):
        soft_dice_score(x, x, smooth=-1)
    with refuses("eps"):
        soft_dice_score(x, x, eps=-1)
