import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.metrics import endpoint_error, flow_outlier_rate
from tests import oracle


@pytest.mark.parametrize("case", oracle.cases("endpoint_error"))
def test_oracle(case):
    def both(pred, target, valid=None):
        return {
            "mean": endpoint_error(pred, target, valid),
            "none": endpoint_error(pred, target, valid, reduction="none"),
        }

    oracle.assert_matches(case, both)


def flows(*shape, scale=4.0):
    pred, target = scale * torch.randn(2, *shape, dtype=torch.float64)
    return pred, target, torch.rand(shape[0], *shape[2:]) < 0.7


def naive(pred, target, valid):
    """(error, length of the target) of each valid pixel."""
    return [
        (
            math.dist(pred[b, :, y, x].tolist(), target[b, :, y, x].tolist()),
            math.hypot(*target[b, :, y, x].tolist()),
        )
        for b, y, x in valid.nonzero().tolist()
    ]


@pytest.mark.parametrize("masked", [True, False])
def test_naive_loop(masked):
    pred, target, valid = flows(2, 2, 5, 6)
    pixels = naive(pred, target, valid if masked else torch.ones_like(valid))
    valid = valid if masked else None
    mean = sum(e for e, _ in pixels) / len(pixels)
    assert endpoint_error(pred, target, valid) == pytest.approx(mean)
    for k, relative in [(3.0, 0.05), (1, 0), (5, 0.5), (0, 1)]:
        rate = sum(e > k and e > relative * length for e, length in pixels) / len(pixels)
        got = flow_outlier_rate(pred, target, valid, pixels=k, relative=relative)
        assert got == pytest.approx(rate)


def test_outlier_needs_both_more_than_3_pixels_and_5_percent():
    target = torch.tensor([[100.0, 100, 10, 10], [0, 0, 0, 0]]).view(1, 2, 1, 4)
    pred = target + torch.tensor([4.0, 6, 2, 4]).view(1, 1, 1, 4) * torch.tensor([1, 0]).view(
        1, 2, 1, 1
    )
    valid = torch.ones(1, 1, 4, dtype=torch.bool)
    each = [valid & (torch.arange(4) == i) for i in range(4)]
    assert [flow_outlier_rate(pred, target, v).item() for v in each] == [0, 1, 0, 1]
    assert flow_outlier_rate(pred, target, relative=0) == 0.75


def test_exactly_at_the_threshold_is_no_outlier():
    target = torch.zeros(1, 2, 1, 1)
    pred = target + torch.tensor([3.0, 0]).view(1, 2, 1, 1)
    assert flow_outlier_rate(pred, target) == 0


def test_identical_is_zero_with_zero_gradient():
    target = torch.randn(1, 2, 3, 3)
    assert endpoint_error(target, target) == 0
    assert flow_outlier_rate(target, target) == 0
    pred = target.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(endpoint_error(pred, target), pred)
    assert gradient.eq(0).all()


def test_what_is_not_valid_does_not_matter():
    pred, target, valid = flows(2, 2, 4, 4)
    want = endpoint_error(pred, target, valid)
    rate = flow_outlier_rate(pred, target, valid)
    hidden = ~valid[:, None].expand_as(target)
    for garbage in (torch.nan, torch.inf, 1e9):
        target[hidden] = garbage
        pred = pred.detach().requires_grad_()
        got = endpoint_error(pred, target, valid)
        assert got == want
        assert flow_outlier_rate(pred, target, valid) == rate
        (gradient,) = torch.autograd.grad(got, pred)
        assert gradient[hidden].eq(0).all()
        assert gradient.isfinite().all()
        error = endpoint_error(pred, target, valid, reduction="none")
        assert torch.equal(error.isnan(), ~valid)


def test_nan_prediction_is_an_outlier_and_a_nan_error():
    pred, target, _ = flows(1, 2, 2, 2, scale=0.1)
    pred[0, 0, 0, 0] = torch.nan
    assert flow_outlier_rate(pred, target) == 0.25
    assert endpoint_error(pred, target).isnan()


def test_empty_and_nothing_valid_are_nan():
    pred, target, valid = flows(2, 2, 3, 3)
    assert endpoint_error(pred, target, torch.zeros_like(valid)).isnan()
    assert flow_outlier_rate(pred, target, torch.zeros_like(valid)).isnan()
    assert endpoint_error(pred[:0], target[:0]).isnan()
    assert flow_outlier_rate(pred[:0], target[:0]).isnan()


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_gradcheck(reduction):
    pred, target, valid = flows(2, 2, 3, 3)
    pred.requires_grad_()

    def error(x):
        return endpoint_error(x, target, valid, reduction=reduction).nan_to_num(0)

    assert torch.autograd.gradcheck(error, pred)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype):
    pred, target, valid = (x.to(dtype) if x.is_floating_point() else x for x in flows(2, 2, 5, 5))
    pred = pred * 100  # its square is beyond float16
    value = endpoint_error(pred, target, valid)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, endpoint_error(pred.float(), target.float(), valid))
    rate = flow_outlier_rate(pred, target, valid)
    assert rate == flow_outlier_rate(pred.float(), target.float(), valid)


def test_autocast():
    pred, target, valid = flows(2, 2, 5, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = endpoint_error(pred, target, valid)
    assert value == endpoint_error(pred, target, valid)


@given(st.integers(0, 2**32), st.floats(-3.14, 3.14))
def test_rotation_changes_nothing(seed, angle):
    torch.manual_seed(seed)
    pred, target, valid = flows(1, 2, 3, 4)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned = [torch.einsum("ij,bjhw->bihw", turn.double(), f) for f in (pred, target)]
    torch.testing.assert_close(
        endpoint_error(*turned, valid), endpoint_error(pred, target, valid), equal_nan=True
    )


@pytest.mark.as_user
@pytest.mark.parametrize("metric", [endpoint_error, flow_outlier_rate])
class TestBadInput:
    flow = torch.rand(1, 2, 4, 5)

    def test_shapes(self, metric):
        with pytest.raises(ValueError, match="must have the same shape"):
            metric(self.flow, self.flow[:, :, :3])
        channel_last = self.flow.permute(0, 2, 3, 1)
        with pytest.raises(ValueError, match=r"pred must be \(batch, 2, height, width\)"):
            metric(channel_last, channel_last)

    def test_integers(self, metric):
        with pytest.raises(ValueError, match="pred must be floating point"):
            metric(self.flow.long(), self.flow.long())

    def test_valid(self, metric):
        for valid in (torch.ones(1, 4, 5), torch.ones(1, 1, 4, 5).bool()):
            with pytest.raises(ValueError, match=r"valid must be bool of shape \(1, 4, 5\)"):
                metric(self.flow, self.flow, valid)


@pytest.mark.as_user
def test_reduction():
    flow = torch.rand(1, 2, 4, 5)
    with pytest.raises(ValueError, match="reduction must be one of 'mean', 'none'"):
        endpoint_error(flow, flow, reduction="sum")
