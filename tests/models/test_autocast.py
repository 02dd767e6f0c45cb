"""Every network under both autocasts: near float32 in value, and coordinates as exact as there."""

import copy

import pytest
import torch

from cvcourse import models
from tests.models.examples import NETWORKS, arguments, network, polar_mask, wide_batch
from tests.models.small import small_detector

# what a network of a few layers may lose: 8 and 11 bits a number, and some rounding on the way
HALVES = [(torch.bfloat16, 4e-2), (torch.float16, 4e-3)]
in_both_halves = pytest.mark.parametrize(("dtype", "digits"), HALVES, ids=["bf16", "fp16"])
BY_MAXIMA = {"DeconvNet", "ENet", "SegNet", "SegNetBasic"}  # a near tie can go to the other place
DETECTORS = {"EfficientDet", "FCOS", "FasterRCNN", "MaskRCNN", "PolarMask", "RetinaNet"} | {
    "PointRendRCNN"
}
EVERYTHING = {  # no suppression, no sampling: what remains does not depend on the last digits
    "rpn_nms_thresh": 1.0,
    "rpn_post_nms_top_n_train": 10**5,
    "rpn_post_nms_top_n_test": 10**5,
    "rpn_pre_nms_top_n_train": 10**5,
    "rpn_pre_nms_top_n_test": 10**5,
    "rpn_batch_size_per_image": 10**5,
    "rpn_positive_fraction": 1.0,
    "box_batch_size_per_image": 10**5,
    "box_positive_fraction": 1.0,
    "box_nms_thresh": 1.0,
    "box_score_thresh": 0.0,
    "box_detections_per_img": 10**5,
}
EVERY_PLACE = {
    "nms_thresh": 1.0,
    "score_thresh": 0.0,
    "topk_candidates": 10**5,
    "detections_per_img": 10**5,
}


def tensors(value) -> list[torch.Tensor]:
    """All tensors of a network's output, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [tensor for part in parts for tensor in tensors(part)]


def assert_near(got, want, digits):
    """Off by `digits` of the size of the values, in the mean square over each tensor."""
    for g, w in zip(tensors(got), tensors(want), strict=True):
        error = (g.double() - w.double()).square().mean().sqrt()
        assert error <= digits * w.double().square().mean().sqrt(), (error, w.double().std())


@in_both_halves
@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - DETECTORS))
def test_outputs(name, dtype, digits):
    model, inputs = network(name).eval(), arguments(name)
    with torch.no_grad():
        want = model(*inputs)
        with torch.autocast("cpu", dtype=dtype):
            got = model(*inputs)
    assert_near(got, want, digits * (6 if name in BY_MAXIMA else 1))


def detector(name: str) -> torch.nn.Module:
    if name == "PolarMask":
        return polar_mask(**EVERY_PLACE)
    if name == "PointRendRCNN":
        model = network(name)
        twin = small_detector(models.FasterRCNN, **EVERYTHING)
        twin.load_state_dict(model.detector.state_dict())
        return models.PointRendRCNN(twin, model.mask_head)
    two_stages = name in ("FasterRCNN", "MaskRCNN")
    return small_detector(getattr(models, name), **(EVERYTHING if two_stages else EVERY_PLACE))


@in_both_halves
@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_losses_of_far_objects(name, dtype, digits):
    """Objects at 450 pixels from the corner, where bfloat16 knows only every second pixel."""
    model, (images, targets) = detector(name), wide_batch()
    with torch.no_grad():
        torch.manual_seed(2)
        want = copy.deepcopy(model)(images, targets)
        torch.manual_seed(2)
        with torch.autocast("cpu", dtype=dtype):
            got = model(images, targets)
    assert want.keys() == got.keys()
    assert all(loss > 0 for loss in want.values())
    for loss in want:
        assert got[loss].item() == pytest.approx(want[loss].item(), rel=digits), loss


@in_both_halves
@pytest.mark.parametrize("name", sorted(DETECTORS - {"MaskRCNN", "PointRendRCNN"}))
def test_boxes_of_far_objects(name, dtype, digits):
    """All boxes that the network can give, each beside its nearest with the other arithmetic."""
    model, (images, _) = detector(name).eval(), wide_batch()
    with torch.no_grad():
        (want,) = model(images)
        with torch.autocast("cpu", dtype=dtype):
            (got,) = model(images)
    assert got["boxes"].dtype == torch.float32
    assert len(got["boxes"]) == len(want["boxes"]) > 1000
    far = want["boxes"][:, 0] > 256
    assert far.sum() > 100
    for label in want["labels"].unique():
        ours, theirs = (x["boxes"][x["labels"] == label] for x in (got, want))
        assert (torch.cdist(ours, theirs, p=torch.inf).amin(1) < 12 * digits).all()


@in_both_halves
def test_masks_in_given_far_boxes(dtype, digits):
    model, (images, targets) = small_detector(models.MaskRCNN).eval(), wide_batch()
    boxes = [targets[0]["boxes"] + 0.25]
    (want,) = model.segment(images, boxes)
    with torch.autocast("cpu", dtype=dtype):
        (got,) = model.segment(images, boxes)
    assert_near(got["masks"], want["masks"], digits)
