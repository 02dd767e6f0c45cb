"""Which ops compile into one graph, and why the others cannot."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_leaves, tree_map

from cvcourse import ops
from tests.ops.calls import calls

NOT_ONE_GRAPH = {
    "batched_nms": "how many boxes stay depends on values",
    "crop_masks": "the number of samples depends on the size of the boxes",
    "nms": "how many boxes stay depends on values",
    "paste_masks": "the part of the image that a mask covers depends on its box",
    "remove_small_boxes": "how many boxes stay depends on values; recent PyTorch allows it",
    "roi_pool": "the number of pixels in a cell depends on the size of the box",
    "splat_points": "how many points a pixel sees depends on values",
    "soft_nms": "how many boxes stay depends on values",
}
GRAPHS = sorted(set(calls()) - set(NOT_ONE_GRAPH))
DIFFERENTIABLE = [
    "box_iou",
    "complete_box_iou",
    "decode_boxes",
    "generalized_box_iou",
    "max_unpool",
    "roi_align",
    "warp",
]


@pytest.fixture(autouse=True)
def _compile_afresh():
    """All ops share the code of one wrapper, which is compiled eight times at most."""
    torch.compiler.reset()


def test_every_exception_is_an_op():
    assert set(NOT_ONE_GRAPH) < set(ops.__all__)


@pytest.mark.as_user
@pytest.mark.parametrize("name", GRAPHS)
def test_one_graph_and_the_same_value(name):
    function = getattr(ops, name)
    arguments, options = calls()[name]
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    got, want = compiled(*arguments, **options), function(*arguments, **options)
    torch.testing.assert_close(got, want)


@pytest.mark.as_user
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_same_gradient(name):
    function = getattr(ops, name)
    (first, *others), options = calls()[name]
    first = first.clone().requires_grad_()
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    gradients = [
        torch.autograd.grad(f(first, *others, **options).sum(), first)[0]
        for f in (compiled, function)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.as_user
@pytest.mark.parametrize("name", sorted(set(NOT_ONE_GRAPH) - {"remove_small_boxes"}))
def test_the_others_say_so(name):
    """If one of these compiles some day, its reason above and its docstring are out of date."""
    arguments, options = calls()[name]
    compiled = torch.compile(getattr(ops, name), fullgraph=True, backend="eager")
    said = r"data.dependent|graph break|unsupported|guard"
    before_2_9 = r"dynamic control flow|dynamic shape|for tolist"
    with pytest.raises(Exception, match=rf"(?i){said}|{before_2_9}"):
        compiled(*arguments, **options)


@pytest.mark.as_user
@pytest.mark.parametrize("name", sorted(calls().keys() - NOT_ONE_GRAPH.keys()))
def test_fake_tensors_are_never_looked_at(name):
    """They have shapes, dtypes and devices, also of a GPU that is not there, but no values."""
    (inputs, options), mode = (calls()[name]), FakeTensorMode()
    want = getattr(ops, name)(*inputs, **options)
    fake = tree_map(lambda x: mode.from_tensor(x) if isinstance(x, torch.Tensor) else x, inputs)
    with mode:
        got = getattr(ops, name)(*fake, **options)
    for g, w in zip(tree_leaves(got), tree_leaves(want), strict=True):
        assert type(g).__name__ == "FakeTensor"
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
