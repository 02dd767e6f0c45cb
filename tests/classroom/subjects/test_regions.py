import pytest
import torch

from cvcourse.classroom.subjects import detecting
from cvcourse.classroom.subjects.regions import (
    covered,
    covered_of_neighbours,
    inexact_in_samples,
    look_again,
    random_boxes,
    segment_boxes,
)
from cvcourse.metrics import coco_average_precision
from cvcourse.models.detection.faster_rcnn import FasterRCNN
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


@pytest.mark.parametrize(("height", "width"), [(96, 96), (480, 640)])
def test_random_boxes_are_square_inside_and_of_the_objects_sizes(height, width):
    boxes = random_boxes(2000, torch.Generator().manual_seed(0), height, width)
    sides = (boxes[:, 2:] - boxes[:, :2]) * 96 / min(height, width)
    torch.testing.assert_close(sides[:, 0], sides[:, 1], atol=1e-3, rtol=0)
    assert 13.99 < sides.min() < 14.5
    assert 43.5 < sides.max() < 44.01
    assert boxes.min() >= 0
    assert boxes[:, 2].max() <= width + 1e-3
    assert boxes[:, 3].max() <= height + 1e-3
    assert boxes[:, 2].max() > 0.98 * width
    assert boxes[:, 3].max() > 0.98 * height


def test_covered_counts_objects_by_the_first_k_boxes():
    truth = {"boxes": torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])}
    boxes = torch.tensor([[0.0, 0, 10, 5], [40, 40, 50, 50], [20, 20, 30, 30]])  # IoU 0.5, 0, 1
    none = {"boxes": torch.zeros(0, 4)}
    counts = [covered([boxes, boxes], [truth, none], k).tolist() for k in (1, 2, 3)]
    assert counts == [[[1, 2], [0, 0]], [[1, 2], [0, 0]], [[2, 2], [0, 0]]]
    assert covered([boxes], [truth], 3, 0.75).tolist() == [[1, 2]]
    assert covered([], [], 3).shape == (0, 2)


def test_neighbours_are_told_from_objects_apart():
    near = torch.tensor([[0.0, 0, 10, 10], [4, 0, 14, 10], [50, 50, 60, 60], [10, 50, 20, 60]])
    found = near[[0, 2, 3]]
    told = covered_of_neighbours([found], [{"boxes": near}], 9)
    assert told == {"together": 0.5, "apart": 1.0}
    assert covered_of_neighbours([found], [{"boxes": near}], 2) == {"together": 0.5, "apart": 0.5}


def test_the_first_look_again_is_the_detector_and_the_next_gets_its_boxes(monkeypatch):
    torch.manual_seed(0)
    model = FasterRCNN(
        5, backbone=detecting.small_backbone(), min_size=None, anchor_sizes=((12,), (24,), (40,)),
        aspect_ratios=(1.0,), roi_levels=("0", "1", "2"), rpn_post_nms_top_n_test=20,
        box_representation_size=16, box_score_thresh=0.0,
    ).eval()  # fmt: skip
    scenes = detecting.Kept(detecting.shape_scenes(3, "val"))
    given, second_look = [], detecting.second_look
    monkeypatch.setattr(
        detecting, "second_look", lambda *args: given.append(args[2]) or second_look(*args)
    )
    found = detecting.detect(model, scenes.images)
    shift = torch.tensor([1.5, 0, 1.5, 0])
    targets = [{"boxes": f["boxes"][:3] + shift, "labels": f["labels"][:3]} for f in found]
    reports = look_again(model, scenes.images, targets, looks=2)
    report = coco_average_precision(found, targets)
    expected = {"AP": report["map"], "AP50": report["map_50"], "AP75": report["map_75"]}
    assert reports[0] == pytest.approx({name: float(value) for name, value in expected.items()})
    assert reports[0]["AP50"] > 0
    assert len(reports) == 2
    for boxes, answer in zip(given[1], found, strict=True):
        torch.testing.assert_close(boxes, answer["boxes"])


def test_boxes_of_objects_that_are_not_exact_are_counted_at_each_sample():
    model = FasterRCNN(
        5,
        backbone=detecting.small_backbone(),
        box_representation_size=8,
        box_batch_size_per_image=8,
    )
    counts = inexact_in_samples(model)
    truth = torch.tensor([[0.0, 0, 20, 20], [40, 40, 60, 60]])
    target = {"boxes": truth, "labels": torch.tensor([1, 2])}
    shift = torch.tensor([1.0, 0, 1, 0])
    none = {"boxes": truth[:0], "labels": target["labels"][:0]}
    model.roi_heads.sample_regions([truth[:1] + shift, truth[:1]], [target, none])
    model.roi_heads.sample_regions([truth[:0]], [target])
    assert counts == [0.5, 0]  # one moved box, in two pictures; then true boxes alone
