"""What holds for every detector: odd inputs, bad inputs, learning, devices of deployment."""

import copy

import pytest
import torch

from cvcourse.models.detection.efficientdet import EfficientDet
from cvcourse.models.detection.faster_rcnn import FasterRCNN
from cvcourse.models.detection.fcos import FCOS
from cvcourse.models.detection.retinanet import RetinaNet
from cvcourse.models.instances.mask_rcnn import MaskRCNN
from cvcourse.ops import box_iou
from tests.models.small import small_batch, small_detector

DETECTORS = [FasterRCNN, MaskRCNN, RetinaNet, FCOS, EfficientDet]
every_detector = pytest.mark.parametrize("detector", DETECTORS)


def _batch(detector):
    return small_batch(masks=detector is MaskRCNN)


def _without_objects(target):
    return {name: values[:0] for name, values in target.items()}


@every_detector
def test_training_lowers_the_loss(detector):
    model = small_detector(detector)
    images, targets = _batch(detector)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    totals = []
    for _ in range(3):
        torch.manual_seed(0)  # the same sample of anchors and regions
        total = sum(model(images, targets).values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[2] < totals[1] < totals[0]


@every_detector
def test_learns_two_pictures_by_heart(detector):
    torch.manual_seed(0)
    model = small_detector(detector)
    images, targets = _batch(detector)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(120 if detector in (FasterRCNN, MaskRCNN) else 60):
        optimizer.zero_grad()
        sum(model(images, targets).values()).backward()
        optimizer.step()
    with torch.no_grad():
        detections = model.eval()(images)
    for found, target in zip(detections, targets, strict=True):
        sure = found["scores"] > 0.4
        overlap, best = box_iou(target["boxes"], found["boxes"][sure]).max(dim=1)
        assert overlap.min() > 0.7
        assert torch.equal(found["labels"][sure][best], target["labels"])


@every_detector
def test_detections_are_sorted_and_inside_their_pictures(detector):
    model = (
        small_detector(detector, score_thresh=0.0)
        if detector
        not in (
            FasterRCNN,
            MaskRCNN,
        )
        else small_detector(detector, box_score_thresh=0.0)
    )
    images, _ = _batch(detector)
    with torch.no_grad():
        detections = model.eval()(images)
    for image, found in zip(images, detections, strict=True):
        height, width = image.shape[-2:]
        count = len(found["boxes"])
        assert count > 0
        assert found["labels"].shape == found["scores"].shape == (count,)
        assert (found["scores"].diff() <= 0).all()
        assert (found["boxes"] >= 0).all()
        assert (found["boxes"] <= torch.tensor([width, height, width, height])).all()
        if detector is MaskRCNN:
            assert found["masks"].shape == (count, 1, height, width)


@every_detector
def test_nothing_is_found_above_a_threshold_of_one(detector):
    name = "box_score_thresh" if detector in (FasterRCNN, MaskRCNN) else "score_thresh"
    model = small_detector(detector, **{name: 1.0}).eval()
    images, _ = _batch(detector)
    with torch.no_grad():
        for image, found in zip(images, model(images), strict=True):
            assert found["boxes"].shape == (0, 4)
            assert found["scores"].shape == found["labels"].shape == (0,)
            if detector is MaskRCNN:
                assert found["masks"].shape == (0, 1, *image.shape[-2:])


@every_detector
@pytest.mark.parametrize("empty", ["one picture", "all pictures"])
def test_pictures_without_objects(detector, empty):
    model = small_detector(detector)
    images, targets = _batch(detector)
    targets[0] = _without_objects(targets[0])
    if empty == "all pictures":
        targets[1] = _without_objects(targets[1])
    losses = model(images, targets)
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@every_detector
def test_targets_and_images_are_left_alone(detector):
    model = small_detector(detector, min_size=40, max_size=64)
    images, targets = _batch(detector)
    before = copy.deepcopy((images, targets))
    model(images, targets)
    for image, old in zip(images, before[0], strict=True):
        assert torch.equal(image, old)
    for target, old in zip(targets, before[1], strict=True):
        assert target.keys() == old.keys()
        assert all(torch.equal(target[k], old[k]) for k in target)


@every_detector
def test_one_picture_at_a_time_gives_the_same_detections(detector):
    """Of equal sizes: padding would show at the borders."""
    model = small_detector(detector).eval()
    images = [torch.rand(3, 48, 48), torch.rand(3, 48, 48)]
    with torch.no_grad():
        together = model(images)
        alone = [model([image])[0] for image in images]
    for one, other in zip(together, alone, strict=True):
        assert one["labels"].tolist() == other["labels"].tolist()
        torch.testing.assert_close(one["boxes"], other["boxes"], atol=1e-3, rtol=1e-4)


@every_detector
def test_bfloat16_autocast_trains_and_detects(detector):
    model = small_detector(detector)
    images, targets = _batch(detector)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model(images, targets)
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for found in model.eval()(images):
            assert found["boxes"].dtype == torch.float32


@every_detector
def test_survives_a_copy(detector):
    """`copy.deepcopy` and pickling, as data-parallel training and `torch.save` do."""
    model = small_detector(detector)
    twin = copy.deepcopy(model)
    images, targets = _batch(detector)
    torch.manual_seed(0)
    losses = model(images, targets)
    torch.manual_seed(0)
    for name, loss in twin(images, targets).items():
        assert torch.equal(loss, losses[name])


def _heads(model):
    """The parts of a detector between pyramid and boxes, whose work does not depend on values."""
    if isinstance(model, FasterRCNN):
        return [model.rpn.head]
    return [model.class_net, model.box_net] if isinstance(model, EfficientDet) else [model.head]


@pytest.mark.as_user
@every_detector
def test_heads_export_and_compile(detector):
    levels = [torch.rand(1, 16, 8 >> i, 8 >> i) for i in range(3)]
    for head in _heads(small_detector(detector).eval()):
        expected = head(levels)
        exported = torch.export.export(head, (levels,)).module()(levels)
        compiled = torch.compile(head, fullgraph=True, backend="aot_eager")(levels)
        torch.testing.assert_close(exported, expected)
        torch.testing.assert_close(compiled, expected)


BAD_TARGETS = {
    "no targets": (
        lambda t: None,
        r"targets: expected one dictionary for each of 2 images .* got None",
    ),
    "too few": (lambda t: t[:1], r"targets: .* got 1"),
    "no labels": (lambda t: [t[0], {"boxes": t[1]["boxes"]}], r"targets\[1\]: no \['labels'"),
    "boxes of 5": (
        lambda t: [t[0], {**t[1], "boxes": torch.ones(1, 5)}],
        r"targets\[1\]\['boxes'\]: expected floats of shape \(boxes, 4\), .* of shape \(1, 5\)",
    ),
    "integer boxes": (
        lambda t: [t[0], {**t[1], "boxes": t[1]["boxes"].long()}],
        r"targets\[1\]\['boxes'\]: .* got torch\.int64",
    ),
    "flat empty boxes": (
        lambda t: [t[0], {**t[1], "boxes": torch.zeros(0)}],
        r"\(0, 4\) where nothing is to be found, .* of shape \(0,\)",
    ),
    "x2 = x1": (
        lambda t: [{**t[0], "boxes": torch.tensor([[1.0, 1, 5, 5], [9, 1, 9, 5]])}, t[1]],
        r"targets\[0\]\['boxes'\]\[1\]: expected finite x1 < x2 .* got \[9\.0, 1\.0, 9\.0, 5\.0\]",
    ),
    "nan": (
        lambda t: [t[0], {**t[1], "boxes": torch.tensor([[0.0, 0.0, torch.nan, 5.0]])}],
        r"targets\[1\]\['boxes'\]\[0\]: .* nan",
    ),
    "infinite": (
        lambda t: [t[0], {**t[1], "boxes": torch.tensor([[0.0, 0.0, torch.inf, 5.0]])}],
        r"targets\[1\]\['boxes'\]\[0\]: .* inf",
    ),
    "label too high": (
        lambda t: [{**t[0], "labels": torch.tensor([1, 7])}, t[1]],
        r"targets\[0\]\['labels'\]\[1\]: expected [01] to [23], got 7",
    ),
    "float labels": (
        lambda t: [{**t[0], "labels": torch.tensor([1.0, 2.0])}, t[1]],
        r"targets\[0\]\['labels'\]: expected int64 of shape \(2,\), got torch\.float32",
    ),
}


@pytest.mark.as_user
@every_detector
@pytest.mark.parametrize("kind", BAD_TARGETS)
def test_bad_targets_are_named(detector, kind):
    change, message = BAD_TARGETS[kind]
    images, targets = _batch(detector)
    if detector is MaskRCNN:  # masks that fit whatever the boxes are
        sizes = [len(t["boxes"]) for t in (change(targets) or targets)]
        for target, image, size in zip(targets, images, sizes, strict=False):
            target["masks"] = torch.zeros(size, *image.shape[-2:])
    with pytest.raises(ValueError, match=message):
        small_detector(detector)(images, change(targets))


@pytest.mark.as_user
@every_detector
@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "images: expected at least one"),
        ([torch.rand(3, 9, 9), torch.rand(9, 9)], r"images\[1\]: .* of shape \(9, 9\)"),
        ([torch.rand(1, 3, 9, 9)], r"images\[0\]: .* of shape \(1, 3, 9, 9\)"),
        ([torch.rand(1, 9, 9)], r"images\[0\]: expected floats of shape \(3, height, width\)"),
        ([torch.ones(3, 9, 9, dtype=torch.uint8)], r"images\[0\]: .* got torch\.uint8"),
        ([torch.rand(3, 0, 9)], r"images\[0\]: .* of shape \(3, 0, 9\)"),
    ],
)
def test_bad_images_are_named(detector, images, message):
    with pytest.raises(ValueError, match=message):
        small_detector(detector).eval()(images)


@pytest.mark.as_user
@pytest.mark.parametrize("detector", [FasterRCNN, RetinaNet])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"anchor_sizes": ((8,), (16, 20), (32,))},
            "anchor_sizes, aspect_ratios: expected as many",
        ),
        ({"aspect_ratios": ((1.0,), (1.0,))}, "anchor_sizes, aspect_ratios: expected as many"),
    ],
)
def test_uneven_anchors_are_refused(detector, options, message):
    with pytest.raises(ValueError, match=message):
        small_detector(detector, **options)


@pytest.mark.as_user
@pytest.mark.parametrize("detector", [FasterRCNN, RetinaNet, FCOS])
def test_anchors_for_other_levels_are_refused(detector):
    sizes = (8, 16) if detector is FCOS else ((8,), (16,))
    with pytest.raises(
        ValueError, match="anchor_sizes: expected one entry for each of 3 feature maps"
    ):
        small_detector(detector, anchor_sizes=sizes).eval()([torch.rand(3, 32, 32)])
