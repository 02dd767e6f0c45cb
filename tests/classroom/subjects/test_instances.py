import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from cvcourse import ops
from cvcourse.classroom.subjects import instances
from cvcourse.classroom.subjects.detecting import SHAPES, DetectionData, Kept, shape_scenes
from cvcourse.classroom.subjects.outlines import drawn, filled, mask_iou

BOXES = torch.tensor([[10.0, 10, 30, 30], [40, 40, 60, 70]])


@pytest.fixture
def data():
    scenes = Kept(shape_scenes(2, "val"), keys=("boxes", "labels", "masks"))
    return DetectionData("scenes", SHAPES, scenes, scenes, photographs=False)


def test_small_models_start_alike_for_one_seed(data):
    for make in (instances.mask_rcnn, instances.polar_mask):
        one, same, other = (make(data, seed=seed).state_dict() for seed in (1, 1, 2))
        assert all(a.equal(b) for a, b in zip(one.values(), same.values(), strict=True))
        assert not all(a.equal(b) for a, b in zip(one.values(), other.values(), strict=True))


def test_one_level_is_pooled_at_its_stride():
    pooled = instances.on_one_level(ops.roi_pool, 8)
    level = torch.randn(1, 3, 12, 12)
    ours = pooled([level], [BOXES], [(96, 96)], 5, canonical_size=224)
    assert ours.equal(ops.roi_pool(level, [BOXES], 5, 1 / 8))


def test_given_boxes_get_masks(data):
    model = instances.mask_rcnn(data, seed=0)
    probabilities, labels = instances.segment(model, data.test.images[0], BOXES)
    assert probabilities.shape == (2, 96, 96)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert set(labels.tolist()) <= {1, 2, 3, 4}


def test_frozen_level_is_the_detectors_own(data):
    model = instances.mask_rcnn(data, seed=0).train()
    level = instances.frozen(model, data.test.images, "1")
    assert level.shape == (2, 32, 12, 12)
    assert model.training
    assert not level.requires_grad
    batch, _ = model.eval().prepare(data.test.images, training=False)
    with torch.no_grad():
        torch.testing.assert_close(level, model.backbone(batch.tensors)["1"])


def test_a_mask_branch_learns_what_it_reads_and_pastes_it():
    targets = [{"boxes": BOXES, "labels": torch.tensor([1, 2]), "masks": filled(BOXES, (96, 96))}]
    regions = torch.zeros(2, 1, 4, 4)
    regions[0, 0, :, :2], regions[1, 0, :2] = 8, 8  # left half, upper half
    grids = (regions[:, 0] / 8).repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.manual_seed(0)
    branch = torch.nn.ConvTranspose2d(1, 3, 2, 2)
    learner = (regions.repeat(32, 1, 1, 1), torch.tensor([1, 2] * 32), grids.repeat(32, 1, 1))
    instances.learn_masks(branch, *learner, steps=300)
    (masks,) = instances.asked_masks(branch, regions, targets)
    halves = torch.tensor([[10.0, 10, 20, 30], [40, 40, 60, 55]])
    assert mask_iou(masks, filled(halves, (96, 96))).min() > 0.85


def test_masks_belong_to_the_object_that_they_overlap_most():
    truth = filled(BOXES, (96, 96))
    shifted = filled(BOXES[[1, 0]] + torch.tensor([5.0, 0, 5, 0]), (96, 96))
    nothing = filled(torch.tensor([[80.0, 80, 90, 90]]), (96, 96))
    ids, overlap = instances.matched(torch.cat([shifted, nothing]), truth)
    assert ids.tolist() == [1, 0, 4]
    assert overlap == pytest.approx((15 / 25 + 15 / 25) / 2)
    ids, overlap = instances.matched(truth[:0], truth)
    assert (len(ids), overlap) == (0, 0)


def test_gallery_has_a_row_for_each_model(data):
    answers = [
        {"masks": t["masks"], "scores": torch.ones(len(t["masks"]))} for t in data.test.targets
    ]
    figure = instances.compare_masks(
        data.test.images, data.test.targets, {"perfect": answers}, [0, 1], title="Perfect"
    )
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert titles == ["truth, picture 0", "truth, picture 1", "perfect: 1.00", "perfect: 1.00"]


def test_perfect_rays_draw_a_disk_and_fill_a_ring():
    target = {"masks": torch.cat([drawn("disk", 100), drawn("ring", 100)])}
    (answer,) = instances.perfect_rays([target], 36)
    assert answer["scores"].tolist() == [1, 1]
    disk, ring = mask_iou(answer["masks"], target["masks"]).tolist()
    assert disk > 0.98
    assert 0.6 < ring < 0.8  # the hole is lost


def test_three_notations_are_shown():
    titles = {"a grid": 0.9, "rays": 0.8, "a polygon": 0.95}
    corners = np.array([[5.0, 5], [15, 5], [10, 15]])
    figure = instances.show_notations(
        torch.rand(3, 20, 20), titles, torch.ones(4, 4) > 0, torch.tensor([5.0, 5, 15, 15]),
        torch.tensor([10.0, 8]), torch.from_numpy(corners), corners,
    )  # fmt: skip
    assert [axes.get_title() for axes in figure.axes] == [
        "a grid\nIoU 0.900", "rays\nIoU 0.800", "a polygon\nIoU 0.950",
    ]  # fmt: skip


def test_rays_are_drawn_from_their_centre():
    _, axes = plt.subplots()
    instances.draw_rays(
        axes, torch.rand(3, 20, 20), torch.tensor([[10.0, 10]]), torch.full((1, 6), 5.0)
    )
    assert len(axes.lines) == 6
    assert axes.lines[0].get_xydata().tolist() == [[10, 10], [10, 15]]


def test_places_are_coloured_and_the_best_have_rays():
    places = torch.tensor([[4.0, 4], [10, 10], [15, 4]])
    figure = instances.show_places(
        torch.rand(3, 20, 20), places, torch.tensor([0.2, 0.9, 0.4]), [1], torch.full((3, 6), 5.0)
    )
    (dots,) = figure.axes[0].collections
    assert dots.get_offsets().tolist() == places.tolist()
    assert dots.get_array().tolist() == pytest.approx([0.2, 0.9, 0.4])
    assert [line.get_xydata()[0].tolist() for line in figure.axes[1].lines] == [[10, 10]] * 6


def test_photographs_of_the_gallery_lose_their_colours():
    picture = torch.tensor([0.0, 0.3, 0.9])[:, None, None].expand(3, 2, 4)
    torch.testing.assert_close(instances.grey(picture), torch.full((3, 2, 4), 0.4))
