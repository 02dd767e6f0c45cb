import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.models.segmentation.deconvnet import DeconvNet
from tests.models import golden

TINY = {"stages": ((4, 6), (8,), (8, 10)), "hidden": 12, "fc_kernel": 3}


def test_the_authors_parameters_widths_and_sizes():
    with torch.device("meta"):
        net = DeconvNet()
        maps = golden.capture(net, ["middle.1", "middle", *(f"decoder.{i}" for i in range(5))])
        out = net(torch.empty(2, 3, 224, 224))
    assert golden.parameter_count(net) == 251_805_653
    assert out.shape == (2, 21, 224, 224)
    assert {name: tuple(m.shape[1:]) for name, m in maps.items()} == {
        "middle.1": (4096, 1, 1),
        "middle": (512, 7, 7),
        "decoder.0": (512, 14, 14),
        "decoder.1": (256, 28, 28),
        "decoder.2": (128, 56, 56),
        "decoder.3": (64, 112, 112),
        "decoder.4": (64, 224, 224),
    }
    widths = [
        [m.out_channels for m in stage.modules() if isinstance(m, nn.ConvTranspose2d)]
        for stage in net.decoder
    ]
    expected = [[512, 512, 512], [512, 512, 256], [256, 256, 128], [128, 64], [64, 64]]
    assert widths == expected


@pytest.mark.parametrize("size", [(24, 24), (17, 50)])
def test_any_size_large_enough_goes_in_and_comes_out(size):
    assert DeconvNet(5, **TINY).eval()(torch.rand(2, 3, *size)).shape == (2, 5, *size)


def test_one_step_of_training_lowers_the_loss():
    net, x, target = (
        DeconvNet(3, **TINY),
        torch.rand(4, 3, 32, 32),
        torch.randint(0, 3, (4, 32, 32)),
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    losses = []
    for _ in range(2):
        loss = F.cross_entropy(net(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.as_user
def test_exports_and_compiles():
    net, x = DeconvNet(3, **TINY).eval(), torch.rand(2, 3, 26, 32)
    expected = net(x)
    torch.testing.assert_close(torch.export.export(net, (x,)).module()(x), expected)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.as_user
def test_too_small_a_picture_is_refused():
    with pytest.raises(ValueError, match=r"images: expected a last map of at least 3×3 .* 2×4"):
        DeconvNet(3, **TINY)(torch.rand(1, 3, 16, 32))
