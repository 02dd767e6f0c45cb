"""Which losses compile into one graph, and why the others cannot."""

import inspect

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_map

from cvcourse import losses
from cvcourse.losses._distances import _PairwiseDistances
from tests.losses.examples import LOSSES, MINERS, MODULES, OF_GRAPHS, convert, leaves

NOT_ONE_GRAPH = {
    "batch_all_triplet_loss": "the number of positive pairs is a shape that depends on the labels",
    "mine_batch_hard": "returns as many indices as there are anchors with a triplet",
    "mine_distance_weighted": "returns as many indices as there are pairs in reach; random",
    "mine_semi_hard": "returns as many indices as there are semi-hard triplets",
}


def test_every_public_name_has_an_example():
    assert sorted([*LOSSES, *MINERS, *MODULES, *OF_GRAPHS]) == sorted(losses.__all__)
    assert set(NOT_ONE_GRAPH) < set(losses.__all__)


@pytest.fixture(autouse=True)
def _forget_other_graphs():
    torch._dynamo.reset()


@pytest.fixture(autouse=True)
def _as_users_have_it(monkeypatch):
    """PyTorch before 2.10 cannot trace the tests' wrapper inside an autograd function."""
    for name in ("forward", "backward"):
        plain = inspect.unwrap(getattr(_PairwiseDistances, name))
        monkeypatch.setattr(_PairwiseDistances, name, staticmethod(plain))


def one_graph(f):
    return torch.compile(f, fullgraph=True, backend="aot_eager")


@pytest.mark.as_user
@pytest.mark.parametrize("name", sorted(LOSSES.keys() - NOT_ONE_GRAPH))
def test_one_graph_with_the_same_value_and_gradient(name):
    loss = getattr(losses, name)
    inputs = convert(LOSSES[name](), lambda x: x.requires_grad_())
    results = []
    for f in (loss, one_graph(loss)):
        value = f(*inputs)
        results.append(
            [value, *torch.autograd.grad(value.sum(), leaves(inputs), allow_unused=True)]
        )
    torch.testing.assert_close(*results)


@pytest.mark.as_user
def test_hard_negatives_in_one_graph():
    inputs = MINERS["mine_hard_negatives"]()
    want = losses.mine_hard_negatives(*inputs)
    torch.testing.assert_close(one_graph(losses.mine_hard_negatives)(*inputs), want)


@pytest.mark.as_user
def test_feature_extractor_in_one_graph():
    extractor, images = MODULES["FeatureExtractor"](), torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(one_graph(extractor)(images), extractor(images))


@pytest.mark.as_user
@pytest.mark.parametrize("name", sorted(NOT_ONE_GRAPH))
def test_the_others_still_compile_in_pieces(name):
    if name == "mine_distance_weighted":
        pytest.skip("random, and compiled random numbers need not be the same")
    f = getattr(losses, name)
    inputs = (LOSSES | MINERS)[name]()
    torch.testing.assert_close(torch.compile(f, backend="eager")(*inputs), f(*inputs))


@pytest.mark.as_user
@pytest.mark.parametrize("name", sorted(LOSSES.keys() - NOT_ONE_GRAPH.keys()))
def test_fake_tensors_are_never_looked_at(name):
    """They have shapes, dtypes and devices, also of a GPU that is not there, but no values."""
    (inputs, options), mode = (LOSSES[name](), {}), FakeTensorMode()
    want = getattr(losses, name)(*inputs, **options)
    fake = tree_map(lambda x: mode.from_tensor(x) if isinstance(x, torch.Tensor) else x, inputs)
    with mode:
        got = getattr(losses, name)(*fake, **options)
    assert type(got).__name__ == "FakeTensor"
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
