"""The three errors of depth: what each says, and what they have in common."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_percentage_error

from cvcourse.metrics import absolute_relative_error, delta_accuracy, scale_invariant_log_error

METRICS = [absolute_relative_error, delta_accuracy, scale_invariant_log_error]
ALL = pytest.mark.parametrize("metric", METRICS, ids=lambda f: f.__name__)


def maps(*shape):
    pred, target = 1 + 4 * torch.rand(2, *shape, dtype=torch.float64)
    return pred, target, torch.rand(shape) < 0.7


def test_relative_error_is_that_of_scikit_learn():
    pred, target, valid = maps(3, 5, 6)
    of_each = [
        mean_absolute_percentage_error(t[v], p[v])
        for p, t, v in zip(pred, target, valid, strict=True)
    ]
    got = absolute_relative_error(pred, target, valid, reduction="none")
    assert got.tolist() == pytest.approx(of_each)
    assert absolute_relative_error(pred, target, valid).item() == pytest.approx(np.mean(of_each))


def test_relative_error_by_hand():
    pred, target = torch.tensor([[2.0, 3.0]]), torch.tensor([[4.0, 2.0]])
    assert absolute_relative_error(pred, target) == 0.5  # (2/4 + 1/2) / 2


@pytest.mark.parametrize("forgiven", [0.0, 0.5, 1.0])
def test_log_error_is_eigens_equation(forgiven):
    pred, target, valid = maps(3, 5, 6)
    for i, value in enumerate(
        scale_invariant_log_error(pred, target, valid, forgiven=forgiven, reduction="none")
    ):
        d = np.log(pred[i][valid[i]].numpy()) - np.log(target[i][valid[i]].numpy())
        n = len(d)
        wanted = (d**2).sum() / n - forgiven * d.sum() ** 2 / n**2
        assert value.item() == pytest.approx(math.sqrt(wanted))


def test_log_error_is_numpys_standard_deviation_and_forgives_a_factor():
    pred, target, _ = maps(1, 40)
    wanted = np.std(np.log((pred / target).numpy()))
    assert scale_invariant_log_error(pred, target).item() == pytest.approx(wanted)
    assert scale_invariant_log_error(7 * pred, target).item() == pytest.approx(wanted)
    assert scale_invariant_log_error(7 * target, target, forgiven=0).item() == pytest.approx(
        math.log(7)
    )


def test_log_error_keeps_its_digits_where_a_factor_is_large():
    target = 1 + torch.rand(1, 1000)
    pred = 1e4 * target * torch.exp(1e-3 * torch.randn(1, 1000))
    wanted = np.std(np.log(pred.double().numpy() / target.double().numpy()))
    assert scale_invariant_log_error(pred, target).item() == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("threshold", [1.05, 1.25, 1.25**2])
def test_delta_by_a_loop(threshold):
    pred, target, valid = maps(2, 4, 5)
    shares = []
    for i in range(2):
        pairs = zip(pred[i][valid[i]].tolist(), target[i][valid[i]].tolist(), strict=True)
        right = [max(p / t, t / p) < threshold for p, t in pairs]
        shares.append(sum(right) / len(right))
    got = delta_accuracy(pred, target, valid, threshold=threshold, reduction="none")
    assert got.tolist() == pytest.approx(shares)


def test_delta_at_its_threshold_and_for_impossible_depths():
    target = torch.full((1, 6), 4.0)
    pred = torch.tensor([[5.0, 4.9, 3.2, 0.0, -4.0, torch.nan]])
    assert delta_accuracy(pred, target) == pytest.approx(1 / 6)  # 5 / 4 and 4 / 3.2 are 1.25


@ALL
def test_each_picture_counts_alike(metric):
    pred, target, valid = maps(3, 4, 4)
    valid[0] = False
    valid[0, 0, 0] = True
    each = metric(pred, target, valid, reduction="none")
    assert metric(pred, target, valid) == each.mean()


@ALL
def test_what_is_not_valid_does_not_matter(metric):
    pred, target, valid = maps(2, 4, 4)
    want = metric(pred, target, valid)
    for garbage in (torch.nan, torch.inf, 0.0, -1.0):
        target[~valid] = garbage
        pred = pred.detach().masked_fill(~valid, garbage).requires_grad_()
        got = metric(pred, target, valid)
        assert got == want
        if metric is not delta_accuracy:
            (gradient,) = torch.autograd.grad(got, pred)
            assert gradient[~valid].eq(0).all()
            assert gradient.isfinite().all()


@ALL
def test_a_picture_without_a_valid_pixel_is_left_out_and_none_is_nan(metric):
    pred, target, valid = maps(2, 3, 3)
    valid[1] = False
    each = metric(pred, target, valid, reduction="none")
    assert each[1].isnan()
    assert metric(pred, target, valid) == each[0]
    assert metric(pred, target, torch.zeros_like(valid)).isnan()
    assert metric(pred[:0], target[:0]).isnan()


@pytest.mark.parametrize("metric", [absolute_relative_error, scale_invariant_log_error])
def test_a_prediction_of_nan_is_not_hidden(metric):
    pred, target, _ = maps(2, 3, 3)
    pred[0, 0, 0] = torch.nan
    assert metric(pred, target).isnan()


@pytest.mark.parametrize("metric", [absolute_relative_error, scale_invariant_log_error])
def test_gradcheck(metric):
    pred, target, valid = maps(2, 3, 3)
    assert torch.autograd.gradcheck(lambda x: metric(x, target, valid), pred.requires_grad_())


def test_exact_depth_has_error_zero_with_zero_gradient():
    target = 1 + torch.rand(2, 3, 3)
    pred = target.clone().requires_grad_()
    assert delta_accuracy(pred, target) == 1
    for metric in (absolute_relative_error, scale_invariant_log_error):
        error = metric(pred, target)
        assert error == 0
        assert torch.autograd.grad(error, pred)[0].eq(0).all()


@ALL
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(metric, dtype):
    pred, target, valid = (x.to(dtype) if x.is_floating_point() else x for x in maps(2, 5, 5))
    value = metric(pred, target, valid)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, metric(pred.float(), target.float(), valid))


@pytest.mark.as_user
@ALL
def test_refuses(metric):
    pred, target, valid = maps(2, 3, 3)
    with pytest.raises(ValueError, match="must have the same shape"):
        metric(pred, target[:1])
    with pytest.raises(ValueError, match="pred must be floating point"):
        metric(pred.long(), target)
    with pytest.raises(ValueError, match="pred must have a batch dimension"):
        metric(pred[0, 0], target[0, 0])
    with pytest.raises(ValueError, match="valid must be bool of shape"):
        metric(pred, target, valid[0])
    with pytest.raises(ValueError, match="reduction must be one of"):
        metric(pred, target, reduction="sum")


def test_refuses_settings_without_a_meaning():
    pred, target, _ = maps(2, 3)
    with pytest.raises(ValueError, match="threshold must be above 1"):
        delta_accuracy(pred, target, threshold=1.0)
    with pytest.raises(ValueError, match=r"forgiven must lie in \[0, 1\]"):
        scale_invariant_log_error(pred, target, forgiven=2.0)
