"""Random inputs, the same value as the well-known libraries (the extra `bench` installs them)."""

import contextlib
import io

import numpy as np
import pytest
import torch

from cvcourse.metrics import (
    boundary_iou,
    coco_average_precision,
    confusion_matrix,
    endpoint_error,
    mean_average_precision_at_r,
    mean_iou,
    precision_recall_curve,
    psnr,
    recall_at_k,
    ssim,
    topk_accuracy,
)
from cvcourse.ops import box_convert
from tests.metrics.detections import random_images
from tests.metrics.test_coco_average_precision import stats

needs = pytest.importorskip
SEEDS = range(6)


def close(ours, theirs, atol=1e-6):
    ours, theirs = torch.as_tensor(ours).double(), torch.as_tensor(theirs).double()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=atol, equal_nan=True)


# ---- pycocotools: to the last bit


def pycocotools_stats(preds, target, iou_type, params=None):
    coco = needs("pycocotools.coco", reason="the extra `bench` is not installed").COCO
    from pycocotools import mask as rle
    from pycocotools.cocoeval import COCOeval

    def annotation(image_id, image, i):
        x1, y1, x2, y2 = image["boxes"][i].tolist() if iou_type == "bbox" else [0] * 4
        label = image["labels"][i].item()
        result = {"image_id": image_id, "category_id": label, "iscrowd": 0}
        if iou_type == "bbox":
            result |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
        else:
            code = rle.encode(np.asfortranarray(image["masks"][i].numpy().astype(np.uint8)))
            result |= {"segmentation": code, "area": int(rle.area(code))}
        for key, name in {"scores": "score", "iscrowd": "iscrowd", "area": "area"}.items():
            if key in image:
                result[name] = image[key][i].item()
        return result

    annotations, results = (
        [annotation(i, image, j) for i, image in enumerate(x) for j in range(len(image["labels"]))]
        for x in (target, preds)
    )
    labels = sorted({a["category_id"] for a in annotations + results})
    height, width = target[0]["masks"].shape[1:] if iou_type == "segm" else (None, None)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco()
        truth.dataset = {
            "images": [{"id": i, "height": height, "width": width} for i in range(len(target))],
            "annotations": [{**a, "id": i} for i, a in enumerate(annotations, start=1)],  # not 0
            "categories": [{"id": label} for label in labels],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), iou_type)
        for name, value in (params or {}).items():
            setattr(evaluation.params, name, value)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return torch.from_numpy(evaluation.stats), evaluation.eval


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("objects", [3, 40])
def test_coco_boxes_are_pycocotools_to_the_last_bit(seed, objects):
    options = {"ties": seed % 2 == 0, "crowd": [0, 0.1, 0.5][seed % 3], "area": seed % 4 == 3}
    preds, target = random_images(seed, objects=objects, classes=1 + seed % 3, **options)
    result = coco_average_precision(preds, target, class_metrics=True)
    want, curves = pycocotools_stats(preds, target, "bbox")
    assert torch.equal(stats(result), want)
    of_class = curves["precision"][:, :, :, 0, 2]
    for k, value in enumerate(result["map_per_class"].tolist()):
        defined = of_class[:, :, k][of_class[:, :, k] > -1]
        assert value == (defined.mean() if len(defined) else -1)
    best_recall = curves["recall"][:, :, 0, 2].mean(0)
    close(result["mar_100_per_class"], best_recall, atol=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
def test_coco_masks_are_pycocotools_to_the_last_bit(seed):
    options = {"ties": seed % 2 == 0, "crowd": 0.3 * (seed % 3), "area": seed % 4 == 3}
    preds, target = random_images(seed, masks=True, images=5, side=150, **options)
    result = coco_average_precision(preds, target, iou_type="segm")
    assert torch.equal(stats(result), pycocotools_stats(preds, target, "segm")[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_coco_with_other_areas_thresholds_and_limits(seed):
    preds, target = random_images(seed, objects=20, classes=2)
    areas = {"tiny": (0, 500), "small": (300, 2000), "large": (2000, 1e7)}
    thresholds, limits = [0.3, 0.5, 0.62, 1.0], [2, 5, 7]
    result = coco_average_precision(
        preds, target, iou_thresholds=thresholds, max_detections=limits, areas=areas
    )
    params = {
        "iouThrs": np.array(thresholds),
        "maxDets": limits,
        "areaRng": [[0, 1e10], *map(list, areas.values())],
        "areaRngLbl": ["all", *areas],
    }
    _, curves = pycocotools_stats(preds, target, "bbox", params)

    def mean(values):
        return values[values > -1].mean() if (values > -1).any() else -1

    precision, recall = curves["precision"], curves["recall"]  # (T, R, K, A, M), (T, K, A, M)
    assert result["map"] == mean(precision[..., 0, 2])
    assert result["map_50"] == mean(precision[1:2, ..., 0, 2])
    assert result["map_75"] == -1
    for a, name in enumerate(areas, start=1):
        assert result[f"map_{name}"] == mean(precision[..., a, 2])
        assert result[f"mar_{name}"] == mean(recall[..., a, 2])
    for m, limit in enumerate(limits):
        assert result[f"mar_{limit}"] == mean(recall[..., 0, m])


def test_coco_of_degenerate_boxes_and_repeated_images():
    preds, target = random_images(0, images=3)
    for image in (preds[0], target[1]):
        image["boxes"][:2] = image["boxes"][:2].flip(1)  # x2 < x1
        image["boxes"][2] = 8.0  # a point
    preds, target = preds * 2, target * 2  # as a bootstrap draws them
    want = pycocotools_stats(preds, target, "bbox")[0]
    assert torch.equal(stats(coco_average_precision(preds, target)), want)


@pytest.mark.parametrize("seed", SEEDS)
def test_coco_of_boxes_and_soft_masks_in_one_call(seed):
    """Boxes as COCO's files have them, masks as Mask R-CNN gives them."""
    boxes, masks = (random_images(seed, images=4, side=90, masks=m) for m in (False, True))
    want = {
        "bbox": pycocotools_stats(*boxes, "bbox")[0],
        "segm": pycocotools_stats(*masks, "segm")[0],
    }
    preds, target = (
        [
            {**a, **b, "boxes": box_convert(a["boxes"], "xyxy", "xywh")}
            for a, b in zip(*pair, strict=True)
        ]
        for pair in zip(boxes, masks, strict=True)
    )
    for image in preds:
        image["masks"] = 0.2 + 0.6 * image["masks"][:, None]
    result = coco_average_precision(preds, target, iou_type=("bbox", "segm"), box_format="xywh")
    for iou_type, of_type in want.items():
        ours = {key.removeprefix(f"{iou_type}_"): value for key, value in result.items()}
        assert torch.equal(stats(ours), of_type)


# ---- torchmetrics, kornia, scikit-learn, scikit-image, pytorch-metric-learning


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("ignore_index", [None, 255, 3])
def test_mean_iou_and_confusion_matrix(seed, ignore_index):
    tm = needs("torchmetrics.functional.classification", reason="the extra `bench` is missing")
    sklearn = needs("sklearn.metrics")
    torch.manual_seed(seed)
    preds, target = torch.randint(7, (2, 4, 16, 16))
    if ignore_index is not None:
        target[torch.rand(target.shape) < 0.2] = ignore_index
    options = {"num_classes": 8, "ignore_index": ignore_index}  # class 7 is absent
    for average in ("macro", "micro", "weighted", "none"):
        theirs = tm.multiclass_jaccard_index(preds, target, average=average, **options)
        close(mean_iou(preds, target, average=average, **options).nan_to_num(0), theirs)
    matrix = confusion_matrix(preds, target, **options)
    keep = target != ignore_index if ignore_index is not None else torch.ones_like(target).bool()
    theirs = sklearn.confusion_matrix(target[keep], preds[keep], labels=range(8))
    assert np.array_equal(matrix.numpy(), theirs)
    assert torch.equal(matrix, tm.multiclass_confusion_matrix(preds, target, **options))


@pytest.mark.parametrize("seed", SEEDS)
def test_boundary_iou_with_erosion_of_scipy_and_skimage(seed):
    ndimage, morphology = needs("scipy.ndimage"), needs("skimage.morphology")
    torch.manual_seed(seed)
    noise = torch.nn.functional.avg_pool2d(torch.randn(2, 1, 90, 120), 9, 1, 4)[:, 0]
    preds, target = noise > 0.02
    distance = round(0.02 * 150)

    def eroded_by_scipy(mask):
        return ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=distance, border_value=0)

    def eroded_by_skimage(mask):
        square = morphology.footprint_rectangle((2 * distance + 1,) * 2)
        return morphology.erosion(np.pad(mask, distance), square)[
            distance:-distance, distance:-distance
        ]

    for eroded in (eroded_by_scipy, eroded_by_skimage):
        p, t = (m.numpy() & ~eroded(m.numpy()) for m in (preds, target))
        close(boundary_iou(preds, target), (p & t).sum() / (p | t).sum(), atol=1e-7)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("topk", [(1,), (1, 5), (3,)], ids=str)
def test_topk_accuracy(seed, topk):
    kornia = needs("kornia.metrics", reason="the extra `bench` is missing")
    tm = needs("torchmetrics.functional.classification")
    sklearn = needs("sklearn.metrics")
    torch.manual_seed(seed)
    preds, target = torch.randn(300, 10), torch.randint(10, (300,))
    ours = topk_accuracy(preds, target, topk)
    close(ours, torch.stack(kornia.accuracy(preds, target, topk)).flatten() / 100)
    for value, k in zip(ours, topk, strict=True):
        theirs = tm.multiclass_accuracy(preds, target, 10, average="micro", top_k=k)
        close(value, theirs)
        close(value, sklearn.top_k_accuracy_score(target, preds, k=k, labels=range(10)))


@pytest.mark.parametrize("seed", SEEDS)
def test_precision_recall_curve(seed):
    sklearn = needs("sklearn.metrics")
    torch.manual_seed(seed)
    scores, matched = torch.rand(50, dtype=torch.float64), torch.rand(50) < 0.6
    precision, recall, thresholds = precision_recall_curve(scores, matched, int(matched.sum()))
    theirs = sklearn.precision_recall_curve(matched, scores)  # rising thresholds, ends at (1, 0)
    close(precision, theirs[0][:-1][::-1].copy(), atol=1e-12)
    close(recall, theirs[1][:-1][::-1].copy(), atol=1e-12)
    close(thresholds, theirs[2][::-1].copy(), atol=0)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_psnr_and_ssim(seed, data_range):
    tm = needs("torchmetrics.functional.image", reason="the extra `bench` is missing")
    kornia, skimage = needs("kornia.metrics"), needs("skimage.metrics")
    torch.manual_seed(seed)
    target = torch.rand(2, 3, 24, 31, dtype=torch.float64) * data_range
    preds = (target + 0.1 * data_range * torch.randn_like(target)).clamp(0, data_range)

    pooled = psnr(preds, target, data_range, reduction="pooled")
    close(pooled, tm.peak_signal_noise_ratio(preds, target, data_range=data_range))
    close(pooled, kornia.psnr(preds, target, data_range))
    per_image = [
        skimage.peak_signal_noise_ratio(t.numpy(), p.numpy(), data_range=data_range)
        for p, t in zip(preds, target, strict=True)
    ]
    close(psnr(preds, target, data_range), np.mean(per_image))

    same = ssim(preds, target, data_range, padding="same")
    close(same, tm.structural_similarity_index_measure(preds, target, data_range=data_range))
    theirs = kornia.ssim(preds, target, 11, data_range, eps=0.0)
    close(ssim(preds, target, data_range, padding="same", reduction="map"), theirs)
    per_image = [
        skimage.structural_similarity(
            t.numpy(),
            p.numpy(),
            data_range=data_range,
            channel_axis=0,
            gaussian_weights=True,
            use_sample_covariance=False,
        )
        for p, t in zip(preds, target, strict=True)
    ]
    close(ssim(preds, target, data_range, reduction="none"), per_image)


@pytest.mark.parametrize("seed", SEEDS)
def test_endpoint_error(seed):
    kornia = needs("kornia.metrics", reason="the extra `bench` is missing")
    torch.manual_seed(seed)
    pred, target = torch.randn(2, 3, 2, 8, 9, dtype=torch.float64)
    theirs = kornia.aepe(pred.permute(0, 2, 3, 1), target.permute(0, 2, 3, 1), reduction="none")
    close(endpoint_error(pred, target, reduction="none"), theirs, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_retrieval(seed):
    pml = needs("pytorch_metric_learning", reason="the extra `bench` is missing")
    from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN

    assert pml
    torch.manual_seed(seed)
    embeddings, labels = torch.randn(80, 6), torch.randint(12, (80,))
    labels[:2] = torch.tensor([50, 51])  # two classes of one item
    gallery, gallery_labels = torch.randn(60, 6), torch.randint(10, (60,))
    names = ("precision_at_1", "mean_average_precision_at_r")
    distances = {"cosine": CosineSimilarity(), "euclidean": LpDistance(normalize_embeddings=False)}
    for metric, distance in distances.items():
        knn = CustomKNN(distance)
        calculator = AccuracyCalculator(include=names, knn_func=knn, device=torch.device("cpu"))
        alone = {"metric": metric}
        searched = {**alone, "gallery": gallery, "gallery_labels": gallery_labels}
        for options, reference in [(alone, ()), (searched, (gallery, gallery_labels))]:
            theirs = calculator.get_accuracy(embeddings, labels, *reference)
            close(recall_at_k(embeddings, labels, **options)[0], theirs[names[0]])
            close(mean_average_precision_at_r(embeddings, labels, **options), theirs[names[1]])
