from functools import partial

import pytest
import torch
from torch import nn

from cvcourse.models.backbones.frozen_batch_norm import FrozenBatchNorm2d
from cvcourse.models.backbones.resnet import BasicBlock, ResNet, ResNetFeatures, resnet18, resnet50
from tests.models import golden

TINY = {"block": BasicBlock, "depths": (1, 1, 1), "width": 8}


@pytest.mark.parametrize("build", [resnet18, resnet50])
def test_equals_torchvision(build):
    golden.assert_classifier_is_golden(build(), build.__name__)


@pytest.mark.parametrize(("build", "count"), [(resnet18, 11_689_512), (resnet50, 25_557_032)])
def test_published_parameter_counts(build, count):
    with torch.device("meta"):
        assert golden.parameter_count(build()) == count


def test_a_classifier_loads_into_the_frozen_trunk():
    classifier = resnet18().eval()
    trunk = ResNetFeatures(block=BasicBlock, depths=(2, 2, 2, 2), norm=FrozenBatchNorm2d)
    state = {k: v for k, v in classifier.state_dict().items() if not k.startswith("fc.")}
    trunk.load_state_dict(state, strict=True)
    x = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(trunk(x)[-1], classifier.features(x)[-1])


def test_small_trunk_has_strides_4_8_16():
    trunk = ResNetFeatures(**TINY, norm=partial(nn.GroupNorm, 4))
    maps = trunk(torch.rand(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [(2, 8, 16, 24), (2, 16, 8, 12), (2, 32, 4, 6)]
    assert trunk.out_channels == [8, 16, 32]


def test_dilation_keeps_the_resolution():
    trunk = ResNetFeatures(depths=(1, 1, 2, 2), width=4, dilate=(False, True, True))
    maps = trunk(torch.rand(1, 3, 64, 64))
    assert [m.shape[-1] for m in maps] == [16, 8, 8, 8]
    dilations = [
        block.conv2.dilation[0] for stage in (trunk.layer3, trunk.layer4) for block in stage
    ]
    assert dilations == [1, 2, 2, 4]


def test_one_step_of_training_lowers_the_loss():
    model, x, target = ResNet(5, **TINY), torch.rand(8, 3, 32, 32), torch.arange(8) % 5
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
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
    model, x = ResNet(5, **TINY).eval(), torch.rand(2, 3, 32, 32)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.as_user
def test_dilate_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match=r"dilate: expected one value .* \(2\), got \(True,\)"):
        ResNetFeatures(**TINY, dilate=(True,))
