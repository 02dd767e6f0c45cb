import math

import numpy as np
import pytest
import torch

from cvcourse.models.restoration.ceilnet import CEILNet, CEILSubnetwork
from cvcourse.ops import edge_map
from tests import oracle
from tests.models import golden

# names of the replica that the numbers are from; the authors' own files are Torch7's
REPLICA_NAMES = {
    **{f"head.{2 * i + j}": f"head.{3 * i + j}" for i in range(3) for j in range(2)},
    **{
        f"blocks.{i}.{theirs}": f"blocks.{i}.branch.{ours}"
        for i in range(13)
        for theirs, ours in (("c1", 0), ("b1", 1), ("c2", 3), ("b2", 4))
    },
    "up": "tail.0",
    "bu": "tail.1",
    "c": "tail.3",
    "bc": "tail.4",
    "out": "tail.6",
}
SMALL = {"blocks": 1, "width": 6}


@pytest.mark.parametrize(("channels", "count"), [(1, 1_142_913), (3, 1_143_043)])
def test_counts(channels, count):
    with torch.device("meta"):
        model = CEILSubnetwork(channels)
        assert golden.parameter_count(model) == count
        assert model(torch.empty(1, 4, 9, 8)).shape == (1, channels, 9, 8)


def test_equals_a_replica_of_the_lua_code(tmp_path):
    meta, want = oracle.restoration_golden("ceilnet_ecnn")
    model = golden.load_published(
        CEILSubnetwork(), meta["state_dict"], meta["gain"], REPLICA_NAMES, tmp_path
    ).train()
    x = 255 * oracle.formula_images("cn", 1, 24, 24, 4) - 115
    with torch.no_grad():
        out = model(x)
    scale = want["out_stat"][2]
    np.testing.assert_allclose(out[..., ::2, ::2] / scale, want["out"] / scale, atol=1e-8)
    golden.assert_statistics(out / scale, want["out_stat"] / scale, rtol=1e-8)


def test_scales_between_the_two_networks():
    model = CEILNet(**SMALL).double().eval()
    images = 255 * torch.rand(1, 3, 13, 10, dtype=torch.float64)
    background, edges = model(images)
    inputs = torch.cat([images, 50 * edge_map(images)], 1) - 115
    torch.testing.assert_close(edges, 0.02 * model.edges(inputs))
    torch.testing.assert_close(background, model.image(torch.cat([images, edges], 1) - 115))
    assert background.shape == images.shape
    assert edges.shape == (1, 1, 13, 10)


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float16, 0), (torch.bfloat16, 4e-2)], ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_all_blocks_under_autocast(training, dtype, digits):
    """A chessboard, the picture of the largest edge map, halves or not, through all 13 blocks."""
    model = CEILNet(width=16).train(training)
    chessboard = 255.0 * (sum(torch.meshgrid(*2 * [torch.arange(32)], indexing="ij")) % 2)
    noise = torch.randint(256, (3, 32, 32)).float()
    images = torch.stack([chessboard.expand(3, -1, -1), noise])  # exact in half precision
    with torch.no_grad():
        want = model(images)
        for x in (images, images.to(dtype)):
            with torch.autocast("cpu", dtype=dtype):
                got = model(x)
            for g, w in zip(got, want, strict=True):
                assert (g.float() - w).norm() <= digits * w.norm()


def test_weights_begin_as_in_the_lua_code():
    weight = CEILSubnetwork(width=32, blocks=0).head[3].weight
    bound = math.sqrt(12 / (9 * 64))
    assert 0.98 * bound < weight.abs().max() <= bound


def test_one_step_of_training_lowers_the_loss():
    model, x = CEILNet(**SMALL), 255 * torch.rand(2, 3, 12, 14)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(3):
        background, edges = model(x)
        loss = (background - x / 2).square().mean() + (edges - edge_map(x / 2)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match=r"images: expected \(batch, 3, height, width\)"):
        CEILNet(**SMALL)(torch.rand(1, 4, 8, 8))
    with pytest.raises(ValueError, match=r"x: expected \(batch, 4, height, width\)"):
        CEILSubnetwork(**SMALL)(torch.rand(1, 3, 8, 8))
    with pytest.raises(ValueError, match="out_channels: expected at least 1, got 0"):
        CEILSubnetwork(0)
    with pytest.raises(ValueError, match="blocks: expected at least 0, got -1"):
        CEILNet(blocks=-1)


@pytest.mark.as_user
def test_exports_and_compiles():
    model, x = CEILNet(**SMALL).eval(), 255 * torch.rand(2, 3, 13, 16)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)
