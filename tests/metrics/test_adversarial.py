"""What a hostile caller hands in: each gets a documented value or an error that names it."""

import inspect
import math

import numpy as np
import pytest
import torch

from cvcourse import metrics

pytestmark = pytest.mark.as_user

FLOW = torch.zeros(1, 2, 3, 3)
IMAGES = torch.rand(1, 1, 16, 16)
ITEMS = torch.randn(4, 3), torch.tensor([0, 0, 1, 1])
BOXES = torch.tensor([[0.0, 0.0, 9.0, 9.0]])
LABELS = torch.tensor([0, 1])
DETECTION = {"boxes": BOXES, "scores": torch.ones(1), "labels": torch.zeros(1).long()}

REFUSED = {
    "num_classes": [
        lambda: metrics.confusion_matrix(LABELS, LABELS, math.inf),
        lambda: metrics.confusion_matrix(LABELS, LABELS, 3.0),
    ],
    "topk": [
        lambda: metrics.topk_accuracy(torch.rand(2, 3), LABELS, 1),
        lambda: metrics.topk_accuracy(torch.rand(2, 3), LABELS, (math.inf,)),
        lambda: metrics.topk_accuracy(torch.rand(2, 3), LABELS, (2**70,)),
    ],
    "ks": [
        lambda: metrics.recall_at_k(*ITEMS, 5),
        lambda: metrics.recall_at_k(*ITEMS, (math.inf,)),
    ],
    "chunk": [lambda: metrics.recall_at_k(*ITEMS, chunk=math.inf)],
    "embeddings": [
        lambda: metrics.recall_at_k(1e30 * ITEMS[0], ITEMS[1]),
        lambda: metrics.mean_average_precision_at_r(1e30 * ITEMS[0], ITEMS[1], metric="euclidean"),
    ],
    "n ": [lambda: metrics.bootstrap_interval(torch.rand(3), n=math.inf)],
    "values": [lambda: metrics.bootstrap_interval(torch.rand(()))],
    "window_size": [
        lambda: metrics.ssim(IMAGES, IMAGES, window_size=math.nan),
        lambda: metrics.ssim(IMAGES, IMAGES, window_size=3.5),
    ],
    "preds": [
        lambda: metrics.ssim(IMAGES[:, :0], IMAGES[:, :0]),
        lambda: metrics.coco_average_precision(
            [DETECTION | {"boxes": [[0, 0, 9, 9]]}], [DETECTION]
        ),
        lambda: metrics.coco_average_precision([DETECTION | {"labels": np.zeros(1)}], [DETECTION]),
    ],
    "max_detections": [
        lambda: metrics.coco_average_precision([], [], max_detections=100),
        lambda: metrics.coco_average_precision([], [], max_detections=(math.inf,)),
    ],
    "pixels": [lambda: metrics.flow_outlier_rate(FLOW, FLOW, pixels=math.nan)],
    "relative": [lambda: metrics.flow_outlier_rate(FLOW, FLOW, relative=-0.1)],
    "iou_threshold": [
        lambda: metrics.match_detections(BOXES, torch.ones(1), BOXES, iou_threshold=math.nan),
        lambda: metrics.match_detections(BOXES, torch.ones(1), BOXES, iou_threshold=-2),
    ],
    "num_targets": [
        lambda: metrics.precision_recall_curve(torch.ones(1), torch.ones(1).bool(), math.nan),
        lambda: metrics.precision_recall_curve(torch.ones(1), torch.ones(1).bool(), 1.5),
    ],
    "precision": [lambda: metrics.average_precision(torch.tensor([2.0]), torch.tensor([0.5]))],
}


@pytest.mark.parametrize(
    ("name", "call"), [(name, call) for name, calls in REFUSED.items() for call in calls]
)
def test_error_names_the_argument(name, call):
    with pytest.raises(ValueError, match=name):
        call()


@pytest.mark.parametrize(
    ("dtype", "label", "ignore_index"),
    [(torch.uint8, 156, -100), (torch.uint8, 44, 300)],
)
def test_ignore_index_does_not_wrap_around_in_narrow_labels(dtype, label, ignore_index):
    target = torch.tensor([label], dtype=dtype)
    matrix = metrics.confusion_matrix(target, target, 200, ignore_index=ignore_index)
    assert matrix[label, label] == 1
    scores = torch.eye(200)[label][None]
    assert metrics.topk_accuracy(scores, target, ignore_index=ignore_index) == 1


def test_label_minus_one_is_not_255_in_int8():
    target = torch.tensor([-1], dtype=torch.int8)
    with pytest.raises(ValueError, match="target"):
        metrics.confusion_matrix(torch.zeros_like(target), target, 3, ignore_index=255)


def test_narrow_numpy_integers_count_without_overflow():
    assert metrics.confusion_matrix(LABELS, LABELS, np.uint8(20)).shape == (20, 20)


