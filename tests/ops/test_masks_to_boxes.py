import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.ops import box_area, masks_to_boxes
from tests import oracle
from tests.oracles.fill_weights import ellipse_mask


def naive(mask, inclusive):
    pixels = mask.nonzero().tolist()
    if not pixels:
        return [0, 0, 0, 0]
    rows, columns = zip(*pixels, strict=True)
    edge = 0 if inclusive else 1
    return [min(columns), min(rows), max(columns) + edge, max(rows) + edge]


@pytest.mark.parametrize("inclusive", [True, False])
@given(seed=st.integers(0, 99), density=st.sampled_from([0.02, 0.3, 1.0]))
def test_naive_loop(inclusive, seed, density):
    generator = torch.Generator().manual_seed(seed)
    masks = torch.rand(3, 7, 9, generator=generator) < density
    want = torch.tensor([naive(mask, inclusive) for mask in masks]).float()
    assert torch.equal(masks_to_boxes(masks, inclusive=inclusive), want)


def test_boxes_of_ellipses_golden():
    boxes = oracle.goldens()["mask/gt_boxes_of_ellipses"]
    masks = torch.stack([ellipse_mask(box, 80, 100) for box in boxes])
    assert torch.equal(masks_to_boxes(masks, inclusive=False), boxes)


def test_area_counts_pixels_only_with_far_edges():
    masks = torch.zeros(2, 5, 6)
    masks[0, 2, 3] = masks[1] = 1
    assert box_area(masks_to_boxes(masks)).tolist() == [0, 20]
    assert box_area(masks_to_boxes(masks, inclusive=False)).tolist() == [1, 30]


@pytest.mark.parametrize("shape", [(0, 4, 5), (2, 0, 5), (2, 4, 0), (2, 4, 5)], ids=str)
def test_empty_everything(shape):
    boxes = masks_to_boxes(torch.zeros(shape))
    assert torch.equal(boxes, torch.zeros(shape[0], 4))


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float16], ids=str)
def test_dtypes(dtype):
    mask = torch.tensor([[[0, 0, 0], [0, 1, 1]]]).to(dtype)
    assert masks_to_boxes(mask).tolist() == [[1, 1, 2, 1]]


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match=r"masks must have shape .* got \(4, 4\)"):
        masks_to_boxes(torch.zeros(4, 4))
