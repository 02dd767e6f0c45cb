import pytest
import torch

from cvcourse.classroom.subjects.regions import segment_boxes
from cvcourse.ops import box_iou

SQUARE, BAR = (8, 10, 28, 30), (28, 10, 36, 30)  # side by side


@pytest.fixture
def image():
    picture = torch.full((3, 48, 64), 0.1)
    for (x1, y1, x2, y2), colour in ((SQUARE, (0.9, 0.1, 0.1)), (BAR, (0.1, 0.2, 0.9))):
        picture[:, y1:y2, x1:x2] = torch.tensor(colour)[:, None, None]
    return picture


def test_boxes_regions_and_neighbours(image):
    boxes = segment_boxes(image, scales=(100,), sigma=0.0)
    both = (8, 10, 36, 30)
    everything = (0, 0, 64, 48)
    assert {tuple(box) for box in boxes.tolist()} == {SQUARE, BAR, both, everything}


def test_keeps_boxes_of_the_sizes_asked_for(image):
    boxes = segment_boxes(image, scales=(100,), sigma=0.0, least=20, most=40)
    assert {tuple(box) for box in boxes.tolist()} == {SQUARE, (8, 10, 36, 30)}


def test_gives_no_near_copies(image):
    boxes = segment_boxes(image, scales=(50, 100, 300))
    overlap = box_iou(boxes, boxes).fill_diagonal_(0)
    assert overlap.max() <= 0.8


def test_order_is_random_and_alike_for_a_generator(image):
    runs = [segment_boxes(image, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1, 2, 3)]
    assert torch.equal(runs[0], runs[1])
    assert any(not torch.equal(runs[0], other) for other in runs[2:])
