import math

import pytest
import torch
from hypothesis import given

from cvcourse.ops import decode_boxes, encode_boxes
from cvcourse.ops.box_deltas import CLIP
from tests import oracle
from tests.ops.boxes import box_lists, random_boxes

WEIGHTS = {"w1": (1.0, 1.0, 1.0, 1.0), "w10": (10.0, 10.0, 5.0, 5.0)}


@pytest.mark.parametrize("case", oracle.cases("box_encode"))
def test_encode_oracle_torchvision(case):
    oracle.assert_matches(case, lambda **inputs: {"deltas": encode_boxes(**inputs)})


@pytest.mark.parametrize("case", oracle.cases("box_decode"))
def test_decode_oracle_torchvision(case):
    oracle.assert_matches(case, lambda **inputs: {"boxes": decode_boxes(**inputs)})


@pytest.mark.parametrize("name", WEIGHTS)
def test_goldens_torchvision(name):
    goldens, weights = oracle.goldens(), WEIGHTS[name]
    boxes, anchors = goldens["coder/gt"], goldens["coder/proposals"]
    deltas = encode_boxes(boxes, anchors, weights=weights)
    torch.testing.assert_close(deltas, goldens[f"coder/encode_{name}"], rtol=0, atol=1e-6)
    back = decode_boxes(deltas, anchors, weights=weights)
    torch.testing.assert_close(back, goldens[f"coder/roundtrip_{name}"], rtol=0, atol=1e-6)
    of_two_classes = goldens["coder/codes"].unflatten(1, (2, 4))  # one dw is 1e4, one dh -1e4
    assert tuple(of_two_classes.shape) == tuple(goldens["coder/decode_list_shape"].tolist())
    decoded = decode_boxes(of_two_classes, anchors[:, None], weights=weights).flatten(1)
    torch.testing.assert_close(decoded, goldens[f"coder/decode_{name}"], rtol=0, atol=1e-6)


def test_clip_is_torchvisions():
    assert oracle.goldens()["coder/bbox_xform_clip"].item() == CLIP


def naive(box, anchor, weights):
    (x1, y1, x2, y2), (a, b, c, d) = box, anchor
    return [
        weights[0] * ((x1 + x2) / 2 - (a + c) / 2) / (c - a),
        weights[1] * ((y1 + y2) / 2 - (b + d) / 2) / (d - b),
        weights[2] * math.log((x2 - x1) / (c - a)),
        weights[3] * math.log((y2 - y1) / (d - b)),
    ]


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_naive_loop(weights):
    boxes, anchors = random_boxes(6), random_boxes(6)
    rows = zip(boxes.tolist(), anchors.tolist(), strict=True)
    want = torch.tensor([naive(*row, weights) for row in rows], dtype=torch.float64)
    torch.testing.assert_close(encode_boxes(boxes, anchors, weights=weights), want)


@given(box_lists(3, 3), box_lists(3, 3))
def test_there_and_back(boxes, anchors):
    back = decode_boxes(encode_boxes(boxes, anchors), anchors)
    torch.testing.assert_close(back, boxes, rtol=0, atol=1e-12)


def test_no_deltas_no_change():
    boxes = random_boxes(4)
    assert torch.equal(encode_boxes(boxes, boxes), torch.zeros(4, 4).double())
    torch.testing.assert_close(decode_boxes(torch.zeros(4, 4).double(), boxes), boxes)


def test_growth_is_limited():
    anchor = torch.tensor([[0.0, 0, 10, 10]])
    huge = decode_boxes(torch.tensor([[0.0, 0, 1e4, 1e4]]), anchor)
    torch.testing.assert_close(huge, torch.tensor([[-307.5, -307.5, 317.5, 317.5]]))
    huge = decode_boxes(torch.tensor([[0.0, 0, 1e4, 1e4]]), anchor, clip=math.log(2))
    torch.testing.assert_close(huge, torch.tensor([[-5.0, -5, 15, 15]]))


def test_shapes_broadcast_and_empty():
    boxes, anchors = random_boxes(6).view(2, 3, 4), random_boxes(3)
    want = torch.stack([encode_boxes(b, anchors) for b in boxes])
    assert torch.equal(encode_boxes(boxes, anchors), want)
    assert encode_boxes(boxes[:, :0], anchors[:0]).shape == (2, 0, 4)
    assert decode_boxes(torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0, 4)


def test_boxes_without_size():
    unit, point = torch.tensor([0.0, 0, 1, 1]), torch.tensor([0.5, 0.5, 0.5, 0.5])
    assert encode_boxes(point, unit).tolist() == [0, 0, -math.inf, -math.inf]
    assert decode_boxes(encode_boxes(point, unit), unit).tolist() == point.tolist()
    to_point = encode_boxes(unit, point)
    assert to_point[:2].isnan().all()
    assert (to_point[2:] == math.inf).all()


def test_gradcheck():
    boxes, anchors = random_boxes(3).requires_grad_(), random_boxes(3).requires_grad_()
    deltas = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(encode_boxes, (boxes, anchors))
    assert torch.autograd.gradcheck(decode_boxes, (deltas, anchors))
    assert torch.autograd.gradgradcheck(decode_boxes, (deltas, anchors))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype):
    boxes, anchors = ((random_boxes(4) * 40).to(dtype) for _ in range(2))
    want = encode_boxes(boxes.float(), anchors.float())
    assert torch.equal(encode_boxes(boxes, anchors), want)
    deltas = torch.randn(4, 4).to(dtype)
    want = decode_boxes(deltas.float(), anchors.float())
    assert torch.equal(decode_boxes(deltas, anchors), want)


@pytest.mark.as_user
def test_bad_input():
    boxes = torch.ones(2, 4)
    with pytest.raises(ValueError, match="weights must be four numbers, got 2"):
        encode_boxes(boxes, boxes, weights=(1, 1))
    with pytest.raises(ValueError, match="weights must be positive and finite, got 0"):
        decode_boxes(boxes, boxes, weights=(1, 1, 0, 1))
    with pytest.raises(ValueError, match=r"deltas must have shape \(..., 4\), got \(2, 8\)"):
        decode_boxes(torch.ones(2, 8), boxes)
    with pytest.raises(ValueError, match="anchors must have shape"):
        encode_boxes(boxes, boxes[:, :3])
