"""`torch.func`: gradients and batches of the metrics that serve as losses."""

import pytest
import torch

from cvcourse import metrics

IMAGES = torch.rand(2, 2, 3, 14, 15)
FLOWS = torch.randn(2, 2, 2, 4, 5)
FLOWS[1, :, :, 0, 0] = FLOWS[0, :, :, 0, 0]  # no error here, where a square root is steep
VALID = torch.rand(2, 4, 5) < 0.7
CALLS = {
    "ssim": (lambda x: metrics.ssim(x, IMAGES[1]), IMAGES[0]),
    "ssim, same": (lambda x: metrics.ssim(x, IMAGES[1], padding="same"), IMAGES[0]),
    "psnr": (lambda x: metrics.psnr(x, IMAGES[1]), IMAGES[0]),
    "endpoint_error": (lambda x: metrics.endpoint_error(x, FLOWS[1]), FLOWS[0]),
    "endpoint_error, valid": (lambda x: metrics.endpoint_error(x, FLOWS[1], VALID), FLOWS[0]),
}


def gradient_of(metric, x):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(metric(x), x)[0]


@pytest.mark.parametrize("name", sorted(CALLS))
def test_grad_jvp_and_vmap(name):
    metric, x = CALLS[name]
    want, direction = gradient_of(metric, x), torch.randn_like(x)
    torch.testing.assert_close(torch.func.grad(metric)(x), want)
    _, slope = torch.func.jvp(metric, (x,), (direction,))
    torch.testing.assert_close(slope, (want * direction).sum(), rtol=1e-4, atol=1e-5)
    several = torch.stack([x, x + 0.1])
    torch.testing.assert_close(
        torch.vmap(metric)(several), torch.stack([metric(y) for y in several])
    )
    got = torch.vmap(torch.func.grad(metric))(several)
    torch.testing.assert_close(got, torch.stack([gradient_of(metric, y) for y in several]))
