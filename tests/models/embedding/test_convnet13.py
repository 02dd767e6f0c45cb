"""The semi-supervised network: its size, its normalisation, its noise."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.models import ConvNet13
from cvcourse.models.embedding.convnet13 import MeanOnlyLayer
from tests.models import golden

SMALL = {"widths": (4, 6, 8, 6, 4)}


def test_published_size():
    with torch.device("meta"):
        assert golden.parameter_count(ConvNet13()) == 3_121_812


def test_a_layer_is_a_normalised_convolution_without_the_batchs_mean():
    layer = MeanOnlyLayer(3, 5, 3, padding=1, momentum=0.9).double()
    nn.init.normal_(layer.g)
    nn.init.normal_(layer.b)
    x = torch.randn(4, 3, 6, 7).double()
    weight = torch.stack([g * v / v.norm() for g, v in zip(layer.g, layer.v, strict=True)])
    plain = F.conv2d(x, weight, padding=1)
    mean = plain.mean((0, 2, 3))
    out = layer(x)
    torch.testing.assert_close(out, plain - mean[:, None, None] + layer.b[:, None, None])
    torch.testing.assert_close(layer.mean, 0.1 * mean)
    torch.testing.assert_close(
        layer.eval()(x), plain - 0.1 * mean[:, None, None] + layer.b[:, None, None]
    )
    by_torch = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 5, 3, padding=1).double())
    with torch.no_grad():
        by_torch.parametrizations.weight.original0.copy_(layer.g[:, None, None, None])
        by_torch.parametrizations.weight.original1.copy_(layer.v)
        by_torch.bias.zero_()
    torch.testing.assert_close(by_torch(x), plain)


def test_initialised_from_data_each_layer_is_normal():
    torch.manual_seed(0)
    net = ConvNet13(3, **SMALL, momentum=0.0)
    images = torch.randn(8, 3, 16, 16)
    net.init_from_data_(images)
    outputs = golden.capture(net, [f"convs.{i}" for i in (0, 1, 2, 5, 10, 12)] + ["classifier"])
    for layer in net.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    net.noise = 0.0
    net(images)
    for name, x in outputs.items():
        variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-4, rtol=0, msg=name)
        torch.testing.assert_close(variance, torch.ones_like(mean), atol=1e-2, rtol=0, msg=name)


def test_noise_and_dropout_in_training_alone():
    net, images = ConvNet13(3, **SMALL), torch.randn(2, 3, 17, 22)
    assert not torch.equal(net(images), net(images))
    net.eval()
    assert torch.equal(net(images), net(images))
    assert net(images[:1]).shape == (1, 3)


def test_the_noise_has_the_authors_deviation():
    net, seen = ConvNet13(3, **SMALL), []
    net.convs[0].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    net(torch.zeros(2, 3, 60, 60))
    assert seen[0].std().item() == pytest.approx(0.15, rel=0.05)


def test_a_batch_of_one_is_its_own_mean():
    """A map of 1 × 1 less its mean is nothing: the classifier's shift alone is left."""
    net = ConvNet13(3, **SMALL)
    nn.init.normal_(net.classifier.b)
    torch.testing.assert_close(net(torch.randn(1, 3, 12, 12))[0], net.classifier.b)


def test_it_learns():
    torch.manual_seed(0)
    net = ConvNet13(2, **SMALL, dropout=0.0)
    images, labels = torch.randn(16, 3, 12, 12), torch.arange(16) % 2
    images[labels == 1, 0] += 1
    optimiser = torch.optim.Adam(net.init_from_data_(images).parameters(), 0.01)
    losses = []
    for _ in range(15):
        loss = F.cross_entropy(net(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="num_classes: expected at least 1, got 0"):
        ConvNet13(0)
    with pytest.raises(ValueError, match="images must be at least 12 pixels"):
        ConvNet13(3, **SMALL)(torch.zeros(1, 3, 11, 30))
