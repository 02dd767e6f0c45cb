import copy
import pickle

import pytest
import torch
from torch import nn

from cvcourse.losses import FeatureExtractor, perceptual_loss
from cvcourse.losses.feature_extractor import IMAGENET_MEAN, IMAGENET_STD
from cvcourse.models import resnet18, vgg16
from tests.losses.helpers import refuses
from tests.models import golden


def backbone():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(4),
        nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU(inplace=True)),
    )


def test_features_in_the_order_asked_for():
    network, images = backbone(), torch.rand(2, 3, 8, 8)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    network.eval()
    convolved = network[0]((images - mean) / std)
    last = network[3][0](network[2](convolved.clamp(min=0))).clamp(min=0)
    features = FeatureExtractor(network, ["3.1", "0"])(images)
    torch.testing.assert_close(features, [last, convolved])


def test_in_place_activations_do_not_corrupt_features():
    network, images = backbone().eval(), torch.rand(1, 3, 8, 8)
    (before,) = FeatureExtractor(network, ["0"])(images)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    assert (before < 0).any()
    torch.testing.assert_close(before, network[0]((images - mean) / std))


class AddsInPlace(nn.Module):
    """As our ResNet's blocks do: what its first layer gives is overwritten by plain arithmetic."""

    def __init__(self):
        super().__init__()
        self.first, self.idle = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.first(x).add_(100).view(-1).zero_()


def test_in_place_arithmetic_does_not_corrupt_features():
    network, images = AddsInPlace(), torch.rand(1, 3, 4, 4)
    extractor = FeatureExtractor(network, ["first"], mean=[0.0] * 3, std=[1.0] * 3)
    images.requires_grad_()
    (feature,) = extractor(images)
    torch.testing.assert_close(feature, network.first(images))
    (gradient,) = torch.autograd.grad(feature.sum(), images)
    torch.testing.assert_close(
        gradient, torch.autograd.grad(network.first(images).sum(), images)[0]
    )


@pytest.mark.parametrize("make", [resnet18, lambda: vgg16()], ids=["resnet18", "vgg16"])
def test_every_layer_of_our_networks_gives_what_it_gave(make):
    """Against the same layers listened to from outside, whose outputs are copied at once."""
    torch.manual_seed(0)
    network, images = make().eval(), torch.rand(1, 3, 32, 32)
    network = network.features if hasattr(network, "classifier") else network
    names = [n for n, module in network.named_modules() if n and not list(module.children())]
    seen = golden.capture(network, names)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        network((images - mean) / std)
        features = FeatureExtractor(network, names)(images)
    for name, feature in zip(names, features, strict=True):
        torch.testing.assert_close(
            feature, seen[name], msg=lambda text, name=name: f"{name}: {text}"
        )


def test_yours_is_left_as_it_was():
    network = backbone().train()
    FeatureExtractor(network, ["1"])
    assert network.training
    assert network[1].inplace
    assert all(p.requires_grad for p in network.parameters())


def test_frozen_and_in_evaluation_mode_inside_a_model_in_training():
    extractor = FeatureExtractor(backbone(), ["3"])
    nn.ModuleList([extractor]).train()
    assert not any(m.training for m in extractor.modules())
    assert not any(p.requires_grad for p in extractor.parameters())


def test_gradient_flows_to_the_pictures():
    extractor, images = FeatureExtractor(backbone(), ["1", "3"]), torch.rand(1, 3, 8, 8)
    targets = extractor(images)
    moved = (images + 0.1).requires_grad_()
    perceptual_loss(extractor(moved), targets).backward()
    assert moved.grad.abs().sum() > 0


def test_keeps_no_features_alive():
    extractor = FeatureExtractor(backbone(), ["1"])
    extractor(torch.rand(1, 3, 8, 8))
    assert not extractor._features


def test_copies_and_pickles_are_independent():
    extractor, images = FeatureExtractor(backbone(), ["1"]), torch.rand(1, 3, 8, 8)
    want = extractor(images)
    for twin in (copy.deepcopy(extractor), pickle.loads(pickle.dumps(extractor))):
        torch.testing.assert_close(twin(images), want)
        nn.init.zeros_(twin.backbone[0].weight)
    torch.testing.assert_close(extractor(images), want)


def test_other_channels():
    network = nn.Sequential(nn.Conv2d(1, 2, 1))
    extractor = FeatureExtractor(network, [""], mean=[0.5], std=[0.25])
    (got,) = extractor(torch.full((1, 1, 2, 2), 0.75))
    torch.testing.assert_close(got, network(torch.ones(1, 1, 2, 2)))


@pytest.mark.as_user
def test_bad_input():
    with refuses("layers"):
        FeatureExtractor(backbone(), ["relu1_1"])
    with refuses("layers"):
        FeatureExtractor(backbone(), [])
    with refuses("std"):
        FeatureExtractor(backbone(), ["0"], std=[1.0, 1.0, 0.0])
    with refuses("std"):
        FeatureExtractor(backbone(), ["0"], std=[1.0])
    with refuses("layers"):
        FeatureExtractor(AddsInPlace(), ["first", "idle"])(torch.rand(1, 3, 4, 4))
    with refuses("layers"):
        FeatureExtractor(nn.Sequential(nn.MaxPool2d(2, return_indices=True)), ["0"])(
            torch.rand(1, 3, 4, 4)
        )
    extractor = FeatureExtractor(backbone(), ["0"])
    with refuses("images"):
        extractor(torch.rand(3, 8, 8))
    with refuses("images"):
        extractor(torch.rand(1, 1, 8, 8))
    with refuses("images"):
        extractor(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
