"""Which metrics compile into one graph, and why the others cannot."""

import pytest
import torch

from cvcourse import metrics

GRAPHS = {
    "absolute_relative_error": lambda: (*(0.5 + torch.rand(2, 2, 5, 6)), torch.rand(2, 5, 6) < 0.5),
    "angular_error": lambda: (*torch.randn(2, 2, 3, 5, 6), torch.rand(2, 5, 6) < 0.5),
    "boundary_iou": lambda: (torch.rand(2, 2, 20, 20) < 0.5).unbind(),
    "delta_accuracy": lambda: (*(0.5 + torch.rand(2, 2, 5, 6)), torch.rand(2, 5, 6) < 0.5),
    "endpoint_error": lambda: (*torch.randn(2, 2, 2, 5, 6), torch.rand(2, 5, 6) < 0.5),
    "flow_outlier_rate": lambda: (*(4 * torch.randn(2, 2, 2, 5, 6)), torch.rand(2, 5, 6) < 0.5),
    "frechet_distance": lambda: (torch.randn(20, 4), torch.randn(3, 4)),
    "object_keypoint_similarity": lambda: (
        *torch.randn(2, 3, 5, 2),
        torch.rand(3, 5) < 0.7,
        1 + torch.rand(3),
        0.1 + torch.rand(5),
    ),
    "psnr": lambda: torch.rand(2, 2, 3, 8, 8).unbind(),
    "scale_invariant_log_error": lambda: (*(0.5 + torch.rand(2, 2, 5, 6)),),
    "ssim": lambda: torch.rand(2, 2, 3, 16, 16).unbind(),
}
NOT_ONE_GRAPH = {
    "average_precision": "checks by value that the recall does not fall; computed on the CPU",
    "bootstrap_interval": "calls a function of the user and returns Python numbers",
    "coco_average_precision": "numpy, for lists of images of any size",
    "confusion_matrix": "checks by value that the labels are in range; bincount",
    "cross_modal_recall": "calls recall_at_k",
    "match_detections": "a loop in the order of the scores",
    "mean_average_precision_at_r": "shapes depend on which queries have a match",
    "mean_iou": "calls confusion_matrix",
    "precision_recall_curve": "checks num_targets by value; computed on the CPU",
    "recall_at_k": "shapes depend on which queries have a match",
    "topk_accuracy": "checks by value that the labels are in range",
}


def test_every_metric_is_in_one_list():
    assert set(GRAPHS) | set(NOT_ONE_GRAPH) == set(metrics.__all__)
    assert not set(GRAPHS) & set(NOT_ONE_GRAPH)


@pytest.mark.as_user
@pytest.mark.parametrize("name", GRAPHS)
def test_one_graph_and_the_same_value(name):
    metric, inputs = getattr(metrics, name), GRAPHS[name]()
    compiled = torch.compile(metric, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*inputs), metric(*inputs))


@pytest.mark.as_user
@pytest.mark.parametrize("name", ["endpoint_error", "psnr", "ssim"])
def test_same_gradient(name):
    metric, (preds, *rest) = getattr(metrics, name), GRAPHS[name]()
    preds = preds.clone().requires_grad_()
    compiled = torch.compile(metric, fullgraph=True, backend="aot_eager")
    gradients = [torch.autograd.grad(f(preds, *rest), preds)[0] for f in (compiled, metric)]
    torch.testing.assert_close(*gradients)
