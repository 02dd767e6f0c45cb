"""Metrics beside torchmetrics, kornia, pycocotools, scikit-learn, scikit-image and others.

COCO AP is compared to the last bit. pycocotools gets its annotations indexed beforehand and is
timed for evaluate, accumulate and summarize alone; ours reads its lists of tensors in the time.
"""

import contextlib
import io
from collections.abc import Iterator

import kornia
import numpy as np
import scipy.ndimage
import scipy.stats
import skimage.metrics
import sklearn.metrics
import torch
import torchmetrics.functional as tm
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from torch import Tensor

from benchmarks.harness import Case
from cvcourse.metrics import (
    bootstrap_interval,
    boundary_iou,
    coco_average_precision,
    endpoint_error,
    mean_average_precision_at_r,
    mean_iou,
    psnr,
    recall_at_k,
    ssim,
    topk_accuracy,
)


def cases() -> Iterator[Case]:
    yield from _segmentation()
    yield from _classification()
    yield Case(
        name="coco_average_precision",
        sizes="500 images, 20 classes, 2.7k targets, 3.5k detections",
        inputs=coco_data,
        ours=ours_coco,
        peers={"pycocotools": pycocotools_stats, "kornia (VOC 2007 AP50)": kornia_map},
        different=["kornia (VOC 2007 AP50)"],
        target={"pycocotools": 10},
        rtol=0,
        atol=0,
    )
    yield from _images()
    yield Case(
        name="endpoint_error",
        sizes="4 x 2 x 440 x 1024",
        inputs=lambda: tuple(torch.randn(2, 4, 2, 440, 1024)),
        ours=endpoint_error,
        peers={"kornia": lambda p, t: kornia.metrics.aepe(channel_last(p), channel_last(t))},
        target={"kornia": 1},
    )
    yield from _retrieval()
    yield Case(
        name="bootstrap_interval",
        sizes="mean of 1000 values, 1000 draws",
        inputs=lambda: (torch.rand(1000, dtype=torch.float64),),
        ours=bootstrap_interval,
        peers={"scipy": scipy_bootstrap},
        different=["scipy"],  # other draws
    )


# ---- segmentation


def _segmentation() -> Iterator[Case]:
    yield Case(
        name="mean_iou",
        sizes="8 x 512 x 512, 21 classes",
        inputs=lambda: tuple(torch.randint(21, (2, 8, 512, 512))),
        ours=lambda preds, target: mean_iou(preds, target, 21),
        peers={
            "torchmetrics": lambda p, t: tm.jaccard_index(p, t, "multiclass", num_classes=21),
            "torchmetrics, validate_args=False": lambda p, t: tm.jaccard_index(
                p, t, "multiclass", num_classes=21, validate_args=False
            ),
            "kornia (per image)": lambda p, t: kornia.metrics.mean_iou(p, t, 21),
            "scikit-learn (matrix)": lambda p, t: sklearn.metrics.confusion_matrix(
                t.flatten(), p.flatten()
            ),
        },
        different=["kornia (per image)", "scikit-learn (matrix)"],
        target={"torchmetrics": 8},
    )
    yield Case(
        name="boundary_iou",
        sizes="8 x 512 x 512",
        inputs=lambda: tuple(smooth_noise(2, 8, 512, 512) > 0),
        ours=boundary_iou,
        peers={"the authors' algorithm, scipy erosion": scipy_boundary_iou},
    )


def smooth_noise(*shape: int) -> Tensor:
    noise = torch.randn(shape).flatten(0, -3)[:, None]
    return torch.nn.functional.avg_pool2d(noise, 31, 1, 15).view(shape)


def scipy_boundary_iou(preds: Tensor, target: Tensor) -> Tensor:
    height, width = preds.shape[-2:]
    distance = round(0.02 * np.hypot(height, width))
    square = np.ones((3, 3))
    values = []
    for pair in zip(preds.numpy(), target.numpy(), strict=True):
        p, t = (m & ~scipy.ndimage.binary_erosion(m, square, iterations=distance) for m in pair)
        values.append((p & t).sum() / (p | t).sum())
    return torch.tensor(values, dtype=torch.float32)


