"""Inputs on a GPU give what they give on the CPU."""

import pytest
import torch

from cvcourse import ops
from tests.ops.calls import calls


def to_cuda(value):
    if isinstance(value, torch.Tensor):
        return value.cuda()
    return [to_cuda(x) for x in value] if isinstance(value, list) else value


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
@pytest.mark.parametrize("name", sorted(calls()))
def test_same_as_on_the_cpu(name):
    function = getattr(ops, name)
    arguments, options = calls()[name]
    want = function(*arguments, **options)
    if "dtype" in options:  # made from numbers alone
        options = options | {"device": "cuda"}
    got = function(*to_cuda(list(arguments)), **options)
    torch.testing.assert_close(got, want, check_device=False, rtol=1e-5, atol=1e-5)
