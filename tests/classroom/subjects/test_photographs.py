import numpy as np
import pytest
import torch
from skimage.draw import disk

from cvcourse.classroom.subjects.photographs import coins, mask_at, pieces_by_threshold
from cvcourse.data import pictures
from cvcourse.metrics import match_detections
from cvcourse.ops import masks_to_boxes


@pytest.mark.parametrize("zoom", [0.5, 0.75, 1, 1.75])
def test_sizes_and_places(zoom):
    photograph = coins(zoom)
    _, height, width = photograph.image.shape
    assert (height, width) == (round(303 * zoom), round(384 * zoom))
    assert photograph.boxes.shape == (24, 4)
    tight = masks_to_boxes(photograph.masks, inclusive=False)
    assert (tight - photograph.boxes).abs().max() <= 1
    inside = photograph.image[0][photograph.masks.any(0)].mean()
    assert inside > photograph.image[0][~photograph.masks.any(0)].mean() + 0.2


def test_original_size_is_the_original():
    assert torch.equal(coins().image, pictures.load("coins"))


def test_masks_are_disks_as_scikit_image_draws_them():
    photograph = coins()
    for (x, y, radius), mask in zip(photograph.circles.tolist(), photograph.masks, strict=True):
        expected = np.zeros(mask.shape, dtype=bool)
        expected[disk((y - 0.5, x - 0.5), radius)] = True
        assert np.array_equal(mask, expected)


def test_sides_that_strides_divide():
    photograph = coins(1.75, multiple=32)
    assert photograph.image.shape == (3, 512, 672)
    assert photograph.masks.shape == (24, 512, 672)
    assert torch.equal(photograph.boxes, coins(1.75).boxes)
    with pytest.raises(ValueError, match="256 x 384 of 303 x 384 pixels, which cuts off coins"):
        coins(multiple=128)


@pytest.mark.parametrize("zoom", [0.6, 0.75, 1, 1.5])
def test_the_classical_way_finds_each_coin(zoom):
    photograph = coins(zoom)
    pieces = pieces_by_threshold(photograph.image)
    assert pieces.shape == photograph.masks.shape
    boxes = masks_to_boxes(pieces, inclusive=False).float()
    claimed = match_detections(boxes, torch.ones(24), photograph.boxes)
    assert claimed.sort().values.tolist() == list(range(24))


@pytest.mark.parametrize("zoom", [0.25, 0.5, 1, 2])
def test_who_knows_the_truth_at_any_zoom_is_right_at_the_photographs_own_size(zoom):
    truth = coins().masks.any(0)

    def knows(scaled):
        assert abs(scaled.mean()) < 1e-5
        circles = torch.zeros(1, 1, 304, 384)
        circles[0, 0, :303] = truth
        area = torch.nn.functional.interpolate(circles, scaled.shape[2:], mode="area")
        return area[:, 0] > 0.5

    found = torch.from_numpy(mask_at(knows, zoom))
    assert found.shape == truth.shape
    assert (found & truth).sum() / (found | truth).sum() > 0.9