# ---- classification


def _classification() -> Iterator[Case]:
    for topk in ((1,), (1, 5)):
        yield Case(
            name=f"topk_accuracy {topk}",
            sizes="8192 x 1000",
            inputs=lambda: (torch.randn(8192, 1000), torch.randint(1000, (8192,))),
            ours=lambda preds, target, topk=topk: topk_accuracy(preds, target, topk),
            peers={
                "kornia": lambda p, t, topk=topk: (
                    torch.stack(kornia.metrics.accuracy(p, t, topk)).flatten() / 100
                ),
                "torchmetrics (each k)": lambda p, t, topk=topk: torch.stack(
                    [
                        tm.accuracy(p, t, "multiclass", num_classes=1000, average="micro", top_k=k)
                        for k in topk
                    ]
                ),
            },
            target={"kornia": 1},
        )


# ---- detection


def coco_data() -> tuple:
    """preds and target as lists of tensors, and the same indexed by pycocotools."""
    rng = np.random.default_rng(0)
    preds, target = [], []
    for _ in range(500):
        boxes, labels = (
            random_boxes(rng, count := rng.integers(0, 12)),
            rng.integers(20, size=count),
        )
        copies = rng.integers(0, 3, count)
        found, size = boxes.repeat(copies, axis=0), (boxes[:, 2:] - boxes[:, :2]).repeat(copies, 0)
        found = found + 0.08 * np.tile(size, 2) * rng.normal(size=found.shape)
        found = np.concatenate([found, random_boxes(rng, invented := rng.integers(0, 4))])
        found_labels = np.concatenate([labels.repeat(copies), rng.integers(20, size=invented)])
        crowd = rng.random(count) < 0.05
        target.append(tensors(boxes=boxes, labels=labels, iscrowd=crowd))
        preds.append(tensors(boxes=found, labels=found_labels, scores=rng.random(len(found))))
    return preds, target, *indexed(preds, target)


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner, size = 400 * rng.random((count, 2)), np.exp(rng.normal(3.8, 0.9, (count, 2)))
    return np.concatenate([corner, corner + size], axis=1)


