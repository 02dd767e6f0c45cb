"""Half precision and autocast: computed and returned in float32, near the value in float64."""

import pytest
import torch

from cvcourse import losses
from tests.losses.examples import LOSSES, MINERS, MODULES, convert, leaves, tensors


def value_and_gradients(name, inputs):
    inputs = convert(inputs, lambda x: x.detach().clone().requires_grad_())
    value = getattr(losses, name)(*inputs)
    return value, torch.autograd.grad(value.sum(), leaves(inputs), allow_unused=True)


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(name, dtype):
    """Only the inputs are rounded, and the gradients at the end."""
    half = convert(LOSSES[name](), lambda x: x.to(dtype))
    value, gradients = value_and_gradients(name, half)
    want, wide = value_and_gradients(name, convert(half, lambda x: x.double()))
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), want, rtol=1e-5, atol=1e-5)
    digits = {torch.float16: 2e-3, torch.bfloat16: 2e-2}[dtype]
    for got, exact in zip(gradients, wide, strict=True):
        if got is not None:
            assert got.dtype == dtype
            torch.testing.assert_close(got.double(), exact, rtol=digits, atol=1e-4)


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_autocast(name, dtype):
    inputs = convert(LOSSES[name](), lambda x: x.to(dtype))
    want, _ = value_and_gradients(name, convert(inputs, lambda x: x.double()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, gradients = value_and_gradients(name, inputs)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), want, rtol=1e-5, atol=1e-5)
    assert all(g is None or g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("name", sorted(MINERS.keys() - {"mine_distance_weighted"}))
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_miners_find_the_same(name, dtype):
    inputs = convert(MINERS[name](), lambda x: x.to(dtype))
    want = getattr(losses, name)(*convert(inputs, lambda x: x.double()))
    torch.testing.assert_close(getattr(losses, name)(*inputs), want)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(getattr(losses, name)(*inputs), want)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_distance_weights(dtype):
    inputs = convert(MINERS["mine_distance_weighted"](), lambda x: x.to(dtype))
    wide = convert(inputs, lambda x: x.double())
    weights = losses.distance_weighted.distance_weights
    want = weights(*wide)
    torch.testing.assert_close(weights(*inputs).double(), want, rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(weights(*inputs).double(), want, rtol=1e-4, atol=1e-5)


def test_feature_extractor_under_autocast():
    extractor, images = MODULES["FeatureExtractor"](), torch.rand(1, 3, 8, 8)
    want = extractor(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = extractor(images)
    torch.testing.assert_close([f.float() for f in got], want, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", sorted([*LOSSES, *MINERS]))
def test_inputs_are_left_as_they_were(name):
    inputs = (LOSSES | MINERS)[name]()
    before = [x.clone() for x in tensors(inputs)]
    getattr(losses, name)(*inputs)
    torch.testing.assert_close(tensors(inputs), before, rtol=0, atol=0)
