import pytest
import torch
from torch import nn

from cvcourse.models.backbones.fpn import ResNetFPN
from cvcourse.models.detection.faster_rcnn import FasterRCNN, sample_balanced
from tests import oracle
from tests.models import golden
from tests.models.small import small_detector

NAME = "fasterrcnn_resnet50_fpn"


@pytest.fixture(scope="module")
def model():
    return golden.build_as(NAME, FasterRCNN)


@pytest.fixture(scope="module")
def run(model):
    """Detections of the golden pictures, and what was computed on the way."""
    stages = golden.capture(model, ["backbone", "rpn.head", "rpn", "roi_heads"])
    with torch.no_grad():
        return model(oracle.detection_batch(torch.float64)[0]), stages


def test_state_dict_is_torchvisions(model):
    meta, _ = oracle.model_golden(NAME)
    assert {k: list(v.shape) for k, v in model.state_dict().items()} == meta["state_dict"]


def test_levels(run):
    golden.assert_levels_are_golden(run[1]["backbone"], NAME)


def test_proposals(run):
    _, arrays = oracle.model_golden(NAME)
    objectness, deltas = run[1]["rpn.head"]
    for i, (logits, offsets) in enumerate(zip(objectness, deltas, strict=True)):
        golden.assert_close(logits, arrays[f"rpn/objectness/{i}"], atol=2e-5)
        golden.assert_close(offsets, arrays[f"rpn/deltas/{i}"], atol=2e-5)
    for i, boxes in enumerate(run[1]["rpn"][0]):
        golden.assert_close(boxes, arrays[f"rpn/proposals/{i}"], atol=5e-4)


def test_second_stage(run):
    _, arrays = oracle.model_golden(NAME)
    logits, offsets = run[1]["roi_heads"]
    golden.assert_close(logits, arrays["box/class_logits"], atol=5e-5)
    golden.assert_close(offsets, arrays["box/box_regression"], atol=5e-5)


def test_detections(run):
    golden.assert_detections_are_golden(run[0], NAME)


def test_training():
    meta, _ = oracle.model_golden(NAME)
    model = golden.build_as(NAME, FasterRCNN, **meta["sample_all"])
    golden.assert_training_is_golden(model, NAME, "frozen_bn_sample_all_f64", gradients_of="")


def test_training_with_batch_norm():
    meta, _ = oracle.model_golden(NAME)
    with torch.device("meta"):
        backbone = ResNetFPN(norm=nn.BatchNorm2d, trainable_layers=5)
    model = golden.build_as(NAME, FasterRCNN, **meta["sample_all"], backbone=backbone)
    golden.assert_training_is_golden(model, NAME, "batch_norm_train_sample_all_f64")


def test_published_parameter_counts():
    with torch.device("meta"):
        model, five = FasterRCNN(), FasterRCNN(5)
        backbone = ResNetFPN(norm=nn.BatchNorm2d, trainable_layers=5)
        with_batch_norm = FasterRCNN(backbone=backbone)
    assert golden.parameter_count(model) == 41_755_286
    assert golden.parameter_count(model, trainable_only=True) == 41_532_886
    assert golden.parameter_count(five) == 41_314_536
    assert golden.parameter_count(with_batch_norm) == 41_808_406
    assert golden.parameter_count(with_batch_norm, trainable_only=True) == 41_808_406


def test_names_of_old_checkpoints_are_understood():
    model = small_detector(FasterRCNN)
    state = model.state_dict()
    old = {k.replace("rpn.head.conv.0.0.", "rpn.head.conv."): v for k, v in state.items()}
    assert "rpn.head.conv.weight" in old
    small_detector(FasterRCNN).load_state_dict(old, strict=True)


def test_proposals_are_in_the_pictures_coordinates():
    model = small_detector(FasterRCNN, min_size=64, max_size=100).eval()
    with torch.no_grad():
        (found,) = model.propose([torch.rand(3, 32, 40)])
    assert found["boxes"].shape == (len(found["scores"]), 4)
    assert len(found["boxes"]) > 0
    assert (found["boxes"] >= 0).all()
    assert (found["boxes"] <= torch.tensor([40, 32, 40, 32])).all()
    assert (found["scores"].diff() <= 0).all()


def test_no_proposals_no_detections():
    model = small_detector(FasterRCNN, rpn_score_thresh=1.1).eval()
    with torch.no_grad():
        (found,) = model([torch.rand(3, 32, 40)])
        (proposed,) = model.propose([torch.rand(3, 32, 40)])
    assert found["boxes"].shape == proposed["boxes"].shape == (0, 4)


def test_balanced_sample():
    labels = torch.tensor([1, 0, -1, 2, 0, 0, 1, -1, 0])
    for _ in range(5):
        positive, negative = sample_balanced(labels, 4, 0.5)
        assert set(positive.tolist()) < {0, 3, 6}
        assert set(negative.tolist()) < {1, 4, 5, 8}
        assert len(positive) == len(negative) == 2
    positive, negative = sample_balanced(labels, 100, 0.5)
    assert (positive.tolist(), negative.tolist()) == ([0, 3, 6], [1, 4, 5, 8])
    positive, negative = sample_balanced(torch.tensor([-1, 0]), 4, 0.5)
    assert (positive.tolist(), negative.tolist()) == ([], [1])
