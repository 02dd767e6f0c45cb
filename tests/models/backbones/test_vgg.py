import pytest
import torch
from torch import nn

from cvcourse.models.backbones.vgg import (
    PUBLISHED_NAMES,
    VGG,
    VGG19_STAGES,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg_features,
    vgg_layers,
)
from tests.models import golden

TINY = {"stages": ((4,), (8,)), "hidden": 16}


def test_equals_torchvision():
    golden.assert_classifier_is_golden(vgg16(), "vgg16")


@pytest.mark.parametrize(("build", "count"), [(vgg16, 138_357_544), (vgg16_bn, 138_365_992)])
def test_published_parameter_counts(build, count):
    with torch.device("meta"):
        assert golden.parameter_count(build()) == count


def test_one_step_of_training_lowers_the_loss():
    model, x, target = VGG(3, **TINY, dropout=0.0), torch.rand(6, 3, 32, 32), torch.arange(6) % 3
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    losses = []
    for _ in range(2):
        loss = nn.functional.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


@pytest.mark.as_user
def test_exports_and_compiles():
    model, x = VGG(3, **TINY).eval(), torch.rand(2, 3, 40, 32)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)


def test_vgg19_count_and_names_of_layers():
    with torch.device("meta"):
        model = vgg19(pool=nn.AvgPool2d)
    assert golden.parameter_count(model) == 143_667_240
    kinds = {"conv": nn.Conv2d, "relu": nn.ReLU, "pool": nn.AvgPool2d}
    layers = vgg_layers(VGG19_STAGES)
    assert len(layers) == len(model.features)
    for name, index in layers.items():
        assert isinstance(model.features[int(index)], kinds[name[:4]]), name
    assert layers["relu4_2"] == "22"
    assert {n: layers[n] for n in PUBLISHED_NAMES} == PUBLISHED_NAMES
    with torch.device("meta"):
        normed = vgg_features(batch_norm=True)
    for name, index in vgg_layers(batch_norm=True).items():
        kind = {**kinds, "pool": nn.MaxPool2d}[name[:4]]
        assert isinstance(normed[int(index)], kind), name
