"""Context encoders: sizes of the authors' networks, and what mixes with what."""

import pytest
import torch

from cvcourse.models import ChannelwiseLinear, ContextEncoder, HoleDiscriminator


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def test_sizes_of_the_authors_networks():
    with torch.device("meta"):
        assert parameters(ContextEncoder()) == 71_130_531
        assert parameters(HoleDiscriminator()) == 2_766_529
        assert ContextEncoder()(torch.zeros(2, 3, 128, 128)).shape == (2, 3, 64, 64)
        assert HoleDiscriminator()(torch.zeros(2, 3, 64, 64)).shape == (2,)
        assert parameters(ChannelwiseLinear(256, 6, 6)) == 256 * 36**2 + 256 * 36


def test_channelwise_linear_is_a_linear_layer_of_each_channel():
    net = ChannelwiseLinear(3, 2, 5).double()
    torch.nn.init.normal_(net.bias)
    x = torch.randn(4, 3, 2, 5).double()
    for c in range(3):
        alone = torch.nn.functional.linear(x[:, c].flatten(1), net.weight[c], net.bias[c])
        assert torch.allclose(net(x)[:, c].flatten(1), alone)
    moved = x.clone()
    moved[:, 1] += 1
    same = (net(x) == net(moved)).all(3).all(2).all(0)
    assert same.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ContextEncoder(48), "side must be a power of two from 16, got 48"),
        (lambda: HoleDiscriminator(4), "side must be a power of two from 8, got 4"),
        (
            lambda: ContextEncoder(16, width=2, bottleneck=4)(torch.zeros(1, 3, 32, 32)),
            "images must be 16 x 16 pixels",
        ),
    ],
)
@pytest.mark.as_user
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
