import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.ops import decode_distances, encode_distances
from tests import oracle
from tests.ops.boxes import box_lists, random_boxes


@pytest.mark.parametrize("normalize", [True, False])
def test_goldens_torchvision(normalize):
    goldens = oracle.goldens()
    boxes, anchors = goldens["coder/gt"], goldens["coder/proposals"]
    got = encode_distances(boxes, anchors, normalize=normalize)
    want = goldens[f"linear_coder/encode_norm{normalize}"]
    torch.testing.assert_close(got, want, rtol=0, atol=1e-6)
    codes = goldens["coder/codes"][:, :4].clamp(-5, 5)  # as the golden was made
    got = decode_distances(codes, anchors, normalize=normalize)
    want = goldens[f"linear_coder/decode_norm{normalize}"]
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)


def test_by_hand():
    box, anchor = torch.tensor([0.0, 0, 10, 20]), torch.tensor([2.0, 2, 6, 10])
    assert encode_distances(box, anchor, normalize=False).tolist() == [4, 6, 6, 14]
    assert encode_distances(box, anchor).tolist() == [1, 0.75, 1.5, 1.75]
    assert encode_distances(anchor, box, normalize=False).tolist() == [3, 8, 1, 0]  # touches


@given(box_lists(3, 3), box_lists(3, 3), st.booleans())
def test_there_and_back(boxes, anchors, normalize):
    distances = encode_distances(boxes, anchors, normalize=normalize)
    back = decode_distances(distances, anchors, normalize=normalize)
    torch.testing.assert_close(back, boxes, rtol=0, atol=1e-12)


def test_gradcheck_and_empty():
    boxes, anchors = random_boxes(3).requires_grad_(), random_boxes(3).requires_grad_()
    assert torch.autograd.gradcheck(encode_distances, (boxes, anchors))
    assert torch.autograd.gradcheck(decode_distances, (boxes, anchors))
    assert encode_distances(torch.zeros(2, 0, 4), torch.zeros(0, 4)).shape == (2, 0, 4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype):
    boxes, anchors = (random_boxes(4).to(dtype) for _ in range(2))
    want = encode_distances(boxes.float(), anchors.float())
    assert torch.equal(encode_distances(boxes, anchors), want)


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="boxes must have shape"):
        encode_distances(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="distances must have shape"):
        decode_distances(torch.zeros(2, 3), torch.zeros(2, 4))
