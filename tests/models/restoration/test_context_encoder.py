"""Context encoders: sizes of the authors' networks, their loss, and what mixes with what."""

import pytest
import torch

from cvcourse.methods import cut_centre, filling_loss
from cvcourse.models import ChannelwiseLinear, ContextEncoder, HoleDiscriminator
from tests import oracle


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
    "case", oracle.cases("context_encoder_reconstruction", "less_supervision/cases.json")
)
def test_loss_is_the_authors(case):
    def adapted(pred, true, overlap, wtl2):
        return filling_loss(pred, true, overlap, wtl2)

    inputs = {"pred": case["inputs"]["pred"], "true": case["inputs"]["true"]}
    oracle.assert_matches({**case, "inputs": inputs}, adapted)


def test_the_hole_and_what_was_in_it():
    images = torch.rand(2, 3, 16, 16)
    holed, target = cut_centre(images, overlap=1)
    assert torch.equal(target, images[:, :, 4:12, 4:12])
    changed = (holed != images).any(1)[0]
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[5:11, 5:11] = True
    assert torch.equal(changed, expected)
    colours = holed[:, :, 6, 6]
    assert colours[0].tolist() == pytest.approx([2 * v / 255 - 1 for v in (117, 104, 123)])
    holed[:] = 0
    assert torch.equal(target, images[:, :, 4:12, 4:12])  # a copy


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ContextEncoder(48), "side must be a power of two from 16, got 48"),
        (lambda: HoleDiscriminator(4), "side must be a power of two from 8, got 4"),
        (
            lambda: ContextEncoder(16, width=2, bottleneck=4)(torch.zeros(1, 3, 32, 32)),
            "images must be 16 x 16 pixels",
        ),
        (lambda: cut_centre(torch.zeros(1, 3, 18, 18)), "S divisible by 4"),
        (lambda: cut_centre(torch.zeros(1, 3, 16, 16)), "overlap must be from 0 to 3, got 4"),
        (lambda: filling_loss(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 4, 4)), "target must"),
        (
            lambda: filling_loss(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), 5),
            "overlap must be from 0 to 4, got 5",
        ),
    ],
)
@pytest.mark.as_user
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
