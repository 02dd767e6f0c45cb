"""Under autocast every op says what it says without, in half, single and double precision."""

import pytest
import torch

from cvcourse import ops
from tests.ops.calls import calls

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def test_every_op_is_here():
    assert set(calls()) == set(ops.__all__)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", sorted(calls()))
def test_same_value(name, dtype):
    function = getattr(ops, name)
    arguments, options = calls(dtype)[name]
    want = function(*arguments, **options)
    with torch.autocast("cpu", dtype=dtype if dtype == torch.float16 else torch.bfloat16):
        got = function(*arguments, **options)
    torch.testing.assert_close(got, want, rtol=0, atol=0)
