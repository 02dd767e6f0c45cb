import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.losses import sigmoid_focal_loss
from cvcourse.models.backbones.fpn import LastLevelP6P7, ResNetFPN
from cvcourse.models.detection.retinanet import RETINANET_SIZES, RetinaNet, RetinaNetHead
from tests import oracle
from tests.models import golden
from tests.models.small import small_batch, small_detector

NAME = "retinanet_resnet50_fpn"


@pytest.fixture(scope="module")
def model():
    return golden.build_as(NAME, RetinaNet)


@pytest.fixture(scope="module")
def run(model):
    stages = golden.capture(model, ["backbone", "head"])
    with torch.no_grad():
        return model(oracle.detection_batch(torch.float64)[0]), stages


def test_state_dict_is_torchvisions(model):
    meta, _ = oracle.model_golden(NAME)
    assert {k: list(v.shape) for k, v in model.state_dict().items()} == meta["state_dict"]


def test_levels(run):
    golden.assert_levels_are_golden(run[1]["backbone"], NAME)


def test_head(run):
    _, arrays = oracle.model_golden(NAME)
    for output, values in run[1]["head"].items():
        golden.assert_close(values, arrays[f"head/{output}"], atol=2e-5)


def test_detections(run):
    golden.assert_detections_are_golden(run[0], NAME)


def test_training():
    model = golden.build_as(NAME, RetinaNet)
    golden.assert_training_is_golden(model, NAME, "frozen_bn_f64", gradients_of="")


def test_training_with_batch_norm():
    with torch.device("meta"):
        backbone = ResNetFPN(
            levels=(2, 3, 4), extra_levels=LastLevelP6P7(), norm=nn.BatchNorm2d, trainable_layers=5
        )
    model = golden.build_as(NAME, RetinaNet, backbone=backbone)
    golden.assert_training_is_golden(model, NAME, "batch_norm_train_f64")


def test_published_parameter_counts():
    with torch.device("meta"):
        model, five = RetinaNet(), RetinaNet(5)
        p6_from_c5 = ResNetFPN(levels=(2, 3, 4), extra_levels=LastLevelP6P7(2048, 256))
        detectron2 = RetinaNet(80, backbone=p6_from_c5)
    assert golden.parameter_count(model) == 34_014_999
    assert golden.parameter_count(model, trainable_only=True) == 33_792_599
    assert golden.parameter_count(five) == 32_230_929
    assert golden.parameter_count(detectron2) == 37_915_572


def test_sizes_are_truncated():
    assert RETINANET_SIZES[:3] == ((32, 40, 50), (64, 80, 101), (128, 161, 203))


def test_every_class_starts_at_the_prior_probability():
    model = small_detector(RetinaNet, prior_probability=0.02)
    bias = model.head.classification_head.cls_logits.bias
    torch.testing.assert_close(bias.sigmoid(), torch.full_like(bias, 0.02))


def test_names_of_old_checkpoints_are_understood():
    state = small_detector(RetinaNet, head_layers=2).state_dict()
    old = {}
    for name, value in state.items():
        if ".conv." in name:
            name = name.replace(".conv.0.0.", ".conv.0.").replace(".conv.1.0.", ".conv.2.")
        old[name] = value
    assert "head.regression_head.conv.2.bias" in old
    small_detector(RetinaNet, head_layers=2).load_state_dict(old, strict=True)


def test_another_classification_loss():
    """Cross-entropy is the focal loss with gamma 0 and no alpha."""

    def cross_entropy(logits, one_hot, reduction):
        return F.binary_cross_entropy_with_logits(logits, one_hot, reduction=reduction)

    def focal(logits, one_hot, reduction):
        return sigmoid_focal_loss(logits, one_hot, alpha=None, gamma=0.0, reduction=reduction)

    one, other = [
        small_detector(RetinaNet, classification_loss=loss)(*small_batch())["classification"]
        for loss in (cross_entropy, focal)
    ]
    torch.testing.assert_close(one, other)


def test_undecided_anchors_have_no_loss():
    """An anchor between the thresholds: whatever its logits, the loss is the same."""
    model = small_detector(RetinaNet, num_classes=2)
    anchors = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 4.5], [20, 20, 30, 30]])
    targets = [{"boxes": anchors[:1], "labels": torch.tensor([1])}]
    assert model.assign(anchors, anchors[:1]).tolist() == [0, -2, -1]
    logits, deltas = torch.zeros(1, 3, 2), torch.zeros(1, 3, 4)
    loss = model.losses(logits, deltas, anchors, targets)
    logits[0, 1] = 5.0
    assert model.losses(logits, deltas, anchors, targets) == loss
    logits[0, 2] = 5.0
    assert model.losses(logits, deltas, anchors, targets)["classification"] > loss["classification"]


@pytest.mark.parametrize(
    "head",
    [
        lambda **options: small_detector(RetinaNet, **options).head,
        lambda **options: RetinaNetHead(16, 2, 3, **options),
    ],
    ids=["model", "head"],
)
def test_untrained_each_class_has_the_prior_probability(head):
    for options, prior in (({}, 0.01), ({"prior_probability": 0.2}, 0.2)):
        logits = head(**options).classification_head.cls_logits
        torch.testing.assert_close(logits.bias.sigmoid(), torch.full_like(logits.bias, prior))
