"""Conv-4, ResNet-12, prototypes and set functions: the authors' numbers, sizes, symmetries."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import prototypical_loss
from cvcourse.models import (
    Conv4,
    DeepSets,
    FewShot,
    GraphConvolution,
    ResNet12,
    SetAttention,
    SetLSTM,
    episode_labels,
)
from cvcourse.models.embedding import conv4, resnet12, set_functions
from tests import oracle
from tests.models import golden

SET_FUNCTIONS = {
    "feat": lambda: SetAttention(16, dropout=0, attention_dropout=0),
    "bilstm": lambda: SetLSTM(16),
    "deepset": lambda: DeepSets(16),
}


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def test_conv4_equals_the_authors_network(tmp_path):
    meta, want = oracle.less_supervision_golden("convnet4_84")
    shapes = meta["state_dict"].items()
    net = golden.load_published(Conv4(), shapes, meta["gain"], conv4.PUBLISHED_NAMES, tmp_path)
    outputs = golden.capture(net, ["blocks"])
    with torch.no_grad():
        embedding = net(oracle.formula_batch((2, 3, 84, 84)).double())
    np.testing.assert_allclose(embedding, want["embedding"], atol=1e-9, rtol=0)
    before = outputs["blocks"][:, ::8]
    np.testing.assert_allclose(before, want["before_last_pool_sample"], atol=1e-9, rtol=0)


def test_sizes():
    assert parameters(Conv4()) == 113_088
    assert parameters(ResNet12()) == 12_424_320
    assert parameters(SetAttention(64)) == 129_664 - 113_088
    assert parameters(SetAttention(640)) == 14_064_640 - 12_424_320
    assert Conv4()(torch.zeros(1, 3, 84, 84)).shape == (1, 64)
    assert Conv4(last_pool=1)(torch.zeros(1, 3, 84, 84)).shape == (1, 1600)
    assert Conv4(1, last_pool=1)(torch.zeros(1, 1, 28, 28)).shape == (1, 64)
    assert ResNet12()(torch.zeros(1, 3, 84, 84)).shape == (1, 640)


def test_resnet12_has_the_authors_layers():
    """Shapes of Sha-Lab/FEAT's `res12.py`, by its names."""
    ours = {name: tuple(value.shape) for name, value in ResNet12().state_dict().items()}
    names = resnet12.PUBLISHED_NAMES
    assert ours[names["encoder.layer1.0.conv1"] + ".weight"] == (64, 3, 3, 3)
    assert ours[names["encoder.layer4.0.conv3"] + ".weight"] == (640, 640, 3, 3)
    assert ours[names["encoder.layer3.0.bn2"] + ".running_var"] == (320,)
    assert ours[names["encoder.layer2.0.downsample"] + ".0.weight"] == (160, 64, 1, 1)
    assert ours[names["encoder.layer2.0.downsample"] + ".1.weight"] == (160,)


@pytest.mark.parametrize("case", ["feat_5w1s", "feat_5w5s_cos"])
@pytest.mark.parametrize("name", [*SET_FUNCTIONS, "protonet"])
def test_episode_equals_the_authors_code(case, name, tmp_path):
    meta, want = oracle.less_supervision_golden(case)
    adapt = None
    if name in SET_FUNCTIONS:
        shapes = meta["modules"][name].items()
        names = set_functions.PUBLISHED_NAMES
        adapt = golden.load_published(SET_FUNCTIONS[name](), shapes, meta["gain"], names, tmp_path)
    euclidean = meta["use_euclidean"] or name == "protonet"  # the golden's is Euclidean in both
    metric = "euclidean" if euclidean else "cosine"
    temperatures = {key: meta[key] for key in ("temperature", "temperature2")}
    net = FewShot(adapt, metric=metric, **temperatures)
    way, shot, query = meta["way"], meta["shot"], meta["query"]
    rows = 1.5 * oracle.formula_tensor(f"{case}/emb", ((shot + query) * way, 16)).double()
    support, queries = rows.view(1, -1, way, 16).split([shot, query], 1)
    with torch.no_grad():
        found, against = net(support, queries), net.regulariser(support, queries)
    np.testing.assert_allclose(found[0], want[f"{name}/logits"], atol=1e-9, rtol=0)
    labels = episode_labels(query, way)
    if name == "protonet":
        return
    with torch.no_grad():
        adapted = net.prototypes(support)
    np.testing.assert_allclose(adapted[0], want[f"{name}/adapted"], atol=1e-9, rtol=0)
    ce, of_regulariser = want[f"{name}/losses"]
    assert F.cross_entropy(found[0], labels).item() == pytest.approx(ce, abs=1e-9)
    if name == "feat":  # in the code of the others the regulariser's rows are in another order
        np.testing.assert_allclose(against[0], want["feat/reg_logits"], atol=1e-9, rtol=0)
        aux = episode_labels(shot + query, way)
        found = F.cross_entropy(against[0], aux).item()
        assert found == pytest.approx(of_regulariser, abs=1e-9)


