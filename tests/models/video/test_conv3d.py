import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.models import VideoConv3d


@pytest.mark.parametrize("stride", [1, 2])
def test_with_zeros_it_is_pytorchs(stride):
    conv, x = VideoConv3d(3, 4, 3, stride).double(), torch.rand(2, 3, 5, 8, 7).double()
    theirs = nn.Conv3d(3, 4, 3, stride, padding=1).double()
    theirs.load_state_dict(conv.state_dict())
    torch.testing.assert_close(conv(x), theirs(x))


@pytest.mark.parametrize("border", ["zeros", "replicate"])
@pytest.mark.parametrize(("kernel", "dilation", "stride"), [(3, 1, 1), (4, 1, 2), (3, 2, 1)])
def test_causal_frames_do_not_see_the_future(border, kernel, dilation, stride):
    shape = (kernel, 3, 3)
    options = {"stride": (stride, 1, 1), "dilation": (dilation, 1, 1)}
    conv = VideoConv3d(2, 3, shape, causal=True, border=border, **options)
    x = torch.rand(1, 2, 8, 5, 6)
    out = conv(x)
    assert out.shape == (1, 3, 8 // stride, 5, 6)
    changed = x.clone()
    changed[:, :, 5] += 1
    differs = (conv(changed) - out).abs().amax((0, 1, 3, 4)) > 0
    first = -(-5 // stride)
    assert not differs[:first].any()
    assert differs[first]


def test_causal_by_hand():
    """The kernel (1, 2, 3) over 1, 10, 100: the last weight is the present's."""
    conv = VideoConv3d(1, 1, (3, 1, 1), causal=True, bias=False)
    conv.weight.data = torch.tensor([1.0, 2, 3]).view(1, 1, 3, 1, 1)
    x = torch.tensor([1.0, 10, 100]).view(1, 1, 3, 1, 1)
    assert conv(x).flatten().tolist() == [3, 32, 321]
    conv.border = "replicate"
    assert conv(x).flatten().tolist() == [6, 33, 321]


def test_a_still_video_stays_still_unless_zeros_come_in():
    x = torch.rand(1, 2, 1, 5, 6).expand(1, 2, 7, 5, 6)
    conv = VideoConv3d(2, 3, 3, border="replicate", bias=False)
    out = conv(x)
    torch.testing.assert_close(out, out[:, :, :1].expand_as(out))
    conv.border = "zeros"
    dips = conv(x)
    torch.testing.assert_close(dips[:, :, 1:-1], out[:, :, 1:-1])
    assert not torch.allclose(dips[:, :, 0], out[:, :, 0])


def test_replicated_frames_are_those_at_the_ends():
    conv, x = VideoConv3d(1, 2, 3, border="replicate"), torch.rand(1, 1, 4, 5, 6)
    longer = F.pad(torch.cat((x[:, :, :1], x, x[:, :, -1:]), dim=2), (1, 1, 1, 1))
    torch.testing.assert_close(conv(x), F.conv3d(longer, conv.weight, conv.bias))


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="border must be one of 'zeros', 'replicate', got 'same'"):
        VideoConv3d(1, 1, border="same")
    with pytest.raises(ValueError, match="of at least one frame"):
        VideoConv3d(1, 1)(torch.rand(1, 1, 0, 5, 5))
    with pytest.raises(ValueError, match=r"x: expected \(batch, 1, time"):
        VideoConv3d(1, 1)(torch.rand(1, 1, 5, 5))
