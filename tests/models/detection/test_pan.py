import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.models.detection.pan import PathAggregationNetwork
from tests.models import golden


def _maps(size=16):
    return [torch.rand(2, c, size >> i, size >> i) for i, c in enumerate((3, 5, 7))]


def test_parameters_of_the_papers_pyramid():
    """Six 3×3 convolutions of 256 channels more than the pyramid's 3,344,384."""
    with torch.device("meta"):
        network = PathAggregationNetwork([256, 512, 1024, 2048])
    assert golden.parameter_count(network.fpn) == 3_344_384
    assert golden.parameter_count(network) == 3_344_384 + 6 * (256 * 256 * 9 + 256)


def test_one_pixel_by_hand():
    """Identity 1×1 and 3×3: sums on the way down, every second pixel on the way back."""
    network = PathAggregationNetwork([1, 1], out_channels=1)
    nn.init.ones_(network.fpn.inner_blocks[0][0].weight)
    nn.init.ones_(network.fpn.inner_blocks[1][0].weight)
    for block in [*network.fpn.layer_blocks, *network.down, *network.fuse]:
        nn.init.dirac_(block[0].weight)
        nn.init.zeros_(block[0].bias)
    fine = torch.arange(8.0).view(1, 1, 2, 4)
    levels = network([fine, torch.tensor([10.0, -20.0]).view(1, 1, 1, 2)])
    summed = fine + torch.tensor([10.0, 10.0, -20.0, -20.0])
    assert torch.equal(levels["0"], summed)
    expected = torch.tensor([10.0 + 10.0, 0.0])  # -20 + relu(-18) is cut off by the last ReLU
    assert torch.equal(levels["1"].flatten(), expected)


def test_level_by_level():
    network = PathAggregationNetwork([3, 5, 7], 4)
    maps = _maps()
    n = list(network.fpn(maps).values())
    for i in (1, 2):
        down, fuse = network.down[i - 1][0], network.fuse[i - 1][0]
        lower = F.conv2d(n[i - 1], down.weight, down.bias, stride=2, padding=1).relu()
        n[i] = F.conv2d(n[i] + lower, fuse.weight, fuse.bias, padding=1).relu()
    for ours, expected in zip(network(maps).values(), n, strict=True):
        torch.testing.assert_close(ours, expected)


def test_odd_sizes_and_names():
    network = PathAggregationNetwork([3, 5], 4, norm=nn.BatchNorm2d)
    levels = network([torch.rand(2, 3, 13, 9), torch.rand(2, 5, 7, 5)])
    assert {name: tuple(m.shape) for name, m in levels.items()} == {
        "0": (2, 4, 13, 9),
        "1": (2, 4, 7, 5),
    }


def test_fine_maps_reach_coarse_levels_as_they_do_not_in_a_pyramid():
    network, maps = PathAggregationNetwork([3, 5, 7], 4), _maps()
    maps[0].requires_grad_()
    (silent,) = torch.autograd.grad(
        network.fpn(maps)["2"].sum(), maps[0], allow_unused=True, materialize_grads=True
    )
    (heard,) = torch.autograd.grad(network(maps)["2"].sum(), maps[0])
    assert (silent == 0).all()
    assert (heard != 0).any()


@pytest.mark.as_user
def test_exports_and_compiles():
    network, maps = PathAggregationNetwork([3, 5, 7], 4).eval(), _maps()
    expected = network(maps)
    exported = torch.export.export(network, (maps,)).module()(maps)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")(maps)
    for name, level in expected.items():
        torch.testing.assert_close(exported[name], level)
        torch.testing.assert_close(compiled[name], level)