def tensors(**arrays: np.ndarray) -> dict[str, Tensor]:
    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def indexed(preds: list[dict], target: list[dict]) -> tuple[COCO, COCO]:
    annotations, results = (
        [
            {"image_id": i, "category_id": label, "bbox": [x1, y1, x2 - x1, y2 - y1], **rest}
            for i, image in enumerate(images)
            for (x1, y1, x2, y2), label, rest in zip(
                image["boxes"].tolist(), image["labels"].tolist(), extra(image), strict=True
            )
        ]
        for images, extra in (
            (target, lambda image: [{"iscrowd": int(c)} for c in image["iscrowd"]]),
            (preds, lambda image: [{"score": s} for s in image["scores"].tolist()]),
        )
    )
    for i, annotation in enumerate(annotations, start=1):
        annotation |= {"id": i, "area": annotation["bbox"][2] * annotation["bbox"][3]}
    truth = COCO()
    truth.dataset = {
        "images": [{"id": i} for i in range(len(target))],
        "annotations": annotations,
        "categories": [{"id": label} for label in range(20)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        return truth, truth.loadRes(results)


STATS = [
    *("map", "map_50", "map_75", "map_small", "map_medium", "map_large"),
    *("mar_1", "mar_10", "mar_100", "mar_small", "mar_medium", "mar_large"),
]


def ours_coco(preds: list[dict], target: list[dict], _truth: COCO, _found: COCO) -> Tensor:
    result = coco_average_precision(preds, target)
    return torch.stack([result[key] for key in STATS])


def pycocotools_stats(_preds: list[dict], _target: list[dict], truth: COCO, found: COCO) -> Tensor:
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return torch.from_numpy(evaluation.stats)


def kornia_map(preds: list[dict], target: list[dict], _truth: COCO, _found: COCO) -> Tensor:
    columns = [[image[key] for image in preds] for key in ("boxes", "labels", "scores")]
    columns += [[image[key] for image in target] for key in ("boxes", "labels")]
    return kornia.metrics.mean_average_precision(*columns, n_classes=20)[0]


# ---- images and flow


def _images() -> Iterator[Case]:
    sizes = "8 x 3 x 256 x 256"
    yield Case(
        name="psnr",
        sizes=sizes,
        inputs=lambda: tuple(torch.rand(2, 8, 3, 256, 256)),
        ours=lambda preds, target: psnr(preds, target, reduction="pooled"),
        peers={
            "torchmetrics": lambda p, t: tm.peak_signal_noise_ratio(p, t, data_range=1.0),
            "kornia": lambda p, t: kornia.metrics.psnr(p, t, 1.0),
            "scikit-image": skimage_psnr,
        },
    )
    for name, gradient, beside_kornia in (("ssim", False, 1.2), ("ssim, with backward", True, 3)):
        yield Case(
            name=name,
            sizes=sizes,
            inputs=lambda gradient=gradient: (
                torch.rand(8, 3, 256, 256, requires_grad=gradient),
                torch.rand(8, 3, 256, 256),
            ),
            ours=lambda preds, target: ssim(preds, target, padding="same"),
            peers={
                "torchmetrics": lambda p, t: tm.structural_similarity_index_measure(
                    p, t, data_range=1.0
                ),
                "kornia": lambda p, t: kornia.metrics.ssim(p, t, 11, eps=0.0).mean(),
            },
            target={"torchmetrics": 5, "kornia": beside_kornia},
            atol=1e-5,
        )


def skimage_psnr(preds: Tensor, target: Tensor) -> Tensor:
    value = skimage.metrics.peak_signal_noise_ratio(target.numpy(), preds.numpy(), data_range=1)
    return torch.tensor(float(value))


def channel_last(flow: Tensor) -> Tensor:
    return flow.permute(0, 2, 3, 1)


# ---- retrieval and statistics


def _retrieval() -> Iterator[Case]:
    yield Case(
        name="recall_at_k, k = 1",
        sizes="4096 x 128",
        inputs=lambda: embedded_classes(4096, 128, per_class=8),
        ours=recall_at_k,
        peers={"pytorch-metric-learning": lambda x, y: pml("precision_at_1", 1, x, y)[None]},
        target={"pytorch-metric-learning": 1},
    )
    yield Case(
        name="mean_average_precision_at_r",
        sizes="4096 x 128, 8 per class",
        inputs=lambda: embedded_classes(4096, 128, per_class=8),
        ours=mean_average_precision_at_r,
        peers={
            "pytorch-metric-learning": lambda x, y: pml(
                "mean_average_precision_at_r", "max_bin_count", x, y
            )
        },
    )


def embedded_classes(items: int, dims: int, per_class: int) -> tuple[Tensor, Tensor]:
    labels = torch.arange(items) // per_class
    centres = torch.randn(items // per_class, dims)
    return centres[labels] + 1.5 * torch.randn(items, dims), labels


def pml(name: str, k: int | str, embeddings: Tensor, labels: Tensor) -> Tensor:
    calculator = AccuracyCalculator(include=(name,), k=k, knn_func=CustomKNN(CosineSimilarity()))
    return torch.tensor(calculator.get_accuracy(embeddings, labels)[name])


def scipy_bootstrap(values: Tensor) -> tuple[float, float]:
    options = {"n_resamples": 1000, "method": "percentile"}
    interval = scipy.stats.bootstrap((values.numpy(),), np.mean, **options).confidence_interval
    return interval.low, interval.high
