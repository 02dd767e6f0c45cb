"""Inputs on a GPU give what they give on the CPU, by the plain path."""

import pytest
import torch

from cvcourse import losses
from tests.losses.examples import LOSSES, MINERS, MODULES, convert, leaves

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")


def to_cuda(value):
    if isinstance(value, (tuple, list)):
        return type(value)(to_cuda(v) for v in value)
    return value.detach().cuda() if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_same_value_and_gradient_as_on_the_cpu(name):
    inputs, results = LOSSES[name](), []
    for args in (inputs, to_cuda(inputs)):
        args = convert(args, lambda x: x.requires_grad_())
        value = getattr(losses, name)(*args)
        gradients = torch.autograd.grad(value.sum(), leaves(args), allow_unused=True)
        results.append([value, *gradients])
    torch.testing.assert_close(*results, check_device=False, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(MINERS.keys() - {"mine_distance_weighted"}))
def test_miners_find_the_same_as_on_the_cpu(name):
    inputs = MINERS[name]()
    got, want = (getattr(losses, name)(*args) for args in (to_cuda(inputs), inputs))
    torch.testing.assert_close(got, want, check_device=False)


def test_distance_weighted_draws_on_the_gpu():
    embeddings, labels = to_cuda(MINERS["mine_distance_weighted"]())
    generator = torch.Generator("cuda").manual_seed(0)
    anchors, positives, negatives = losses.mine_distance_weighted(
        embeddings, labels, generator=generator
    )
    assert len(anchors)
    assert (labels[anchors] == labels[positives]).all()
    assert (labels[anchors] != labels[negatives]).all()


def test_feature_extractor():
    extractor, images = MODULES["FeatureExtractor"](), torch.rand(1, 3, 8, 8)
    want = extractor(images)
    torch.testing.assert_close(extractor.cuda()(images.cuda()), want, check_device=False)
