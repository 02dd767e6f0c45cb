"""The context-free network: its size, and that no tile sees another before the end."""

import pytest
import torch

from cvcourse.models import ContextFreeNetwork


def small():
    return ContextFreeNetwork(5, tiles=4, side=40, widths=(4, 6, 8, 8, 4), features=(8, 12))


def test_size_of_the_papers_text():
    with torch.device("meta"):
        net = ContextFreeNetwork()
        assert sum(p.numel() for p in net.parameters()) == 27_407_208
        assert net(torch.zeros(2, 9, 3, 75, 75)).shape == (2, 1000)
        assert net.fc6[0].in_features == 4 * 4 * 256


@pytest.mark.parametrize("side", [31, 40, 64, 67, 75, 96])
def test_any_side(side):
    net = ContextFreeNetwork(5, tiles=4, side=side, widths=(4, 6, 8, 8, 4), features=(8, 12))
    assert net(torch.rand(1, 4, 3, side, side)).shape == (1, 5)


def test_tiles_share_weights_and_see_only_themselves():
    net, tiles = small().eval(), torch.rand(2, 4, 3, 40, 40)
    seen = []
    net.fc7.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    net(tiles)
    net(tiles.flip(1))
    forward, backward = (x.view(2, 4, 8) for x in seen)
    assert torch.allclose(forward.flip(1), backward, atol=1e-6)
    assert torch.allclose(forward[:, 2], net.embed(tiles[:, 2]), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"permutations": 1}, "permutations"), ({"tiles": 1}, "tiles"), ({"side": 30}, "side")],
)
def test_bad_sizes(options, message):
    with pytest.raises(ValueError, match=f"{message}: expected at least"):
        ContextFreeNetwork(**options)
