"""Every op says what it says, in half precision and under autocast: it rounds once, at the end."""

import pytest
import torch

from cvcourse import ops
from tests.ops.calls import calls

HALVES = [torch.float16, torch.bfloat16]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def test_every_op_is_here():
    assert set(calls()) == set(ops.__all__)


def convert(value, to):
    """`to` applied to every tensor, also those in lists."""
    if isinstance(value, (list, tuple)):
        return type(value)(convert(v, to) for v in value)
    return to(value) if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("name", sorted(calls()))
def test_half_precision_is_computed_in_float32(name, dtype):
    function, (arguments, options) = getattr(ops, name), calls(dtype)[name]
    wide = convert(arguments, lambda x: x.float() if x.is_floating_point() else x)
    got = function(*arguments, **options)
    want = function(*wide, **{key: value for key, value in options.items() if key != "dtype"})
    for g, w in zip(
        *(x if isinstance(x, (tuple, list)) else (x,) for x in (got, want)), strict=True
    ):
        assert torch.equal(g, w.to(g.dtype))


OF_INTEGER_BOXES = [
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes",
    "complete_box_iou",
    "distance_box_iou",
    "encode_boxes",
    "encode_distances",
    "fpn_level",
    "generalized_box_iou",
    "nms",
    "remove_small_boxes",
]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.uint16, torch.int16], ids=str)
@pytest.mark.parametrize("name", OF_INTEGER_BOXES)
def test_narrow_integers_do_not_wrap(name, dtype):
    function, (arguments, options) = getattr(ops, name), calls()[name]
    whole = convert(arguments, lambda x: (3 * x).long())
    got = function(*convert(whole, lambda x: x.to(dtype)), **options)
    torch.testing.assert_close(got, function(*whole, **options), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", sorted(calls()))
def test_same_value(name, dtype):
    function = getattr(ops, name)
    arguments, options = calls(dtype)[name]
    want = function(*arguments, **options)
    with torch.autocast("cpu", dtype=dtype if dtype == torch.float16 else torch.bfloat16):
        got = function(*arguments, **options)
    torch.testing.assert_close(got, want, rtol=0, atol=0)
