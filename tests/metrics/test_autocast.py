"""Under autocast every metric says what it says without, in half, single and double precision."""

import pytest
import torch

from cvcourse import metrics
from tests.metrics.detections import random_images

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def cast(value, dtype):
    if isinstance(value, torch.Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    return {k: cast(v, dtype) for k, v in value.items()}


def calls(dtype):
    """Every metric of `__all__` that sees floating point, as a function without arguments."""
    image = cast(torch.rand(2, 3, 16, 16), dtype), cast(torch.rand(2, 3, 16, 16), dtype)
    flow = cast(torch.randn(2, 2, 5, 5), dtype), cast(torch.randn(2, 2, 5, 5), dtype)
    depth = cast(0.5 + torch.rand(2, 5, 5), dtype), cast(0.5 + torch.rand(2, 5, 5), dtype)
    normals = cast(torch.randn(2, 3, 5, 5), dtype), cast(torch.randn(2, 3, 5, 5), dtype)
    poses = cast(torch.randn(3, 5, 2), dtype), cast(torch.randn(3, 5, 2), dtype)
    visible = torch.rand(3, 5) < 0.7
    labels = torch.arange(30) % 7
    embeddings, scores = cast(torch.randn(30, 8), dtype), cast(torch.randn(30, 7), dtype)
    hits = torch.rand(30) < 0.5
    curve = metrics.precision_recall_curve(scores[:, 0], hits, 40)
    preds, target = ([cast(x, dtype) for x in images] for images in random_images(0))
    found, wanted = preds[0], target[0]
    generator = torch.Generator()
    return {
        "absolute_relative_error": lambda: metrics.absolute_relative_error(*depth),
        "angular_error": lambda: metrics.angular_error(*normals),
        "average_precision": lambda: metrics.average_precision(
            *(cast(c, dtype) for c in curve[:2])
        ),
        "bootstrap_interval": lambda: metrics.bootstrap_interval(
            embeddings[:, 0], generator=generator.manual_seed(0)
        ),
        "coco_average_precision": lambda: metrics.coco_average_precision(preds, target),
        "cross_modal_recall": lambda: metrics.cross_modal_recall(
            embeddings, embeddings.flip(1), (1, 3)
        ),
        "delta_accuracy": lambda: metrics.delta_accuracy(*depth),
        "endpoint_error": lambda: metrics.endpoint_error(*flow),
        "flow_outlier_rate": lambda: metrics.flow_outlier_rate(*flow, pixels=1),
        "frechet_distance": lambda: metrics.frechet_distance(embeddings, embeddings[:9] + 1),
        "match_detections": lambda: metrics.match_detections(
            found["boxes"], found["scores"], wanted["boxes"]
        ),
        "mean_average_precision_at_r": lambda: metrics.mean_average_precision_at_r(
            embeddings, labels
        ),
        "object_keypoint_similarity": lambda: metrics.object_keypoint_similarity(
            *poses, visible, 1 + poses[0].abs().amax((1, 2)), poses[1][0, :, 0].abs() + 0.1
        ),
        "precision_recall_curve": lambda: metrics.precision_recall_curve(scores[:, 0], hits, 40),
        "psnr": lambda: metrics.psnr(*image),
        "recall_at_k": lambda: metrics.recall_at_k(embeddings, labels, (1, 3), metric="euclidean"),
        "scale_invariant_log_error": lambda: metrics.scale_invariant_log_error(*depth),
        "ssim": lambda: metrics.ssim(*image),
        "topk_accuracy": lambda: metrics.topk_accuracy(scores, labels, (1, 3)),
    }


def test_every_metric_of_floating_point_is_here():
    of_labels = {"boundary_iou", "confusion_matrix", "mean_iou"}
    assert set(calls(torch.float32)) == set(metrics.__all__) - of_labels


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", sorted(calls(torch.float32)))
def test_same_value(name, dtype):
    call = calls(dtype)[name]
    want = call()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = call()
    torch.testing.assert_close(got, want, rtol=0, atol=0)
