"""Random inputs, the same value as kornia's (the extra `bench` installs it)."""

import pytest
import torch

from cvcourse.ops import batched_nms, box_iou, nms, warp
from tests.ops.boxes import random_boxes

needs = pytest.importorskip
SEEDS = pytest.mark.parametrize("seed", range(6))


@SEEDS
def test_box_iou_equals_kornia(seed):
    torch.manual_seed(seed)
    boxes1, boxes2 = random_boxes(40), random_boxes(30)
    want = needs("kornia.metrics").mean_iou_bbox(boxes1, boxes2)  # a matrix, in spite of its name
    torch.testing.assert_close(box_iou(boxes1, boxes2), want)


@SEEDS
@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_nms_equals_kornia(seed, threshold):
    torch.manual_seed(seed)
    boxes, scores = random_boxes(400).float(), torch.randperm(400) / 400  # no ties
    want = needs("kornia.geometry.bbox").nms(boxes, scores, threshold)
    assert torch.equal(nms(boxes, scores, threshold), want)


@SEEDS
def test_batched_nms_equals_kornia_class_by_class(seed):
    torch.manual_seed(seed)
    boxes, scores = random_boxes(200).float(), torch.randperm(200) / 200
    labels = torch.randint(4, (200,))
    peer = needs("kornia.geometry.bbox").nms
    want = []
    for label in range(4):
        chosen = (labels == label).nonzero().squeeze(1)
        want += chosen[peer(boxes[chosen], scores[chosen], 0.3)].tolist()
    want.sort(key=lambda i: -scores[i])
    assert batched_nms(boxes, scores, labels, 0.3).tolist() == want


@SEEDS
def test_warp_equals_kornia_remap(seed):
    torch.manual_seed(seed)
    image = torch.rand(2, 3, 9, 11, dtype=torch.float64)
    flow = 4 * torch.randn(2, 2, 9, 11, dtype=torch.float64)
    y, x = torch.meshgrid(torch.arange(9), torch.arange(11), indexing="ij")
    remap = needs("kornia.geometry.transform").remap
    want = remap(image, x + flow[:, 0], y + flow[:, 1], align_corners=True)
    torch.testing.assert_close(warp(image, flow), want)
