import pytest
import torch

from cvcourse.models.backbones.fpn import FeaturePyramidNetwork
from cvcourse.models.detection.efficientdet import (
    SCALINGS,
    EfficientDet,
    compound_scaling,
    efficientdet_d,
)
from tests.models import golden
from tests.models.small import small_batch, small_detector


def test_published_parameter_counts():
    with torch.device("meta"):
        model = EfficientDet()
    parts = [model.backbone, model.neck, model.class_net, model.box_net]
    counts = [golden.parameter_count(part) for part in parts]
    assert counts == [3_595_388, 196_281, 69_354, 19_044]
    assert golden.parameter_count(model) == 3_880_067


@pytest.mark.parametrize(
    ("phi", "millions"), [(0, 3.9), (1, 6.6), (2, 8.1), (3, 12), (4, 21), (5, 34), (6, 52), (7, 52)]
)
def test_whole_family_has_the_papers_sizes(phi, millions):
    with torch.device("meta"):
        count = golden.parameter_count(efficientdet_d(phi)) / 1e6
    assert round(count, 1 if phi < 3 else None) == millions


def test_scaling_table_follows_the_formulas():
    """Heads exactly, channels within 6 %, sizes and layers exactly up to D4."""
    for phi, scaling in enumerate(SCALINGS[:7]):
        size, channels, layers, head_layers = compound_scaling(phi)
        assert abs(scaling.channels / channels - 1) < 0.06
        assert scaling.head_layers == head_layers
        assert scaling.efficientnet == phi
        if phi < 5:
            assert (scaling.image_size, scaling.bifpn_layers) == (size, layers)
    assert compound_scaling(0) == (512.0, 64.0, 3, 3)
    assert SCALINGS[0] == (512, 0, 64, 3, 3)


def test_outputs_of_d0():
    with torch.device("meta"):
        model = EfficientDet()
        maps = model.backbone(torch.empty(1, 3, 512, 512))[-3:]
        levels = list(model.neck(maps).values())
        classes, boxes = model.class_net(levels), model.box_net(levels)
    sides = [64, 32, 16, 8, 4]
    assert [tuple(m.shape) for m in classes] == [(1, 810, s, s) for s in sides]
    assert [tuple(m.shape) for m in boxes] == [(1, 36, s, s) for s in sides]


def test_heads_share_weights_but_not_norms():
    model = small_detector(EfficientDet)
    assert len(model.class_net.convs) == 1
    assert len(model.class_net.norms) == 3
    level = torch.rand(2, 16, 4, 4)
    first, second, _ = model.class_net.train()([level, 3 * level, level])
    torch.testing.assert_close(first, second, atol=1e-3, rtol=1e-3)  # each normalised by itself


def test_anchors_are_centred_in_their_cells():
    model = small_detector(EfficientDet)
    levels = [torch.empty(1, 16, 16 >> i, 16 >> i) for i in range(3)]
    anchors, counts = model.anchors(levels, (64, 64))
    assert counts == [9 * 256, 9 * 64, 9 * 16]
    square = anchors[3]  # ratio 1, the smallest size: 2 strides of 4 pixels
    assert square.tolist() == [-2.0, -2.0, 6.0, 6.0]
    width, height = (anchors[:9, 2:] - anchors[:9, :2]).unbind(1)
    ratios = torch.tensor([0.5, 1.0, 2.0])  # the paper's
    torch.testing.assert_close(height / width, ratios.repeat_interleave(3))


def test_losses_by_hand():
    """One object on one anchor exactly: its box loss is Huber's of the offsets themselves."""
    model = small_detector(EfficientDet, num_classes=2)
    anchors = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]])
    targets = [{"boxes": anchors[:1], "labels": torch.tensor([2])}]
    deltas = torch.tensor([[[0.05, 0.0, 0.0, 1.0], [9.0, 9, 9, 9]]])
    logits = torch.zeros(1, 2, 2)
    losses = model.losses(logits, deltas, anchors, targets)
    huber = 0.5 * 0.05**2 + 0.1 * (1.0 - 0.05)
    torch.testing.assert_close(losses["bbox_regression"], torch.tensor(50 * huber / 4 / 2))
    easy = 0.5**1.5 * torch.tensor(2.0).log()
    torch.testing.assert_close(losses["classification"], (0.25 + 3 * 0.75) * easy / 2)


def test_another_neck():
    neck = FeaturePyramidNetwork([8, 16, 32], 16)
    model = small_detector(EfficientDet, neck=neck)
    assert model.neck is neck
    losses = model(*small_batch())
    assert all(loss.isfinite() for loss in losses.values())


@pytest.mark.as_user
def test_unknown_phi_is_refused():
    with pytest.raises(ValueError, match="phi: expected 0 to 7, got 8"):
        efficientdet_d(8)


def test_untrained_each_class_has_a_probability_of_a_hundredth():
    bias = small_detector(EfficientDet).class_net.predict[1].bias
    torch.testing.assert_close(bias.sigmoid(), torch.full_like(bias, 0.01))
