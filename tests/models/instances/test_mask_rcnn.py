import inspect

import numpy as np
import pytest
import torch
from torch import nn

from cvcourse.models.detection.faster_rcnn import FasterRCNN
from cvcourse.models.instances.mask_rcnn import MaskRCNN
from cvcourse.ops import multiscale_roi_align
from tests import oracle
from tests.models import golden
from tests.models.small import small_batch, small_detector

NAME = "maskrcnn_resnet50_fpn"


@pytest.fixture(scope="module")
def model():
    return golden.build_as(NAME, MaskRCNN)


@pytest.fixture(scope="module")
def run(model):
    stages = golden.capture(model, ["roi_heads.mask_predictor"])
    with torch.no_grad():
        return model(oracle.detection_batch(torch.float64)[0]), stages


def test_state_dict_is_torchvisions(model):
    meta, _ = oracle.model_golden(NAME)
    assert {k: list(v.shape) for k, v in model.state_dict().items()} == meta["state_dict"]


def test_mask_logits(run):
    _, arrays = oracle.model_golden(NAME)
    golden.assert_close(run[1]["roi_heads.mask_predictor"][::5], arrays["mask/logits"], atol=5e-5)


def test_detections(run):
    golden.assert_detections_are_golden(run[0], NAME)


def test_masks(run):
    _, arrays = oracle.model_golden(NAME)
    for i, found in enumerate(run[0]):
        masks = found["masks"]
        assert list(masks.shape) == arrays[f"det/{i}/masks_shape"].tolist()
        packed = np.packbits((masks > 0.5).numpy())
        assert np.array_equal(packed, arrays[f"det/{i}/masks_gt_0.5_packed"])
        golden.assert_close(masks[:, :, ::4, ::4], arrays[f"det/{i}/masks_soft_every4"], atol=2e-6)


def test_training():
    meta, _ = oracle.model_golden(NAME)
    model = golden.build_as(NAME, MaskRCNN, **meta["sample_all"])
    # the others are Faster R-CNN's, whose test has them all
    golden.assert_training_is_golden(
        model, NAME, "frozen_bn_sample_all_f64", gradients_of="roi_heads.mask_"
    )


def test_published_parameter_counts():
    with torch.device("meta"):
        model, five = MaskRCNN(), MaskRCNN(5)
    assert golden.parameter_count(model) == 44_401_393
    assert golden.parameter_count(model, trainable_only=True) == 44_178_993
    assert golden.parameter_count(five) == 43_938_541


def test_options_of_faster_rcnn_are_the_same_and_reach_it():
    faster = inspect.signature(FasterRCNN).parameters
    mask = inspect.signature(MaskRCNN).parameters
    assert {name: mask[name].default for name in faster} == {
        name: parameter.default for name, parameter in faster.items()
    }
    model = small_detector(MaskRCNN, box_score_thresh=0.3, rpn_nms_thresh=0.6, max_size=77)
    assert model.roi_heads.score_thresh == 0.3
    assert model.rpn.nms_thresh == 0.6
    assert model.prepare.max_size == 77


def test_masks_in_given_boxes_are_those_of_detections_there():
    images, targets = small_batch(masks=True)
    model = small_detector(MaskRCNN, min_size=96, box_score_thresh=0.0).eval()  # resized by half
    with torch.no_grad():
        detections = model(images)
    answers = model.segment(images, [found["boxes"] for found in detections])
    alike = 0
    for found, answer in zip(detections, answers, strict=True):
        assert answer["masks"].shape == found["masks"].shape
        assert answer["boxes"].equal(found["boxes"])
        same = found["labels"] == answer["labels"]
        alike += int(same.sum())
        torch.testing.assert_close(answer["masks"][same], found["masks"][same], atol=1e-4, rtol=0)
        assert ((answer["scores"] > 0) & (answer["scores"] < 1)).all()
    assert alike > 5
    (none, some) = model.segment(images, [torch.zeros(0, 4), targets[1]["boxes"]])
    assert none["masks"].shape == (0, 1, 64, 64)
    assert len(some["labels"]) == len(targets[1]["boxes"])


def test_another_pooling_reaches_boxes_and_masks():
    asked = []

    def pooling(levels, boxes, sizes, output_size, *, canonical_size):
        asked.append((len(levels), output_size, canonical_size))
        return multiscale_roi_align(levels, boxes, sizes, output_size, aligned=True)

    model = small_detector(MaskRCNN, roi_levels=("1",), roi_pooling=pooling).train()
    images, targets = small_batch(masks=True)
    model(images, targets)
    assert asked == [(1, 4, 224.0), (1, 7, 224.0)]


def test_another_cropping_gives_the_head_its_targets():
    def nothing(masks, boxes, index, size):
        assert len(boxes) == len(index)
        return torch.zeros(len(boxes), size, size)

    images, targets = small_batch(masks=True)
    model = small_detector(MaskRCNN, mask_cropping=nothing).train()
    nn.init.constant_(model.roi_heads.mask_predictor.mask_fcn_logits.bias, -50)
    nn.init.zeros_(model.roi_heads.mask_predictor.mask_fcn_logits.weight)
    assert model(images, targets)["loss_mask"] < 1e-6


def test_names_of_old_checkpoints_are_understood():
    state = small_detector(MaskRCNN).state_dict()
    old = {k.replace("mask_head.0.0.", "mask_head.mask_fcn1."): v for k, v in state.items()}
    assert "roi_heads.mask_head.mask_fcn1.weight" in old
    small_detector(MaskRCNN).load_state_dict(old, strict=True)


def test_no_object_gives_a_mask_loss_of_zero_with_a_gradient():
    model = small_detector(MaskRCNN)
    images, targets = small_batch(masks=True)
    nothing = [{k: v[:0] for k, v in target.items()} for target in targets]
    losses = model(images, nothing)
    assert losses["loss_mask"] == 0
    losses["loss_mask"].backward()
    gradient = model.roi_heads.mask_predictor.conv5_mask.weight.grad
    assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (None, r"targets\[1\]: no \['masks'\] in \['boxes', 'labels'\]"),
        (
            torch.ones(1, 4, 4),
            r"targets\[1\]\['masks'\]: expected shape \(1, 48, 64\), got \(1, 4, 4\)",
        ),
    ],
)
def test_bad_masks_are_named(masks, message):
    images, targets = small_batch(masks=True)
    targets[1]["masks"] = masks
    if masks is None:
        del targets[1]["masks"]
    with pytest.raises(ValueError, match=message):
        small_detector(MaskRCNN)(images, targets)
