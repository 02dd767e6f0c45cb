import math

import pytest
import torch
from torch import nn

from cvcourse.models.backbones.fpn import LastLevelP6P7, ResNetFPN
from cvcourse.models.detection.fcos import FCOS, FCOSHead, boxes_from_distances, centerness_of
from tests import oracle
from tests.models import golden
from tests.models.small import small_detector

NAME = "fcos_resnet50_fpn"


@pytest.fixture(scope="module")
def model():
    return golden.build_as(NAME, FCOS)


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
        golden.assert_close(values, arrays[f"head/{output}"], atol=1e-4)


def test_detections(run):
    golden.assert_detections_are_golden(run[0], NAME)


def test_training():
    golden.assert_training_is_golden(
        golden.build_as(NAME, FCOS), NAME, "frozen_bn_f64", gradients_of=""
    )


def test_training_with_batch_norm():
    with torch.device("meta"):
        backbone = ResNetFPN(
            levels=(2, 3, 4), extra_levels=LastLevelP6P7(), norm=nn.BatchNorm2d, trainable_layers=5
        )
    model = golden.build_as(NAME, FCOS, backbone=backbone)
    golden.assert_training_is_golden(model, NAME, "batch_norm_train_f64")


def test_published_parameter_counts():
    with torch.device("meta"):
        model, five = FCOS(), FCOS(5)
    assert golden.parameter_count(model) == 32_269_600
    assert golden.parameter_count(model, trainable_only=True) == 32_047_200
    assert golden.parameter_count(five) == 32_071_370


def test_places_by_hand():
    """Two levels of units 8 and 16; places at the middle of objects, off it, outside."""
    model = small_detector(FCOS)
    boxes = torch.tensor([[0.0, 0, 20, 20], [0, 0, 200, 200], [4, 4, 18, 18]])
    centers = torch.tensor(
        [[10.0, 10], [18, 18], [100, 100], [10, 10], [100, 100], [112, 100], [130, 100]]
    )
    units = torch.tensor([8.0, 8, 8, 16, 16, 16, 16])
    assigned = model.assign(centers, units, [3, 4], boxes)
    # 0: the smaller of two at one centre; 1: on its border, but inside object 0
    # 2: object 1 is too large for the first level; 3: objects 0 and 2 too small for the second
    # 4: object 1; 5: within 1.5 units of its centre; 6: not
    assert assigned.tolist() == [2, 0, -1, -1, 1, 1, -1]
    assert model.assign(centers, units, [3, 4], boxes[:0]).tolist() == [-1] * 7


def test_the_smaller_object_owns_a_place_by_a_loop_over_both():
    """Objects over one another, far from the corner: neither side nor corner tells the area."""
    model, units = small_detector(FCOS), torch.tensor([8.0] * 400 + [16.0] * 400)
    middle = torch.tensor([300.0, 500.0])
    centers = middle + 60 * torch.rand(800, 2) - 30
    size = 8 + 100 * torch.rand(12, 2)
    corner = middle + 30 * torch.rand(12, 2) - 15 - size / 2
    boxes = torch.cat([corner, corner + size], dim=1)
    assigned = model.assign(centers, units, [400, 400], boxes).tolist()
    for (x, y), unit, level, found in zip(
        centers.tolist(), units.tolist(), [0] * 400 + [1] * 400, assigned, strict=True
    ):
        owners = []
        for i, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            sides = (x - x1, y - y1, x2 - x, y2 - y)
            low, high = ((0, 8 * unit), (4 * unit, math.inf))[level]
            near = max(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2)) < 1.5 * unit
            if near and min(sides) > 0 and low < max(sides) < high:
                owners.append(((x2 - x1) * (y2 - y1), i))
        assert found == (min(owners)[1] if owners else -1)
    assert len(set(assigned)) > 6


@pytest.mark.parametrize(
    "head",
    [
        lambda **options: small_detector(FCOS, **options).head,
        lambda **options: FCOSHead(16, 3, norm=nn.Identity, **options),
    ],
    ids=["model", "head"],
)
def test_untrained_each_class_has_the_prior_probability(head):
    for options, prior in (({}, 0.01), ({"prior_probability": 0.2}, 0.2)):
        logits = head(**options).classification_head.cls_logits
        torch.testing.assert_close(logits.bias.sigmoid(), torch.full_like(logits.bias, prior))


def test_distances_by_hand():
    boxes = boxes_from_distances(
        torch.tensor([[10.0, 20.0]]), torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([2.0])
    )
    assert boxes.tolist() == [[8.0, 16.0, 16.0, 28.0]]


def test_centerness_by_hand():
    box = torch.tensor([[0.0, 0.0, 10.0, 20.0]]).expand(3, 4)
    centers = torch.tensor([[5.0, 10.0], [2.0, 10.0], [2.0, 4.0]])
    expected = torch.tensor([1.0, 0.5, (0.25 * 0.25) ** 0.5])
    torch.testing.assert_close(centerness_of(centers, box), expected)
