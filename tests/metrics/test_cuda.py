"""Inputs on a GPU give what they give on the CPU."""

import pytest
import torch

from cvcourse import metrics
from tests.metrics.detections import random_images


def to_cuda(value):
    if isinstance(value, torch.Tensor):
        return value.cuda()
    if isinstance(value, dict):
        return {key: to_cuda(x) for key, x in value.items()}
    return [to_cuda(x) for x in value] if isinstance(value, list) else value


def inputs():
    torch.manual_seed(0)
    labels, masks = torch.randint(9, (2, 3, 16, 16)), torch.rand(2, 3, 32, 32) < 0.5
    images, flows = torch.rand(2, 2, 3, 16, 16), 4 * torch.randn(2, 2, 2, 8, 8)
    valid, scores = torch.rand(2, 8, 8) < 0.5, torch.randint(5, (600, 7)).float()
    target, embeddings, items = torch.randint(7, (600,)), torch.randn(50, 8), torch.arange(50) // 3
    depths, normals = 0.5 + torch.rand(2, 2, 8, 8), torch.randn(2, 2, 3, 8, 8)
    preds, wanted = random_images(0)
    masked = random_images(1, images=3, masks=True)
    curve = metrics.precision_recall_curve(scores[:, 0], target > 3, 400)[:2]
    return {
        "absolute_relative_error": ((*depths, valid), {}),
        "angular_error": ((*normals, valid), {}),
        "average_precision": (curve, {}),
        "bootstrap_interval": (
            (embeddings[:, 0],),
            {"generator": torch.Generator().manual_seed(0)},
        ),
        "boundary_iou": (masks.unbind(), {}),
        "coco_average_precision": ((preds, wanted), {"class_metrics": True}),
        "coco_average_precision of masks": (masked, {"iou_type": "segm"}),
        "confusion_matrix": (labels.unbind(), {"num_classes": 9, "ignore_index": 3}),
        "cross_modal_recall": ((embeddings, embeddings.flip(1), (1, 4)), {}),
        "delta_accuracy": ((*depths, valid), {}),
        "endpoint_error": ((*flows, valid), {}),
        "flow_outlier_rate": ((*flows, valid), {}),
        "frechet_distance": ((embeddings, embeddings[:9] + 1), {}),
        "match_detections": (
            (preds[0]["boxes"], preds[0]["scores"], wanted[0]["boxes"]),
            {"iou_threshold": 0.3},
        ),
        "mean_average_precision_at_r": ((embeddings, items), {}),
        "mean_iou": (labels.unbind(), {"num_classes": 9}),
        "object_keypoint_similarity": (
            (
                *torch.randn(2, 3, 5, 2),
                torch.rand(3, 5) < 0.7,
                1 + torch.rand(3),
                0.1 + torch.rand(5),
            ),
            {},
        ),
        "precision_recall_curve": ((scores[:, 0], target > 3, 400), {}),
        "psnr": (images.unbind(), {}),
        "recall_at_k": ((embeddings, items, (1, 4)), {"metric": "euclidean"}),
        "scale_invariant_log_error": ((*depths, valid), {}),
        "ssim": (images.unbind(), {}),
        "topk_accuracy": ((scores, target, (1, 3)), {}),
    }


def test_every_metric_is_here():
    assert {name.split()[0] for name in inputs()} == set(metrics.__all__)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
@pytest.mark.parametrize("name", sorted(inputs()))
def test_same_as_on_the_cpu(name):
    metric = getattr(metrics, name.split()[0])
    args, options = inputs()[name]
    want = metric(*args, **options)
    args, options = inputs()[name]
    got = metric(*to_cuda(list(args)), **options)
    torch.testing.assert_close(got, want, check_device=False, rtol=1e-5, atol=1e-5)
