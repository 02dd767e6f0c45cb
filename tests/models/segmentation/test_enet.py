import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.models.segmentation.enet import (
    Bottleneck,
    DownBottleneck,
    ENet,
    UpBottleneck,
    enet_class_weights,
    regular,
)
from tests.models import golden

TINY = {"widths": (8, 12, 16)}


@pytest.mark.parametrize(("classes", "count"), [(20, 364_376), (19, 364_311), (12, 363_856)])
def test_parameters_are_the_authors(classes, count):
    with torch.device("meta"):
        assert golden.parameter_count(ENet(classes)) == count


def test_the_papers_whole_table():
    with torch.device("meta"):
        net = ENet(12).eval()
        names = [name for name, m in net.named_modules() if "ottleneck" in type(m).__name__]
        maps = golden.capture(net, ["initial", *names])
        out = net(torch.empty(1, 3, 512, 512))
    table = {
        "initial": (16, 256),
        "down1": (64, 128),
        **{f"stage1.{i}": (64, 128) for i in range(4)},
        "down2": (128, 64),
        **{f"stage{s}.{i}": (128, 64) for s in (2, 3) for i in range(8)},
        "up4": (64, 128),
        **{f"stage4.{i}": (64, 128) for i in range(2)},
        "up5": (16, 256),
        "stage5": (16, 256),
    }
    outputs = {name: m[0] if isinstance(m, tuple) else m for name, m in maps.items()}
    assert {name: (m.shape[1], m.shape[-1]) for name, m in outputs.items()} == table
    assert out.shape == (1, 12, 512, 512)
    kinds = []
    for block in net.stage2:
        middle = block.bottleneck[3]
        kinds.append(
            f"asymmetric {middle[0].kernel_size[1]}"
            if isinstance(middle, nn.Sequential)
            else middle.dilation[0]
        )
    assert kinds == [1, 2, "asymmetric 5", 4, 1, 8, "asymmetric 5", 16]


def test_slopes_are_per_channel_down_and_there_are_none_up():
    net = ENet()
    down = [m for part in (net.initial, net.down1, net.stage1, net.down2, net.stage2, net.stage3)
            for m in part.modules()]  # fmt: skip
    up = [m for part in (net.up4, net.stage4, net.up5, net.stage5) for m in part.modules()]
    assert not any(isinstance(m, nn.ReLU) for m in down)
    assert not any(isinstance(m, nn.PReLU | nn.Dropout2d) for m in up)
    slopes = sum(m.num_parameters for m in down if isinstance(m, nn.PReLU))
    # 16; downs 64 + 2 * 16 and 128 + 2 * 32; 4 of the first kind, 16 of the second
    assert slopes == 16 + 5 * (64 + 32) + 17 * (128 + 64)


def test_dropout_is_weaker_in_stage_1():
    net = ENet()
    rates = [m.p for m in net.modules() if isinstance(m, nn.Dropout2d)]
    assert rates == [0.01] * 5 + [0.1] * 17


def test_downsampling_by_hand():
    """With a bottleneck that ends in zeros only the main branch is left."""
    block, x = DownBottleneck(2, 8, dropout=0.0).eval(), torch.rand(1, 2, 4, 6)
    nn.init.zeros_(block.bottleneck[6].weight)
    out, indices = block(x)
    assert torch.equal(out[:, :2], F.max_pool2d(x, 2))
    assert torch.equal(out[:, 2:], torch.zeros(1, 6, 2, 3))
    assert torch.equal(x.flatten(2).gather(2, indices.flatten(2)), out[:, :2].flatten(2))


def test_upsampling_by_hand():
    """1×1 and norm come before the unpooling, so that places without a maximum stay zero."""
    block = UpBottleneck(3, 4).eval()
    nn.init.zeros_(block.bottleneck[6].weight)
    block.main[1].bias.data.fill_(1.0)
    _, indices = F.max_pool2d(torch.rand(1, 4, 4, 4), 2, return_indices=True)
    x = torch.rand(1, 3, 2, 2)
    out = block(x, indices)
    assert out.shape == (1, 4, 4, 4)
    placed = out.flatten(2).gather(2, indices.flatten(2)).view(1, 4, 2, 2)
    torch.testing.assert_close(placed, block.main(x).relu())
    assert (out > 0).sum() == (placed > 0).sum()


def test_block_with_a_silent_bottleneck_is_its_activation():
    block, x = Bottleneck(8, regular(2)).eval(), torch.randn(1, 8, 5, 5)
    nn.init.zeros_(block.bottleneck[6].weight)
    block.act.weight.data = torch.linspace(0, 0.7, 8)
    slope = torch.linspace(0, 0.7, 8)[:, None, None]
    torch.testing.assert_close(block(x), torch.where(x > 0, x, slope * x))


def test_one_step_of_training_lowers_the_loss():
    net, x = ENet(3, **TINY, dropout=(0.0, 0.0)), torch.rand(4, 3, 32, 40)
    target = torch.randint(0, 3, (4, 32, 40))
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
    net, x = ENet(3, **TINY).eval(), torch.rand(2, 3, 40, 32)
    expected = net(x)
    torch.testing.assert_close(torch.export.export(net, (x,)).module()(x), expected)
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), expected)


class TestClassWeights:
    def test_by_hand(self):
        weights = enet_class_weights(torch.tensor([1, 3, 0]))
        expected = [1 / math.log(1.27), 1 / math.log(1.77), 1 / math.log(1.02)]
        torch.testing.assert_close(weights, torch.tensor(expected))

    def test_bounds_of_the_docstring(self):
        weights = enet_class_weights(torch.tensor([5.0, 0.0]))
        assert [round(w, 1) for w in weights.tolist()] == [1.4, 50.5]

    def test_without_pixels_every_share_is_zero(self):
        expected = torch.full((3,), 1 / math.log(1.02))
        for dtype in (torch.int64, torch.float32, torch.float16):
            torch.testing.assert_close(enet_class_weights(torch.zeros(3, dtype=dtype)), expected)

    def test_counts_beyond_half_precision(self):
        """60,000 + 60,000 is infinite in float16."""
        weights = enet_class_weights(torch.tensor([60000.0, 60000.0]).half())
        torch.testing.assert_close(weights, torch.full((2,), 1 / math.log(1.52)))

    @pytest.mark.as_user
    def test_c_that_divides_by_zero_is_refused(self):
        with pytest.raises(ValueError, match=r"c: expected more than 1, got 1\.0"):
            enet_class_weights(torch.ones(2), c=1.0)


@pytest.mark.as_user
@pytest.mark.parametrize("widths", [(16, 64), (16, 62, 128)])
def test_impossible_widths_are_refused(widths):
    with pytest.raises(ValueError, match="widths: expected three multiples of 4"):
        ENet(widths=widths)


@pytest.mark.as_user
def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"images: expected .* multiples of 8, got \(32, 36\)"):
        ENet(**TINY)(torch.rand(1, 3, 32, 36))
