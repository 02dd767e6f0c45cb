import pytest
import torch
from torch import nn

from cvcourse.models.backbones.efficientnet import (
    EfficientNet,
    EfficientNetFeatures,
    MBConv,
    SqueezeExcitation,
    Stage,
    efficientnet_b,
    scale_channels,
)
from tests import oracle
from tests.models import golden

TINY = {"stages": (Stage(1, 3, 1, 8, 1), Stage(4, 3, 2, 16, 2), Stage(4, 5, 2, 24, 2))}


@pytest.mark.parametrize(
    ("variant", "count"),
    list(enumerate([5288548, 7794184, 9109994, 12233232, 19341616, 30389784, 43040704, 66347960])),
)
def test_published_parameter_counts(variant, count):
    with torch.device("meta"):
        assert golden.parameter_count(efficientnet_b(variant)) == count


def test_names_and_shapes_are_torchvisions():
    with torch.device("meta"):
        state = efficientnet_b(0).state_dict()
    expected = {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.0.1.running_var": (32,),
        "features.1.0.block.0.0.weight": (32, 1, 3, 3),
        "features.1.0.block.1.fc1.bias": (8,),
        "features.1.0.block.2.1.bias": (16,),
        "features.2.1.block.0.0.weight": (144, 24, 1, 1),
        "features.5.2.block.3.0.weight": (112, 672, 1, 1),
        "features.7.0.block.2.fc2.weight": (1152, 48, 1, 1),
        "features.8.0.weight": (1280, 320, 1, 1),
        "classifier.1.weight": (1000, 1280),
    }
    assert {name: tuple(state[name].shape) for name in expected} == expected
    assert len(state) == 360


def test_equals_torchvision():
    """Three logits of torchvision 0.28.0's efficientnet_b0 for the formula weights, gain 2."""
    model = oracle.fill_(efficientnet_b(0), 2.0).double().eval()
    with torch.no_grad():
        logits = model(oracle.formula_batch((2, 3, 64, 80)).double())
    expected = [
        [0.29125982635027364, -0.41795518732993286, 0.04043737209596582],
        [0.31406953152683487, -0.4066613754613998, 0.03264205181606478],
    ]
    torch.testing.assert_close(logits[:, :3], logits.new_tensor(expected), rtol=1e-10, atol=0)


@pytest.mark.parametrize(
    ("channels", "factor", "scaled"), [(32, 1.1, 32), (24, 1.1, 24), (40, 1.1, 48), (8, 0.1, 8)]
)
def test_scale_channels(channels, factor, scaled):
    assert scale_channels(channels, factor) == scaled


def test_squeeze_excitation_scales_channels():
    layer = SqueezeExcitation(4, 2)
    nn.init.zeros_(layer.fc2.weight)
    layer.fc2.bias.data = torch.tensor([100.0, 0.0, -100.0, 0.0])
    x = torch.rand(2, 4, 3, 3)
    expected = x * torch.tensor([1.0, 0.5, 0.0, 0.5]).view(4, 1, 1)
    torch.testing.assert_close(layer(x), expected)


def test_drop_path_drops_whole_pictures_and_keeps_the_mean():
    block = MBConv(8, Stage(1, 3, 1, 8, 1), drop_path=0.75, norm=nn.BatchNorm2d)
    block.block.eval()
    x = torch.rand(1, 8, 4, 4).expand(400, -1, -1, -1)
    branch = block(x) - x
    full = 4 * block.block(x[:1])
    dropped = branch.flatten(1).abs().amax(1) < 1e-6
    assert 0.65 < dropped.float().mean() < 0.85
    torch.testing.assert_close(branch[~dropped], full.expand(int((~dropped).sum()), -1, -1, -1))
    block.eval()
    torch.testing.assert_close(block(x[:1]), block.block(x[:1]) + x[:1])


def test_later_blocks_are_dropped_more_often():
    """torchvision's stochastic depth: 0.2 times the share of the blocks that come before."""
    with torch.device("meta"):
        blocks = [block for block in EfficientNet().modules() if isinstance(block, MBConv)]
    assert [block.drop_path for block in blocks] == pytest.approx([0.2 * i / 16 for i in range(16)])


def test_trunk_gives_one_map_a_stride():
    with torch.device("meta"):
        trunk = EfficientNetFeatures()
        maps = trunk(torch.empty(1, 3, 64, 96))
    assert trunk.out_channels == [16, 24, 40, 112, 320] == [m.shape[1] for m in maps]
    assert [64 // m.shape[2] for m in maps] == [2, 4, 8, 16, 32]
    assert golden.parameter_count(trunk) == 3_595_388


def test_one_step_of_training_lowers_the_loss():
    model = EfficientNet(4, **TINY, dropout=0.0, drop_path=0.0)
    x, target = torch.rand(8, 3, 32, 32), torch.arange(8) % 4
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
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
    model, x = EfficientNet(4, **TINY).eval(), torch.rand(2, 3, 32, 32)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.as_user
def test_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="variant: expected 0 to 7, got 8"):
        efficientnet_b(8)
