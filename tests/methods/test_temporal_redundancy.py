import pytest
import torch
from torch import nn

from cvcourse.methods import DeltaLayer, delta_network


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 3, dilation=2, groups=2),
        nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5),
    ).double()  # fmt: skip


def test_without_a_threshold_deltas_add_up_to_the_full_result():
    plain, frames = network(), torch.rand(6, 2, 3, 17, 20).double()
    delta = delta_network(plain)
    for frame in frames:
        torch.testing.assert_close(delta(frame), plain(frame))


def test_only_what_changed_is_counted():
    layer, frame = DeltaLayer(nn.Conv2d(1, 2, 3, padding=1)), torch.rand(1, 1, 8, 10)
    layer(frame)
    assert layer.share == 1
    moved = frame.clone()
    moved[..., 2:4, 3:7] += 0.1
    layer(moved)
    assert layer.share == pytest.approx(8 / 80)
    layer(moved)
    assert layer.share == 0
    layer.reset()
    layer(moved)
    assert layer.share == 1


def test_small_changes_are_kept_until_they_are_large():
    """Steps of 0.4 under a threshold of 1: let through at the third, as one change of 1.2."""
    layer = DeltaLayer(nn.Linear(1, 1, bias=False), threshold=1.0).double()
    layer.layer.weight.data.fill_(2.0)
    steps = torch.tensor([0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4]).double()
    found = [layer(x.view(1, 1)).item() for x in steps]
    assert found == pytest.approx([0, 0, 0, 2.4, 2.4, 2.4, 4.8])


def test_the_error_stays_below_the_threshold_however_long_the_video():
    layer = DeltaLayer(nn.Linear(5, 5, bias=False), threshold=0.1).double()
    nn.init.eye_(layer.layer.weight)
    x = torch.zeros(1, 5).double()
    for i in range(200):
        x = x + 0.03 * torch.sin(torch.arange(5.0) + i)
        assert (layer(x) - x).abs().max() <= 0.1 + 1e-9


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="layer: expected a Conv2d padded with zeros, or a Linear"):
        DeltaLayer(nn.ReLU())
    with pytest.raises(ValueError, match="layer: expected a Conv2d padded with zeros"):
        DeltaLayer(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    with pytest.raises(ValueError, match="threshold: expected at least 0, got -1"):
        DeltaLayer(nn.Linear(2, 2), -1)
    layer = DeltaLayer(nn.Linear(2, 2))
    layer(torch.rand(3, 2))
    with pytest.raises(ValueError, match="x: expected the shape of the last frame"):
        layer(torch.rand(4, 2))
