"""Split-brain autoencoder: its size, and that no channel reaches its own prediction."""

import pytest
import torch

from cvcourse.models import CrossChannelNetwork, SplitBrain

SMALL = {"widths": (8, 12, 16, 16, 12), "hidden": 32}


def lab(height=33, width=46, batch=2):
    return torch.tensor([50.0, 60, 60])[:, None, None] * torch.rand(batch, 3, height, width)


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def test_sizes_of_the_papers_halves():
    with torch.device("meta"):
        net = SplitBrain()
        assert parameters(net.of_lightness) == 15_211_161
        assert parameters(net.of_color) == 14_780_532
        assert parameters(net.of_lightness.layers) + parameters(net.of_color.layers) == 1_874_288
        colors, lightness = net(torch.zeros(2, 3, 180, 180))
        assert colors.shape == (2, 313, 11, 11)
        assert lightness.shape == (2, 100, 11, 11)
        maps = net.maps(torch.zeros(2, 3, 180, 180))
        assert [m.shape[1] for m in maps] == [96, 256, 384, 384, 256]  # AlexNet's


@pytest.mark.parametrize("training", [False, True])
def test_no_path_from_a_channel_to_its_own_prediction(training):
    torch.manual_seed(0)
    net, images = SplitBrain((5, 4), **SMALL).train(training), lab().requires_grad_()
    colors, lightness = net(images)
    [from_colors] = torch.autograd.grad(colors.square().sum(), images)
    [from_lightness] = torch.autograd.grad(lightness.square().sum(), images)
    assert (from_colors[:, 1:] == 0).all()
    assert (from_lightness[:, :1] == 0).all()
    assert from_colors[:, 0].abs().sum() > 0
    assert from_lightness[:, 1].abs().sum() > 0
    assert from_lightness[:, 2].abs().sum() > 0


def test_features_are_those_of_both_halves():
    net, images = SplitBrain((5, 4), **SMALL).eval(), lab()
    for joint, left, right in zip(
        net.maps(images),
        net.of_lightness.maps((images[:, :1] - 50) / 100),
        net.of_color.maps(images[:, 1:] / 110),
        strict=True,
    ):
        assert torch.equal(joint, torch.cat([left, right], 1))


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CrossChannelNetwork(0, 5), "in_channels: expected at least 1"),
        (lambda: SplitBrain((1, 4)), "bins: expected at least 2, got 1"),
        (lambda: SplitBrain((5, 4), **SMALL)(lab(15)), "images must be at least 16 pixels"),
        (lambda: SplitBrain((5, 4), **SMALL)(lab()[:, :2]), "lab must have shape"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
