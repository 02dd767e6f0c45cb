"""No picture in, no picture out, where layers of PyTorch ask for one at least."""

import pytest
from torch.utils._pytree import tree_leaves

from tests.models.examples import arguments, network

NAMES = ["ALAEEncoder", "ALAEGenerator", "DynamicConv2d", "StarGANv2Generator", "Transporter"]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_empty(name, training):
    model, inputs = network(name).train(training), arguments(name)
    some, none = (tree_leaves(model(*(x[:n] for x in inputs))) for n in (2, 0))
    assert [x.shape for x in none] == [(0, *x.shape[1:]) for x in some]
