import pytest
import torch
from torch import nn

from cvcourse.models.detection.bifpn import BiFPN, BiFPNLayer, FusionNode
from tests.models import golden


def _maps(channels=(3, 5), size=16):
    return [torch.rand(2, c, size >> i, size >> i) for i, c in enumerate(channels)]


def test_published_parameter_counts():
    with torch.device("meta"):
        bifpn = BiFPN()
    layers = [golden.parameter_count(layer) for layer in bifpn.layers]
    assert layers == [97_747, 38_931, 38_931]
    assert golden.parameter_count(bifpn.extra_lateral) == 20_672
    assert golden.parameter_count(bifpn) == 196_281


def test_edges_of_five_levels():
    layer = BiFPNLayer([8] * 5, 8, nn.BatchNorm2d)
    edges = [len(node.weight) for node in [*layer.down, *layer.up]]
    assert edges == [2, 2, 2, 2, 3, 3, 3, 2]
    assert sum(edges) == 19


def test_p4_and_p5_have_two_laterals_p3_one():
    layer = BiFPNLayer([40, 112, 320, 64, 64], 64, nn.BatchNorm2d)
    projected = [not isinstance(m, nn.Identity) for m in layer.down_laterals]
    again = [not isinstance(m, nn.Identity) for m in layer.up_laterals]
    assert (projected, again) == ([True, True, True, False, False], [True, True, False, False])


@pytest.mark.parametrize("raw", [[1.0, 1.0], [2.0, -3.0, 6.0], [-1.0, -1.0], [1e-6, 0.0]])
def test_fusion_weights_are_not_negative_and_sum_to_less_than_one(raw):
    node = FusionNode(len(raw), 4, nn.BatchNorm2d)
    node.weight.data = torch.tensor(raw)
    weights = node.fusion_weights()
    assert (weights >= 0).all()
    assert weights.sum() < 1
    expected = torch.tensor(raw).clamp(min=0) / (torch.tensor(raw).clamp(min=0).sum() + 1e-4)
    torch.testing.assert_close(weights, expected)


def test_fusion_by_hand():
    node = FusionNode(2, 1, norm=lambda channels: nn.Identity())
    node.conv = nn.Identity()
    node.weight.data = torch.tensor([3.0, 1.0])
    a, b = torch.rand(1, 1, 2, 2), torch.rand(1, 1, 2, 2)
    mean = (3 * a + b) / 4.0001
    torch.testing.assert_close(node([a, b]), mean * mean.sigmoid())


def test_one_round_level_by_level():
    """The graph of the paper, edge by edge."""
    layer = BiFPNLayer([4, 4, 4], 4, nn.BatchNorm2d).eval()
    p3, p4, p5 = _maps((4, 4, 4))
    up, pool = nn.Upsample(scale_factor=2), nn.MaxPool2d(3, 2, padding=1)
    td4 = layer.down[1]([p4, up(p5)])
    out3 = layer.down[0]([p3, up(td4)])
    out4 = layer.up[0]([p4, td4, pool(out3)])
    out5 = layer.up[1]([p5, pool(out4)])
    for ours, expected in zip(layer([p3, p4, p5]), [out3, out4, out5], strict=True):
        torch.testing.assert_close(ours, expected)


def test_levels_and_odd_sizes():
    bifpn = BiFPN((3, 5), 4, layers=2, levels=4, norm=nn.BatchNorm2d)
    sizes = [(13, 9), (7, 5), (4, 3), (2, 2)]
    maps = bifpn([torch.rand(2, c, *size) for c, size in zip((3, 5), sizes, strict=False)])
    assert [tuple(m.shape) for m in maps.values()] == [(2, 4, *size) for size in sizes]
    assert list(maps) == ["0", "1", "2", "3"]


def test_every_parameter_gets_a_gradient():
    bifpn = BiFPN((3, 5), 4, layers=2, levels=3, norm=nn.BatchNorm2d)
    sum(m.square().sum() for m in bifpn(_maps()).values()).backward()
    assert all(p.grad is not None for p in bifpn.parameters())


@pytest.mark.as_user
def test_exports_and_compiles():
    bifpn, maps = BiFPN((3, 5), 4, layers=1, levels=3).eval(), _maps()
    expected = bifpn(maps)
    exported = torch.export.export(bifpn, (maps,)).module()(maps)
    compiled = torch.compile(bifpn, fullgraph=True, backend="aot_eager")(maps)
    for name, level in expected.items():
        torch.testing.assert_close(exported[name], level)
        torch.testing.assert_close(compiled[name], level)


@pytest.mark.as_user
@pytest.mark.parametrize("options", [{"levels": 2}, {"layers": 0}])
def test_bad_arguments_are_named(options):
    with pytest.raises(ValueError, match="levels, layers: expected levels >= 3"):
        BiFPN(**options)
