import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.models.backbones.fpn import ResNetFPN
from cvcourse.models.backbones.resnet import BasicBlock
from cvcourse.models.detection.faster_rcnn import FasterRCNN
from cvcourse.models.instances.pointrend_rcnn import (
    CoarseMaskHead,
    PointRendMaskHead,
    PointRendRCNN,
    mask_uncertainty,
)
from cvcourse.models.segmentation.pointrend import pixel_centres, point_sample
from cvcourse.ops import roi_align
from tests import oracle
from tests.models import golden

BOXES = [torch.tensor([[2.0, 3.0, 30.0, 40.0], [10.0, 8.0, 51.0, 25.5]]), torch.zeros(0, 4)]
LABELS = [torch.tensor([1, 0]), torch.zeros(0, dtype=torch.long)]


def tiny_head(**options):
    return PointRendMaskHead(
        6, 2, coarse_hidden=16, hidden=12, layers=2, train_points=32, **options
    )


def tiny_model():
    backbone = ResNetFPN(
        block=BasicBlock, depths=(1, 1, 1), width=8, levels=(1, 2, 3), out_channels=8,
        norm=nn.BatchNorm2d, trainable_layers=4,
    )  # fmt: skip
    detector = FasterRCNN(
        3, backbone=backbone, min_size=None, anchor_sizes=((16,), (32,), (64,), (128,)),
        box_representation_size=16, rpn_post_nms_top_n_train=50, rpn_post_nms_top_n_test=20,
        box_score_thresh=0.0, box_detections_per_img=4,
    )  # fmt: skip
    head = PointRendMaskHead(8, 2, coarse_hidden=16, hidden=12, subdivision_points=196)
    return PointRendRCNN(detector, head)


def test_parameters_are_detectron2s():
    with torch.device("meta"):
        head = PointRendMaskHead()
        assert golden.parameter_count(head.coarse_head) == 18_176_080
        assert golden.parameter_count(head.point_head) == 285_776
        model = PointRendRCNN(FasterRCNN(81), head)
    background_offsets = 4 * 1024 + 4
    assert golden.parameter_count(model) == 60_161_792 + background_offsets


def test_masks_are_224_wide():
    with torch.device("meta"):
        head = PointRendMaskHead()
    assert (head.first_side, head.steps, head.coarse_head.shape) == (28, 3, (80, 7, 7))
    masks = tiny_head(subdivision_points=16)(torch.rand(2, 6, 14, 16), BOXES, LABELS)
    assert masks.shape == (2, 224, 224)


def test_uncertainty_is_nearness_to_zero():
    logits = torch.tensor([[[2.0, -0.5, 0.0]]])
    assert mask_uncertainty(logits).tolist() == [[-2.0, -0.5, 0.0]]


