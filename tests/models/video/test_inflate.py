from functools import partial

import pytest
import torch
from torch import nn

from cvcourse.models import VGG, BasicBlock, Bottleneck, ResNet, inflate
from cvcourse.models.backbones.frozen_batch_norm import FrozenBatchNorm2d

# the forward of a picture's network says that it takes pictures
pytestmark = pytest.mark.as_user
SMALL = {"depths": (1, 1), "width": 8}


def a_sequence():
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
        nn.MaxPool2d(2), nn.Conv2d(6, 4, (1, 5), padding=(0, 4), dilation=2, groups=2),
        nn.AvgPool2d(3, 1, padding=1), nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Linear(24, 5),
    )  # fmt: skip


NETWORKS = {
    "basic": lambda: ResNet(5, block=BasicBlock, **SMALL),
    "bottleneck": lambda: ResNet(5, block=Bottleneck, **SMALL, dilate=(True,)),
    "group norm": lambda: ResNet(5, block=BasicBlock, **SMALL, norm=partial(nn.GroupNorm, 4)),
    "sequence": a_sequence,
    "vgg": lambda: VGG(5, stages=((4,), (6,), (8,)), hidden=7, batch_norm=True, dropout=0.0),
}


def built(name):
    """With statistics and scales that are not the initial ones."""
    torch.manual_seed(0)
    network = NETWORKS[name]().double()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.1, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    ("fill", "border"), [("mean", "replicate"), ("centre", "replicate"), ("centre", "zeros")]
)
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_still_video_gives_the_pictures_answer(name, fill, border, causal):
    network, picture = built(name), torch.rand(2, 3, 40, 48).double()
    video = picture[:, :, None].expand(2, 3, 5, 40, 48)
    inflated = inflate(network, fill=fill, border=border, causal=causal)
    torch.testing.assert_close(inflated(video), network(picture), atol=1e-10, rtol=0)


def test_with_zeros_the_ends_of_a_still_video_dip():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False)).double()
    picture = torch.rand(1, 3, 6, 7).double()
    got = inflate(network, border="zeros")(picture[:, :, None].expand(1, 3, 5, 6, 7))
    want = network(picture)[:, :, None]
    torch.testing.assert_close(got[:, :, 1:4], want.expand(1, 4, 3, 6, 7))
    torch.testing.assert_close(got[:, :, [0, 4]], want.expand(1, 4, 2, 6, 7) * 2 / 3)


def test_poolings_work_on_each_frame():
    pools = nn.Sequential(nn.MaxPool2d(3, 2, padding=1, dilation=1, ceil_mode=True))
    pools.append(nn.AvgPool2d(2, count_include_pad=False))
    video = torch.rand(2, 3, 4, 9, 11)
    each = torch.stack([pools(frame) for frame in video.unbind(2)], dim=2)
    torch.testing.assert_close(inflate(pools)(video), each)


def test_the_network_given_is_left_alone_and_modes_are_kept():
    network = built("basic").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    inflated = inflate(network, 5)
    assert inflated.bn1.training
    assert inflated.conv1.kernel_size == (5, 7, 7)
    assert inflated.conv1.weight.dtype == inflated.bn1.running_mean.dtype == torch.float64
    assert inflated.layer2[0].downsample[0].kernel_size == (1, 1, 1)
    inflated(torch.rand(2, 3, 4, 32, 32).double()).sum().backward()
    assert inflated.conv1.weight.grad.any()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_what_cannot_be_inflated_is_named():
    with pytest.raises(ValueError, match=r"cannot inflate network\.1, a InstanceNorm2d"):
        inflate(nn.Sequential(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4)))
    with pytest.raises(ValueError, match=r"cannot inflate network\.bn1, a FrozenBatchNorm2d"):
        inflate(ResNet(5, block=BasicBlock, **SMALL, norm=FrozenBatchNorm2d))
    with pytest.raises(ValueError, match=r"network\.0, a Conv2d with padding .* \(reflect\)"):
        inflate(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")))
    with pytest.raises(ValueError, match="time: expected an odd number of frames"):
        inflate(a_sequence(), 4)
    with pytest.raises(ValueError, match="fill must be one of 'mean', 'centre'"):
        inflate(a_sequence(), fill="center")
    with pytest.raises(ValueError, match="border must be one of"):
        inflate(a_sequence(), border="same")
