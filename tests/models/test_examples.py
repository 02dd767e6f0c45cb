import pytest
import torch
from torch import nn

from cvcourse import models
from tests.models.examples import NETWORKS, arguments, network


def test_every_network_is_here():
    public = {name: getattr(models, name) for name in models.__all__}
    networks = {k for k, v in public.items() if isinstance(v, type) and issubclass(v, nn.Module)}
    assert set(NETWORKS) == networks


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_it_runs(name):
    model = network(name).eval()
    with torch.no_grad():
        model(*arguments(name))
