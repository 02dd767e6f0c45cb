import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import multiscale_epe_loss
from cvcourse.metrics import endpoint_error
from tests import oracle


@pytest.mark.parametrize("case", oracle.cases("multiscale_epe", "video/cases_flow.json"))
def test_the_well_known_port(case):
    want, inputs = case["expected"], case["inputs"]
    flows = [flow.clone().requires_grad_() for flow in inputs["outputs"]]
    loss = multiscale_epe_loss(flows, inputs["target"], weights=case["params"]["weights"])
    loss.backward()
    torch.testing.assert_close(loss, want["value"], atol=case["atol"], rtol=0)
    for i, flow in enumerate(flows):
        torch.testing.assert_close(flow.grad, want[f"grad_{i}"], atol=case["atol"], rtol=0)
    whole = F.interpolate(flows[0], inputs["target"].shape[2:], mode="bilinear")
    real = endpoint_error(whole, inputs["target"])
    torch.testing.assert_close(real, want["real_epe"], atol=case["atol"], rtol=0)


def test_by_hand():
    target = torch.zeros(2, 2, 4, 4)
    flow = torch.tensor([3.0, 4.0])[None, :, None, None].expand(2, 2, 2, 2)
    assert multiscale_epe_loss([flow], target, weights=[0.5]) == 0.5 * 4 * 5
    assert multiscale_epe_loss([flow], target, weights=[0.5], reduction="mean") == 0.5 * 5
    paper = multiscale_epe_loss([flow] * 5, target)
    assert paper.item() == pytest.approx((0.005 + 0.01 + 0.02 + 0.08 + 0.32) * 20)


def test_only_what_is_known_is_averaged():
    target = torch.zeros(1, 2, 4, 4)
    target[:, 0] = torch.tensor([[8.0, torch.nan], [torch.nan, torch.nan]]).repeat(2, 2)
    valid = ~target[:, 0].isnan()
    valid[:, :, 2:] = False  # the right half has nothing
    flow = torch.zeros(1, 2, 2, 2, requires_grad=True)
    loss = multiscale_epe_loss([flow], target, valid, weights=[1.0], reduction="mean")
    loss.backward()
    assert loss == 8
    assert flow.grad[0, 0].tolist() == [[-0.5, 0], [-0.5, 0]]
    assert multiscale_epe_loss([flow], target, valid, weights=[1.0]) == 16


def test_right_flow_has_no_gradient():
    target = torch.rand(1, 2, 4, 6)
    flow = F.avg_pool2d(target, 2).requires_grad_()
    multiscale_epe_loss([flow], target).backward()
    assert torch.equal(flow.grad, torch.zeros_like(flow))


def test_gradcheck():
    flows = torch.rand(2, 1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    target = torch.rand(1, 2, 4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f, t: multiscale_epe_loss([*f], t), (flows, target))


@pytest.mark.as_user
def test_bad_input():
    target, flow = torch.rand(1, 2, 4, 6), torch.rand(1, 2, 2, 3)
    with pytest.raises(ValueError, match="flows must be 1 to 5, as many as weights, got 0"):
        multiscale_epe_loss([], target)
    with pytest.raises(ValueError, match=r"flows\[1\] must have shape \(1, 2, height, width\)"):
        multiscale_epe_loss([flow, flow[:, :1]], target)
    with pytest.raises(ValueError, match=r"target must have shape \(B, 2, H, W\)"):
        multiscale_epe_loss([flow], target[:, :1])
    with pytest.raises(ValueError, match="valid must be bool of shape"):
        multiscale_epe_loss([flow], target, torch.ones(1, 4, 6))
    with pytest.raises(ValueError, match="reduction must be one of"):
        multiscale_epe_loss([flow], target, reduction="none")
