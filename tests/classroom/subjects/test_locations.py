"""What a detector says at the locations of an object, and the figure of who learns what."""

import math

import pytest
import torch

from cvcourse.classroom.figures.style import alt_text
from cvcourse.classroom.subjects.detecting import SHAPES, STRIDES, scene_data, small_backbone
from cvcourse.classroom.subjects.locations import (
    OverlapFCOS,
    OverlapRetinaNet,
    answers_inside,
    by_class_alone,
    mean_of_each,
    scores,
    show_learners,
    surest,
)
from cvcourse.models import FCOS, RetinaNet
from cvcourse.ops import anchor_grid

TARGET = {
    "boxes": torch.tensor([[8.0, 8, 40, 40], [48, 40, 96, 96]]),
    "labels": torch.tensor([1, 3]),
}


@pytest.fixture(scope="module")
def model():
    """Says 3 strides to each side everywhere, probability and centre-ness one half."""
    anywhere = {"min_size": None, "center_sampling_radius": math.inf, "head_layers": 1}
    model = FCOS(
        len(SHAPES),
        backbone=small_backbone(pretrained=False),
        anchor_sizes=STRIDES,
        head_norm=torch.nn.Identity,
        **anywhere,
    )
    for layer in model.head.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    torch.nn.init.constant_(model.head.regression_head.bbox_reg.bias, 3.0)
    return model


def test_answers_are_those_of_locations_inside_worked_one_by_one(model):
    answers = answers_inside(model, torch.rand(3, 96, 96), TARGET)
    expected = []
    for level, stride in enumerate(STRIDES):
        for y in range(0, 96, stride):
            for x in range(0, 96, stride):
                for i, (x1, y1, x2, y2) in enumerate(TARGET["boxes"].tolist()):
                    left, top, right, bottom = x - x1, y - y1, x2 - x, y2 - y
                    low = 4 * stride if level else 0
                    high = 8 * stride if level < 2 else math.inf
                    sides = left, top, right, bottom
                    if min(sides) > 0 and low < max(sides) < high:
                        across = min(left, right) / max(left, right)
                        down = min(top, bottom) / max(top, bottom)
                        reach = 3 * stride
                        both = (min(left, reach) + min(right, reach)) * (
                            min(top, reach) + min(bottom, reach)
                        )
                        area = (x2 - x1) * (y2 - y1)
                        iou = both / ((2 * reach) ** 2 + area - both)
                        expected.append((i, 0.5, 0.5, math.sqrt(across * down), iou))
    expected = torch.tensor(expected)
    assert {0, 1} == set(answers["object"].tolist())
    assert len(expected) > 50
    torch.testing.assert_close(torch.stack(list(answers.values()), 1).float(), expected)


def test_the_model_keeps_its_mode(model):
    model.train()
    answers_inside(model, torch.rand(3, 96, 96), TARGET)
    assert model.training


def test_learners_are_counted_level_by_level():
    grids = [(24, 24), (12, 12), (6, 6)]
    cells = anchor_grid(grids, STRIDES, [(s,) for s in STRIDES], [1.0], offset=0.0)
    owners = torch.full((len(cells),), -1)
    owners[:3], owners[600] = 0, 1
    figure = show_learners(
        torch.rand(3, 96, 96),
        TARGET,
        cells[:, :2],
        owners,
        [576, 144, 36],
        STRIDES,
        title="Who learns what",
    )
    assert (
        "stride 4: 3 of 576 learn one, stride 8: 1 of 144 learn one, stride 16: 0 of 36"
        in alt_text(figure)
    )


def test_the_overlap_of_its_own_box_is_learnt():
    model = OverlapFCOS(3, backbone=small_backbone(pretrained=False), anchor_sizes=STRIDES)
    said = torch.tensor([[[1.0, 1.5, 2, 2.5], [1, 1, 1, 1]]], requires_grad=True)
    logit = torch.tensor([[[0.3], [5.0]]], requires_grad=True)
    target = {"boxes": torch.tensor([[8.0, 12, 40, 44]]), "labels": torch.tensor([1])}
    owners = [torch.tensor([0, -1])]
    centers, units = torch.tensor([[16.0, 24], [90, 90]]), torch.tensor([8.0, 8])
    loss = model.losses(torch.zeros(1, 2, 3), said, logit, centers, units, owners, [target])
    branch = loss["bbox_ctrness"]  # the box lacks 8 of 32 pixels at the right: its IoU is 0.75
    share = 1 / (1 + math.exp(-0.3))
    assert branch.item() == pytest.approx(-0.75 * math.log(share) - 0.25 * math.log(1 - share))
    slopes = torch.autograd.grad(branch, (said, logit), allow_unused=True)
    assert slopes[0] is None or not slopes[0].any()
    assert slopes[1].flatten().tolist() == pytest.approx([share - 0.75, 0])
    plain = FCOS.losses(model, torch.zeros(1, 2, 3), said, logit, centers, units, owners, [target])
    assert all(torch.equal(loss[key], plain[key]) for key in ("classification", "bbox_regression"))


def test_without_centreness_the_class_decides(model):
    answers = answers_inside(by_class_alone(model), torch.rand(3, 96, 96), TARGET)
    torch.testing.assert_close(answers["centerness"], torch.ones(len(answers["centerness"])))
    assert (answers["score"] == 0.5).all()
    assert (answers_inside(model, torch.rand(3, 96, 96), TARGET)["centerness"] == 0.5).all()


def test_numbers_of_locations_object_by_object():
    group = torch.tensor([1, 0, 1, 0, 1])
    values = torch.tensor([1.0, 10, 4, 20, 7])
    assert mean_of_each(values, group).tolist() == [15, 4]
    assert surest(values, group).tolist() == [3, 4]
    assert surest(-values, group).tolist() == [1, 0]


def test_boxes_of_anchors_learn_by_overlap():
    options = {"backbone": small_backbone(pretrained=False), "aspect_ratios": (1,)}
    model = OverlapRetinaNet(5, anchor_sizes=((14,), (28,), (56,)), **options)
    anchors = torch.tensor([[8.0, 12, 40, 44], [60, 60, 90, 90]])
    target = {"boxes": anchors[:1], "labels": torch.tensor([1])}
    logits = torch.zeros(1, 2, 5)
    for right, wanted in ((0.0, 0.0), (0.5, 2 / 3)):  # of a width: IoU and GIoU are 1/3
        deltas = torch.tensor([[[right, 0, 0, 0], [3, 3, 3, 3]]])
        loss = model.losses(logits, deltas, anchors, [target])
        assert loss["bbox_regression"].item() == pytest.approx(wanted)
        usual = RetinaNet.losses(model, logits, deltas, anchors, [target])
        assert torch.equal(loss["classification"], usual["classification"])
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long)}
    assert model.losses(logits, deltas, anchors, [empty])["bbox_regression"] == 0


def test_scores_are_of_the_detector_and_of_its_class_alone(model):
    pictures = scene_data(2, 2, seed=0)
    told = scores(model, pictures)
    blind = scores(by_class_alone(model), pictures)
    assert set(told) == {"AP", "AP75", "AP in training", "AP75 by class"}
    assert told["AP75 by class"] == pytest.approx(blind["AP75"])
