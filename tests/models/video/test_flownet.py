import copy

import numpy as np
import pytest
import torch

from cvcourse.losses import multiscale_epe_loss
from cvcourse.models import FlowNetC, FlowNetS
from tests import oracle
from tests.models import golden
from tests.models.examples import network

WIDTHS = (4, 6, 8, 8, 8, 8)


@pytest.mark.parametrize(
    ("model", "name", "size"),
    [(FlowNetS, "flownets_64", (64, 64)), (FlowNetC, "flownetc_64x128", (64, 128))],
)
def test_equals_the_well_known_port(model, name, size):
    meta, want = oracle.video_golden(name)
    with torch.device("meta"):
        net = model(decoder_bias=False)
    assert golden.parameter_count(net) == meta["params"]
    assert {k: list(v.shape) for k, v in net.state_dict().items()} == meta["state_dict"]
    net = oracle.fill_(net.to_empty(device="cpu"), meta["gain"]).double()
    with torch.no_grad():
        flows = net(oracle.formula_batch((1, 6, *size)).double() / 2)
    for level, flow in enumerate(flows, start=2):
        np.testing.assert_allclose(flow, want[f"flow{level}"], atol=1e-8, rtol=0)


@pytest.mark.parametrize(("model", "count"), [(FlowNetS, 38_676_514), (FlowNetC, 39_175_298)])
def test_published_counts(model, count):
    with torch.device("meta"):
        assert golden.parameter_count(model()) == count


@pytest.mark.parametrize("name", ["FlowNetS", "FlowNetC"])
@pytest.mark.parametrize("size", [(64, 96), (50, 71), (2, 3)])
def test_sizes(name, size):
    flows = network(name)(torch.rand(2, 6, *size))
    halved = [tuple(-(-side // 2**level) for side in size) for level in range(2, 7)]
    assert [tuple(flow.shape) for flow in flows] == [(2, 2, *sides) for sides in halved]


def test_stride_of_displacements():
    net = FlowNetC(widths=WIDTHS, max_displacement=5, stride=2, redirected=3)
    assert net.conv3_1[0].in_channels == 3 + 25
    assert net(torch.rand(1, 6, 40, 40))[0].shape == (1, 2, 10, 10)


@pytest.mark.parametrize("name", ["FlowNetS", "FlowNetC"])
def test_each_example_by_itself(name):
    net, x = network(name).double(), torch.rand(3, 6, 48, 64).double()
    for whole, alone in zip(net(x), net(x[1:2]), strict=True):
        torch.testing.assert_close(whole[1:2], alone)


@pytest.mark.parametrize("name", ["FlowNetS", "FlowNetC"])
def test_learns_one_pair(name):
    net = copy.deepcopy(network(name)).train()
    first = oracle.formula_image("flow", 64, 96, block=6)
    pictures = torch.cat((first, first.roll(3, dims=2)))[None]
    target = torch.tensor([3.0, 0.0])[None, :, None, None].expand(1, 2, 64, 96)
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    errors = []
    for _ in range(40):
        loss = multiscale_epe_loss(net(pictures), target, reduction="mean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(loss.item())
    assert errors[-1] < 0.2 * errors[0]


@pytest.mark.as_user
@pytest.mark.parametrize("model", [FlowNetS, FlowNetC])
def test_bad_input(model):
    with pytest.raises(ValueError, match="widths: expected six numbers of channels"):
        model(widths=(4, 6))
    with pytest.raises(ValueError, match="channels: expected at least 1, got 0"):
        model(channels=0)
    with pytest.raises(ValueError, match=r"pictures: expected \(batch, 6, height, width\)"):
        model(widths=WIDTHS)(torch.rand(1, 3, 64, 64))
    if model is FlowNetC:
        with pytest.raises(ValueError, match="max_displacement: expected at least 0, got -1"):
            model(max_displacement=-1)


@pytest.mark.as_user
@pytest.mark.parametrize("name", ["FlowNetS", "FlowNetC"])
def test_exports(name):
    net, x = network(name).eval(), torch.rand(2, 6, 64, 96)
    for got, want in zip(torch.export.export(net, (x,)).module()(x), net(x), strict=True):
        torch.testing.assert_close(got, want)
