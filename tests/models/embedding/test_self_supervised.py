"""Networks of DeepCluster, SimCLR, MoCo and PIRL: published sizes and values."""

import numpy as np
import pytest
import torch
from torch import nn

from cvcourse.methods import MoCo
from cvcourse.models import (
    Conv4,
    DeepClusterAlexNet,
    PIRLNetwork,
    SimCLRHead,
    load_pretrained,
    moco_resnet50,
)
from cvcourse.models.embedding import alexnet
from tests import oracle
from tests.models.golden import parameter_count


def on_meta(make):
    with torch.device("meta"):
        return make()


def test_published_sizes():
    net = on_meta(DeepClusterAlexNet)
    assert parameter_count(net, trainable_only=True) == 99_242_480
    assert parameter_count(net) == 99_242_480 + 24
    assert parameter_count(net.top_layer) == 40_970_000
    assert parameter_count(on_meta(SimCLRHead)) == 4_460_672
    assert parameter_count(on_meta(lambda: moco_resnet50(version=1))) == 23_770_304
    assert parameter_count(on_meta(moco_resnet50)) == 27_966_656
    assert parameter_count(on_meta(PIRLNetwork)) == 24_180_160


def test_edges_and_convolutions_are_the_authors():
    meta, want = oracle.less_supervision_golden("deepcluster_alexnet_conv")
    with torch.device("meta"):
        net = DeepClusterAlexNet(2, hidden=2)
    net = net.to_empty(device="cpu").double().eval()
    net.sobel.load_state_dict(alexnet._sobel().state_dict())
    with torch.no_grad():
        for name, shape in meta["state_dict"].items():
            target = net.get_submodule(name.rpartition(".")[0]).__getattr__(name.split(".")[-1])
            if name.endswith("num_batches_tracked"):
                continue
            assert list(target.shape) == shape
            target.copy_(oracle.formula_value(name, shape, meta["gain"]))
        images = oracle.formula_batch((1, 3, 128, 128)).double()
        edges, maps = net.sobel(images), net.maps(images)
    np.testing.assert_allclose(edges[:, :, ::9, ::9], want["sobel_sample"], atol=1e-9, rtol=0)
    np.testing.assert_allclose(maps[:, ::8], want["features"], atol=1e-9, rtol=0)
    statistics = [maps.mean(), maps.std(), maps.min(), maps.max()]
    np.testing.assert_allclose(statistics, want["features_meanstd"], atol=1e-9, rtol=0)


def test_a_published_file_of_deepcluster(tmp_path):
    options = {"size": 63, "widths": (4, 6, 8, 6, 4), "hidden": 8}
    net, other = DeepClusterAlexNet(5, **options), DeepClusterAlexNet(5, **options)
    theirs = {
        name.replace("features.", "features.module."): value
        for name, value in other.state_dict().items()
    }
    torch.save({"epoch": 3, "arch": "alexnet", "state_dict": theirs}, tmp_path / "checkpoint.pth")
    with pytest.warns(UserWarning, match="read from state_dict"):
        load_pretrained(net, tmp_path / "checkpoint.pth", names=alexnet.PUBLISHED_NAMES)
    x = torch.rand(2, 3, 63, 63)
    assert torch.equal(net.eval()(x), other.eval()(x))


def test_grey_pictures_and_colours():
    net = DeepClusterAlexNet(5, size=63, widths=(4, 6, 8, 6, 4), hidden=8).eval()
    x = torch.rand(2, 3, 63, 63)
    torch.testing.assert_close(net(x), net(x[:, [2, 0, 1]]))
    assert net.maps(torch.rand(1, 3, 95, 70)).shape[:2] == (1, 4)
    assert not any(p.requires_grad for p in net.sobel.parameters())
    features = net.embed(x)
    assert (features < 0).any()  # before the ReLU
    torch.testing.assert_close(net.top_layer(features.relu()), net(x))


def test_a_published_file_of_moco(tmp_path):
    def encoder():
        return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))

    moco, other = MoCo(encoder(), 3, queue=6), MoCo(encoder(), 3, queue=6)
    theirs = {f"module.{name}": value for name, value in other.state_dict().items()}
    torch.save({"state_dict": theirs, "epoch": 200}, tmp_path / "moco.pth.tar")
    with pytest.warns(UserWarning, match="without module"):
        load_pretrained(moco, tmp_path / "moco.pth.tar")
    assert torch.equal(moco.queue, other.queue)
    names = [name for name, _ in on_meta(moco_resnet50).fc.named_parameters()]
    assert names == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_the_released_file_of_moco_is_its_query_encoder(tmp_path):
    """Cleaned up for transfer: without key encoder and queue (facebookresearch/moco#27)."""
    encoder, other = nn.Linear(4, 3), nn.Linear(4, 3)
    theirs = {f"module.encoder_q.{name}": value for name, value in other.state_dict().items()}
    torch.save({"epoch": 200, "arch": "resnet50", "state_dict": theirs}, tmp_path / "v2.pth.tar")
    with pytest.warns(UserWarning, match="without module. and encoder_q."):
        moco = MoCo(load_pretrained(encoder, tmp_path / "v2.pth.tar"), 3, queue=6)
    for ours in (moco.encoder_q, moco.encoder_k):
        assert torch.equal(ours.weight, other.weight)
        assert torch.equal(ours.bias, other.bias)


def test_simclr_head_by_hand():
    head = SimCLRHead(4, 6, 3).double()
    x = torch.randn(5, 4).double()
    first, norm, _, second, last = head.layers

    def normal(y):
        return (y - y.mean(0)) / (y.var(0, correction=0) + 1e-5).sqrt()

    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    nn.init.normal_(last.weight)
    hidden = (normal(x @ first.weight.T) * norm.weight + norm.bias).relu()
    torch.testing.assert_close(head(x), normal(hidden @ second.weight.T) * last.weight)


def test_embeddings_of_tiles_know_their_order():
    torch.manual_seed(0)
    trunk = Conv4(channels=6, last_pool=1)
    net = PIRLNetwork(trunk, features=6, dim=5, tiles=4).eval()
    tiles = torch.rand(3, 4, 3, 17, 20)
    g = net.transformed(tiles)
    assert g.shape == net(tiles[:, 0]).shape == (3, 5)
    assert not torch.allclose(g, net.transformed(tiles.flip(1)))
    each = torch.cat([net.tile_head(trunk(tiles[:, i])) for i in range(4)], 1)
    torch.testing.assert_close(g, net.join(each))
    net.image_head = SimCLRHead(6, 8, 5).eval()  # another head
    assert net(tiles[:, 0]).shape == (3, 5)
    rotation = PIRLNetwork(trunk, features=6, dim=5, tiles=1)
    torch.testing.assert_close(
        rotation.eval().transformed(tiles[:, :1]), rotation.tile_head(trunk(tiles[:, 0]))
    )


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DeepClusterAlexNet(0), "clusters: expected at least 1, got 0"),
        (lambda: DeepClusterAlexNet(5, size=40), "size: expected at least 63, got 40"),
        (
            lambda: DeepClusterAlexNet(5, size=63, widths=(4, 4, 4, 4, 4), hidden=4)(
                torch.zeros(1, 3, 128, 128)
            ),
            "images must be of the network's size, 63 pixels",
        ),
        (lambda: SimCLRHead(0), "features: expected at least 1, got 0"),
        (lambda: moco_resnet50(version=3), "version must be 1 or 2, got 3"),
        (
            lambda: PIRLNetwork(nn.Flatten(), features=4).transformed(torch.zeros(1, 4, 3, 2, 2)),
            r"tiles must be \(batch, 9",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