@pytest.mark.parametrize("case", ["feat_5w1s", "feat_5w5s_cos"])
def test_graph_without_joins_is_the_authors_graph(case, tmp_path):
    """Their code joins only items of one class: the graph of prototypes has no joins at all."""
    meta, want = oracle.less_supervision_golden(case)
    weights = {
        name: oracle.formula_value(name, shape, meta["gain"]).double()
        for name, shape in meta["modules"]["gcn"].items()
    }
    weights = {k: v.T if k.endswith("weight") else v for k, v in weights.items()}  # they write x W
    net = GraphConvolution(16, dropout=0).double().eval()
    mine = {k.replace("graph_func.gc1", "layers.0").replace("graph_func.gc2", "layers.1"): v
            for k, v in weights.items()}  # fmt: skip
    net.load_state_dict(mine)
    way, shot, query = meta["way"], meta["shot"], meta["query"]
    rows = 1.5 * oracle.formula_tensor(f"{case}/emb", ((shot + query) * way, 16)).double()
    prototypes = rows[: shot * way].view(1, shot, way, 16).mean(1)
    with torch.no_grad():
        alone = net(prototypes, torch.zeros(way, way))
    np.testing.assert_allclose(alone[0], want["gcn/adapted"], atol=1e-9, rtol=0)


def test_graph_by_hand():
    """Two items, joined: both see their mean."""
    net = GraphConvolution(1, dropout=0).double().eval()
    items = torch.tensor([[[1.0], [3.0]]]).double()
    w1, b1 = net.layers[0].weight, net.layers[0].bias
    w2, b2 = net.layers[1].weight, net.layers[1].bias
    expected = items + (w2 @ (w1 * 2 + b1[:, None]).relu() + b2).T
    assert torch.allclose(net(items), expected)


@pytest.mark.parametrize("name", ["SetAttention", "DeepSets", "GraphConvolution", "SetLSTM"])
def test_order_of_the_items(name):
    torch.manual_seed(0)
    net = {"SetAttention": SetAttention, "DeepSets": DeepSets, "GraphConvolution": GraphConvolution,
           "SetLSTM": SetLSTM}[name](8).double().eval()  # fmt: skip
    items, order = torch.randn(2, 5, 8).double(), torch.tensor([3, 0, 4, 1, 2])
    same = torch.allclose(net(items)[:, order], net(items[:, order]), atol=1e-12)
    assert same == (name != "SetLSTM")


def test_prototypical_network_is_feat_with_the_identity():
    torch.manual_seed(0)
    support, queries = torch.randn(2, 3, 5, 8).double(), torch.randn(2, 4, 5, 8).double()
    attention = SetAttention(8).double().eval()
    attention.project.weight.data.zero_(), attention.project.bias.data.zero_()
    attention.norm = torch.nn.Identity()
    plain = FewShot(temperature=2.0)(support, queries)
    assert torch.allclose(FewShot(attention, temperature=2.0)(support, queries), plain)
    labels = episode_labels(4, 5)
    flat, means = queries[0].flatten(0, 1), support[0].mean(0)
    expected = F.cross_entropy(plain[0], labels)
    assert torch.allclose(prototypical_loss(flat, means, labels, temperature=2.0), expected)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv4()(torch.zeros(1, 3, 79, 84)), "images must be at least 80 pixels"),
        (lambda: ResNet12()(torch.zeros(1, 3, 15, 84)), "images must be at least 16 pixels"),
        (lambda: SetLSTM(7), "features must be even, got 7"),
        (lambda: FewShot(metric="dot"), "metric must be 'euclidean' or 'cosine', got 'dot'"),
        (lambda: FewShot(temperature=0), "temperature must be a number above 0"),
        (
            lambda: FewShot()(torch.zeros(1, 1, 5, 8), torch.zeros(1, 1, 4, 8)),
            r"must agree in ways and features, got \(5, 8\) and \(4, 8\)",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