def test_no_sample_of_no_class_is_nan():
    assert metrics.topk_accuracy(torch.rand(0, 0), torch.zeros(0).long()).isnan()


def test_flow_equal_to_its_target_has_error_zero_with_gradient():
    flow = torch.rand(1, 2, 3, 3, requires_grad=True)
    error = metrics.endpoint_error(flow, flow.detach())
    error.backward()
    assert error == 0
    assert torch.equal(flow.grad, torch.zeros_like(flow))


def test_narrow_gaussian_compares_pixel_by_pixel():
    other = IMAGES.flip(-1)
    wanted = metrics.ssim(IMAGES, other, window_size=1)
    assert torch.allclose(metrics.ssim(IMAGES, other, window_size=1, sigma=1e-30), wanted)
    assert metrics.ssim(IMAGES, other, sigma=1e-30).isfinite()


@pytest.mark.parametrize("ratio", [2.0, 1e6, 1e308])
def test_boundary_wider_than_the_image_is_all_of_the_mask(ratio):
    masks = torch.rand(2, 6, 6) > 0.5
    value = metrics.boundary_iou(masks[0], masks[1], dilation_ratio=ratio)
    assert value == (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()


def test_thresholds_may_be_a_tensor():
    target = [{"boxes": BOXES, "labels": torch.zeros(1).long()}]
    result = metrics.coco_average_precision(
        [DETECTION], target, iou_thresholds=torch.tensor([0.5, 0.75])
    )
    assert result["map"] == result["map_50"] == result["map_75"]
    assert result["map"] == pytest.approx(1)


MAP = torch.rand(2, 8) < 0.5
SCORES = torch.tensor([0.9, 0.8])
DEPTH = 1 + torch.rand(2, 3, 4)
NORMALS = torch.randn(2, 3, 4, 4)
POSES = torch.ones(2, 3, 2)
OF_POSES = POSES[..., 0] > 0, POSES[:, 0, 0], POSES[0, :, 0]
CALLS = [
    ("absolute_relative_error", (DEPTH, DEPTH, DEPTH > 1.5)),
    ("angular_error", (NORMALS, NORMALS, NORMALS[:, 0] > 0)),
    ("average_precision", (torch.tensor([1.0, 0.5]), torch.tensor([0.5, 1.0]))),
    ("boundary_iou", (MAP, MAP)),
    ("confusion_matrix", (LABELS, LABELS, 2)),
    ("cross_modal_recall", (ITEMS[0], ITEMS[0])),
    ("delta_accuracy", (DEPTH, DEPTH, DEPTH > 1.5)),
    ("endpoint_error", (FLOW, FLOW, FLOW[:, 0] == 0)),
    ("flow_outlier_rate", (FLOW, FLOW, FLOW[:, 0] == 0)),
    ("frechet_distance", (ITEMS[0], ITEMS[0])),
    ("match_detections", (BOXES, SCORES[:1], BOXES)),
    ("mean_average_precision_at_r", ITEMS),
    ("mean_iou", (LABELS, LABELS, 2)),
    ("mean_iou", (torch.eye(2),)),
    (
        "object_keypoint_similarity",
        (POSES, POSES, POSES[..., 0] > 0, POSES[:, 0, 0], POSES[0, :, 0]),
    ),
    ("precision_recall_curve", (SCORES, SCORES > 0, 3)),
    ("psnr", (IMAGES, IMAGES)),
    ("recall_at_k", ITEMS),
    ("scale_invariant_log_error", (DEPTH, DEPTH, DEPTH > 1.5)),
    ("ssim", (IMAGES, IMAGES)),
    ("topk_accuracy", (torch.rand(2, 3), LABELS)),
]


@pytest.mark.parametrize(("name", "inputs"), CALLS)
def test_arrays_of_numpy_are_named(name, inputs):
    function = getattr(metrics, name)
    for i, (argument, value) in enumerate(
        zip(inspect.signature(function).parameters, inputs, strict=False)
    ):
        if isinstance(value, torch.Tensor):
            with pytest.raises(ValueError, match=f"^{argument} must be a tensor, got .*ndarray"):
                function(*inputs[:i], value.numpy(), *inputs[i + 1 :])


def test_arrays_of_numpy_in_a_gallery_are_named():
    for name, gallery, labels in (
        ("gallery", ITEMS[0].numpy(), ITEMS[1]),
        ("gallery_labels", ITEMS[0], ITEMS[1].numpy()),
    ):
        with pytest.raises(ValueError, match=f"^{name} must be a tensor"):
            metrics.recall_at_k(*ITEMS, gallery=gallery, gallery_labels=labels)


def test_every_metric_is_here():
    others = {"bootstrap_interval", "coco_average_precision"}  # take sequences, and say of what
    assert {name for name, _ in CALLS} == set(metrics.__all__) - others
