import pytest
import torch
import torch.nn.functional as F

from cvcourse.models.segmentation.segnet import (
    SegNet,
    SegNetBasic,
    decode,
    encode,
    unpool_by_indices,
)
from tests.models import golden

TINY = {"stages": ((4, 6), (8,), (8, 10, 12))}


@pytest.mark.parametrize(
    ("classes", "count"), [(11, 29_449_355), (21, 29_455_125), (38, 29_464_934)]
)
def test_parameters_are_the_authors(classes, count):
    with torch.device("meta"):
        assert golden.parameter_count(SegNet(classes)) == count


def test_parameters_of_the_basic_net_are_the_authors():
    with torch.device("meta"):
        assert golden.parameter_count(SegNetBasic()) == 1_416_587


def test_widths_mirror_the_encoder():
    with torch.device("meta"):
        net = SegNet()
    decoder = [[m.out_channels for m in s if hasattr(m, "out_channels")] for s in net.decoder]
    expected = [[512, 512, 512], [512, 512, 256], [256, 256, 128], [128, 64], [64, 11]]
    assert decoder == expected
    assert len(net.decoder[-1]) == 4  # conv, norm, ReLU, and the bare conv to the classes


@pytest.mark.parametrize("build", [SegNet, SegNetBasic])
def test_sizes_for_camvid_round_up(build):
    with torch.device("meta"):
        net = build()
        images = torch.empty(1, 3, 360, 480)
        x, poolings = encode(images, net.encoder)
        assert net(images).shape == (1, 11, 360, 480)
    pooled = [tuple(indices.shape[-2:]) for indices, _ in poolings]
    assert pooled == [(180, 240), (90, 120), (45, 60), (23, 30), (12, 15)][: len(pooled)]
    assert x.shape[-2:] == pooled[-1]


@pytest.mark.parametrize("size", [(1, 1), (7, 12), (64, 33)])
def test_any_size_goes_in_and_comes_out(size):
    assert SegNet(5, **TINY).eval()(torch.rand(2, 3, *size)).shape == (2, 5, *size)


def test_unpooling_is_torchs():
    x = torch.rand(2, 3, 7, 9)
    pooled, indices = F.max_pool2d(x, 2, 2, ceil_mode=True, return_indices=True)
    expected = F.max_unpool2d(pooled, indices, 2, 2, output_size=(7, 9))
    ours = unpool_by_indices(pooled, indices, (7, 9))
    assert torch.equal(ours, expected)
    kept = ours != 0
    assert torch.equal(ours[kept], x[kept])  # back where it stood


def test_stages_that_do_nothing_leave_the_maxima_of_the_largest_window():
    x = torch.rand(1, 2, 8, 8)
    same = [torch.nn.Identity()] * 3
    top, poolings = encode(x, same)
    out = decode(top, same, poolings, unpool_by_indices)
    assert (out != 0).sum().item() == 2
    assert torch.equal(out.amax((2, 3)), x.amax((2, 3)))
    assert torch.equal(out.flatten(2).argmax(2), x.flatten(2).argmax(2))


def test_another_unpooling_takes_its_place():
    calls = []

    def nearest(x, indices, size):
        calls.append(tuple(size))
        return F.interpolate(x, size=tuple(size))

    SegNet(2, **TINY, unpool=nearest)(torch.rand(1, 3, 20, 12))
    assert calls == [(5, 3), (10, 6), (20, 12)]


@pytest.mark.parametrize("build", [lambda: SegNet(3, **TINY), lambda: SegNetBasic(3, width=6)])
def test_one_step_of_training_lowers_the_loss(build):
    net, x, target = build(), torch.rand(4, 3, 32, 32), torch.randint(0, 3, (4, 32, 32))
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
@pytest.mark.parametrize("build", [lambda: SegNet(3, **TINY), lambda: SegNetBasic(3, width=6)])
def test_exports_and_compiles(build):
    net, x = build().eval(), torch.rand(2, 3, 22, 32)
    expected = net(x)
    torch.testing.assert_close(torch.export.export(net, (x,)).module()(x), expected)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)
