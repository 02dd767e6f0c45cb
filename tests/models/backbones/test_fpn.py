import pytest
import torch
from torch import nn

from cvcourse.models.backbones.fpn import FeaturePyramidNetwork, LastLevelP6P7, ResNetFPN
from cvcourse.models.backbones.frozen_batch_norm import FrozenBatchNorm2d
from cvcourse.models.backbones.resnet import BasicBlock
from tests.models import golden

SMALL = {"block": BasicBlock, "width": 8, "out_channels": 6, "norm": nn.BatchNorm2d}


def test_one_pixel_by_hand():
    """Identity 1×1, identity 3×3: each level is its own map plus those above it, enlarged."""
    pyramid = FeaturePyramidNetwork([1, 1], out_channels=1)
    for block in pyramid.inner_blocks:
        nn.init.ones_(block[0].weight)
    for block in pyramid.layer_blocks:
        nn.init.dirac_(block[0].weight)
    fine, coarse = torch.arange(6.0).view(1, 1, 2, 3), torch.tensor([10.0, 20.0]).view(1, 1, 1, 2)
    levels = pyramid([fine, coarse])
    assert torch.equal(levels["1"], coarse)
    assert torch.equal(levels["0"], fine + torch.tensor([10.0, 10.0, 20.0]))


def test_default_backbone_has_five_levels_of_256_channels():
    with torch.device("meta"):
        levels = ResNetFPN()(torch.empty(1, 3, 128, 160))
    shapes = {name: tuple(level.shape[1:]) for name, level in levels.items()}
    assert shapes == {
        "0": (256, 32, 40),
        "1": (256, 16, 20),
        "2": (256, 8, 10),
        "3": (256, 4, 5),
        "pool": (256, 2, 3),
    }


@pytest.mark.parametrize(
    ("extra", "names"),
    [(None, ["0", "1"]), (LastLevelP6P7(6, 6), ["0", "1", "p6", "p7"])],
)
def test_levels_are_a_choice(extra, names):
    backbone = ResNetFPN(**SMALL, depths=(1, 1, 1), levels=(2, 3), extra_levels=extra)
    assert list(backbone(torch.rand(1, 3, 50, 70))) == names


def test_p6_reads_c5_where_channels_differ():
    extra = LastLevelP6P7(8, 6)
    p6 = extra([torch.rand(1, 6, 4, 4)], [torch.rand(1, 8, 4, 4)])["p6"]
    assert p6.shape == (1, 6, 2, 2)


def test_stages_after_the_last_level_are_left_out():
    assert not hasattr(ResNetFPN(**SMALL, depths=(1, 1, 1, 1), levels=(1, 2)).body, "layer3")


@pytest.mark.parametrize("trainable", range(6))
def test_trainable_layers_count_from_the_top(trainable):
    backbone = ResNetFPN(depths=(1, 1, 1, 1), trainable_layers=trainable, norm=nn.BatchNorm2d)
    order = ["layer4", "layer3", "layer2", "layer1", "stem"]
    trained = {
        name.split(".")[0] if name.startswith("layer") else "stem"
        for name, p in backbone.body.named_parameters()
        if p.requires_grad
    }
    assert trained == set(order[:trainable])
    assert all(p.requires_grad for p in backbone.fpn.parameters())


def test_default_norm_is_frozen():
    with torch.device("meta"):
        backbone = ResNetFPN()
    assert isinstance(backbone.body.bn1, FrozenBatchNorm2d)
    assert golden.parameter_count(backbone.body) == 25_557_032 - 2_049_000 - 53_120


def test_names_of_old_checkpoints_are_understood():
    backbone = ResNetFPN(**SMALL, depths=(1, 1), levels=(1, 2))
    state = backbone.state_dict()
    old = {
        k.replace(".0.weight", ".weight").replace(".0.bias", ".bias")
        if k.startswith("fpn.")
        else k: v
        for k, v in state.items()
    }
    assert "fpn.inner_blocks.1.bias" in old
    other = ResNetFPN(**SMALL, depths=(1, 1), levels=(1, 2))
    other.load_state_dict(old, strict=True)
    assert all(torch.equal(v, state[k]) for k, v in other.state_dict().items())


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trainable_layers": 6}, r"trainable_layers: expected 0 to 5 .*, got 6"),
        ({"levels": (0, 1)}, r"levels: expected ascending stages from 1 to 4, got \(0, 1\)"),
        ({"levels": (3, 2)}, r"levels"),
        ({"levels": ()}, r"levels"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ResNetFPN(**options)


@pytest.mark.as_user
def test_exports_and_compiles():
    backbone = ResNetFPN(**SMALL, depths=(1, 1), levels=(1, 2)).eval()
    x = torch.rand(1, 3, 32, 48)
    expected = backbone(x)
    exported = torch.export.export(backbone, (x,)).module()(x)
    compiled = torch.compile(backbone, fullgraph=True, backend="aot_eager")(x)
    for name, level in expected.items():
        torch.testing.assert_close(exported[name], level)
        torch.testing.assert_close(compiled[name], level)