def test_pooling_is_roi_align_with_one_sample():
    fine, head = torch.rand(2, 6, 14, 16), tiny_head()
    boxes = [b.clamp(max=48) for b in BOXES]  # inside the outer pixels' centres
    grid = pixel_centres(torch.arange(196), 14, 14).expand(2, -1, -1)
    pooled = head.sample(fine, boxes, grid).unflatten(2, (14, 14))
    expected = roi_align(fine, boxes, 14, spatial_scale=0.25, sampling_ratio=1, aligned=True)
    torch.testing.assert_close(pooled, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_far_places_are_sampled_exactly_from_half_precision(dtype):
    """A map of 2,052 pixels a row, sampled in a box at its far end: column 2,049 is no half's."""
    column = (torch.arange(513) % 7).view(1, 1, 1, 513).expand(1, 6, 3, 513)
    box = [torch.tensor([[2016.0, 2.0, 2048.0, 10.0]])]
    points = torch.rand(1, 50, 2)
    want = tiny_head().sample(column.float(), box, points)
    got = tiny_head().sample(column.to(dtype), box, points)
    torch.testing.assert_close(got, want.to(dtype), rtol=2e-2, atol=2e-2)


def test_coarse_head_by_its_formula():
    head, x = CoarseMaskHead(3, 2, pool_size=4, hidden=5), torch.rand(7, 3, 4, 4)
    nn.init.normal_(head.prediction.weight)
    reduced = F.conv2d(x, head.reduce.weight, stride=2).relu().flatten(1)
    expected = head.prediction(head.fc2(head.fc1(reduced).relu()).relu()).view(7, 2, 2, 2)
    torch.testing.assert_close(head(x), expected)


def test_with_all_points_is_the_point_head_at_every_pixel():
    fine, head = torch.rand(2, 6, 14, 16), tiny_head(subdivision_points=10**9)
    nn.init.normal_(head.point_head.predictor.weight)
    assert (head.first_side, head.steps) == (224, 0)
    # the same by subdivision that was not shortened
    head.first_side, head.steps, head.subdivision_points = 7, 5, 224**2
    masks = head(fine, BOXES, LABELS)
    centres = pixel_centres(torch.arange(224**2), 224, 224).expand(2, -1, -1)
    coarse = head.coarse_logits(fine, BOXES)
    dense = head.point_head(head.sample(fine, BOXES, centres), point_sample(coarse, centres))
    expected = dense[[0, 1], LABELS[0]].view(2, 224, 224)
    torch.testing.assert_close(masks, expected)


def test_shortened_steps_change_nothing():
    fine, head = torch.rand(2, 6, 14, 16), tiny_head(subdivision_points=28 * 28)
    nn.init.normal_(head.point_head.predictor.weight)
    short = head(fine, BOXES, LABELS)
    head.first_side, head.steps = 7, 5
    torch.testing.assert_close(head(fine, BOXES, LABELS), short)


def test_losses_by_hand():
    fine, head = torch.rand(2, 6, 14, 16), tiny_head()
    masks = [torch.rand(2, 56, 64) > 0.5, torch.zeros(0, 56, 64, dtype=torch.bool)]
    points = torch.rand(2, 32, 2)
    head.draw_points = lambda logits: points
    losses = head.losses(fine, BOXES, LABELS, masks)
    coarse = head.coarse_logits(fine, BOXES)
    own = coarse[[0, 1], LABELS[0]]
    rois = torch.cat([torch.tensor([[0.0], [1.0]]), BOXES[0]], dim=1)
    wanted = roi_align(masks[0][:, None].float(), rois, 7)[:, 0] >= 0.5
    expected = F.binary_cross_entropy_with_logits(own, wanted.float())
    torch.testing.assert_close(losses["coarse"], expected)
    corner, size = BOXES[0][:, None, :2], BOXES[0][:, None, 2:] - BOXES[0][:, None, :2]
    pixels = corner + points * size
    inside = point_sample(masks[0][:, None].float(), pixels / torch.tensor([64.0, 56.0]))[:, 0]
    features = torch.cat(
        [point_sample(fine[:1], of_box[None] / torch.tensor([64.0, 56.0])) for of_box in pixels]
    )
    logits = head.point_head(features, point_sample(coarse, points))[[0, 1], LABELS[0]]
    expected = F.binary_cross_entropy_with_logits(logits, inside)
    torch.testing.assert_close(losses["points"], expected)


@pytest.mark.as_user
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
def test_masks_of_0_and_255_are_refused(dtype):
    masks = [torch.full((len(b), 56, 64), 255).to(dtype) for b in BOXES]
    with pytest.raises(ValueError, match="masks: expected bool, or 0 and 1, got values up to 255"):
        tiny_head().losses(torch.rand(2, 6, 14, 16), BOXES, LABELS, masks)


def test_no_boxes_at_all():
    fine, head = torch.rand(2, 6, 14, 16), tiny_head()
    none = ([BOXES[1]] * 2, [LABELS[1]] * 2)
    assert head(fine, *none).shape == (0, 224, 224)
    losses = head.losses(fine, *none, [torch.zeros(0, 56, 64)] * 2)
    sum(losses.values()).backward()
    assert [loss.item() for loss in losses.values()] == [0.0, 0.0]


class TestPointRendRCNN:
    def batch(self):
        images, targets = oracle.detection_batch(masks=True)
        for target in targets:
            target["labels"] = target["labels"] % 2 + 1
        return images, targets

    def test_training_lowers_the_losses(self):
        model, (images, targets) = tiny_model(), self.batch()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
        totals = []
        for _ in range(6):
            losses = model(images, targets)
            optimizer.zero_grad()
            sum(losses.values()).backward()
            optimizer.step()
            totals.append(losses["loss_mask"].item() + losses["loss_mask_point"].item())
        assert set(losses) == {
            "loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg",
            "loss_mask", "loss_mask_point",
        }  # fmt: skip
        assert totals[-1] < totals[0]
        assert all(p.grad is not None for p in model.mask_head.parameters())

    def test_detections_have_masks_in_their_boxes(self):
        model, (images, _) = tiny_model().eval(), self.batch()
        nn.init.normal_(model.mask_head.point_head.predictor.weight)
        for image, found in zip(images, model(images), strict=True):
            n = len(found["boxes"])
            assert 0 < n <= 4
            assert found["masks"].shape == (n, 1, *image.shape[-2:])
            assert set(found["labels"].tolist()) <= {1, 2}
            for box, mask in zip(found["boxes"], found["masks"][:, 0], strict=True):
                left, top, right, bottom = box.tolist()
                rows, columns = mask.nonzero().unbind(1)
                assert rows.min() >= top - 2
                assert rows.max() <= bottom + 2
                assert columns.min() >= left - 2
                assert columns.max() <= right + 2

    @pytest.mark.as_user
    def test_heads_of_other_classes_are_refused(self):
        with pytest.raises(ValueError, match=r"mask_head: expected 2 classes, .* got 5"):
            PointRendRCNN(tiny_model().detector, PointRendMaskHead(8, 5, coarse_hidden=4))

    @pytest.mark.as_user
    def test_targets_without_masks_are_refused(self):
        images, targets = self.batch()
        targets[1].pop("masks")
        with pytest.raises(ValueError, match=r"targets\[1\]: no \['masks'\]"):
            tiny_model()(images, targets)
