"""COCO's average precision and recall of boxes or masks."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cvcourse.metrics._checks import check_counts
from cvcourse.metrics._coco_curves import mean_of_defined, precision_and_recall
from cvcourse.metrics._coco_matches import ALL_AREAS, Matches, match_images

COCO_IOU_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
COCO_AREAS = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}


def coco_average_precision(
    preds: Sequence[Mapping[str, Tensor]],
    target: Sequence[Mapping[str, Tensor]],
    *,
    iou_type: str | Sequence[str] = "bbox",
    box_format: str = "xyxy",
    iou_thresholds: Sequence[float] = COCO_IOU_THRESHOLDS,
    max_detections: Sequence[int] = (1, 10, 100),
    areas: Mapping[str, tuple[float, float]] = COCO_AREAS,
    class_metrics: bool = False,
) -> dict[str, Tensor]:
    """Average precision (AP) and average recall (AR): what COCO's leaderboards report.

    Best score first, each detection claims the free target of its class that it overlaps most.
    AP is the mean, over 101 recalls, of the best precision at that recall or beyond; "map" is its
    mean over IoU thresholds and classes. AR is the highest recall, averaged likewise.

    Args:
        preds: per image `labels` (N,), `scores` (N,) and `boxes` (N, 4), or with `iou_type="segm"`
            `masks` (N, height, width) or (N, 1, height, width), as Mask R-CNN gives them: bool, 0
            and 1, or probabilities, of which those above 0.5 are the object.
        target: per image `labels` and `boxes` or `masks`; optionally `iscrowd` (N,) and `area`
            (N,), the area that makes it small, medium or large (default: the box's or mask's).
        iou_type: "bbox", "segm", or several: then each key begins with its type, "bbox_map".
        box_format: of the boxes, see `box_convert`.
        iou_thresholds: in [0, 1]; default 0.5, 0.55, ..., 0.95.
        max_detections: detections per image and class that count; AP uses the largest.
        areas: ranges of area by name, both ends included.
        class_metrics: also report each class.

    Returns torchmetrics' keys, float64: map, map_50, map_75, map_{area}, mar_{max}, mar_{area},
    map_per_class, mar_{max}_per_class, classes.

    **Conventions**: bit for bit those of pycocotools. -1, not nan, where there is no target. Crowds
    neither count nor harm: detections inside them are ignored, as are unmatched detections outside
    the range of areas. Of equal IoU the last target is claimed; of equal scores the first counts
    first. A box with x2 <= x1 or y2 <= y1 overlaps nothing.

    Raises ValueError for missing keys, lengths or shapes that do not fit, nan or inf, other masks,
    or an unknown `iou_type` or `box_format`.
    Reference: Lin et al. 2014, "Microsoft COCO", arXiv 1405.0312, and pycocotools' COCOeval.
    """
    max_detections = check_counts("max_detections", max_detections)
    iou_thresholds = [float(t) for t in iou_thresholds]
    if not all(low <= high for low, high in areas.values()):
        raise ValueError(f"areas must be ranges (low, high), got {dict(areas)}")
    types = [iou_type] if isinstance(iou_type, str) else list(iou_type)
    if not types:
        raise ValueError(f"iou_type must name one type or more, got {iou_type}")
    results = {}
    for each in types:
        matches = match_images(
            preds,
            target,
            iou_type=each,
            box_format=box_format,
            iou_thresholds=iou_thresholds,
            limit=max(max_detections),
            ranges=[ALL_AREAS, *areas.values()],
        )
        prefix = f"{each}_" if len(types) > 1 else ""
        means = _means(matches, iou_thresholds, max_detections, areas, class_metrics)
        for key, mean in means.items():
            results[prefix + key] = torch.tensor(mean, dtype=torch.float64, device="cpu")
        results["classes"] = torch.from_numpy(matches.classes)
    return results


def _means(
    matches: Matches,
    iou_thresholds: Sequence[float],
    max_detections: Sequence[int],
    areas: Mapping[str, tuple[float, float]],
    class_metrics: bool,
) -> dict[str, float | list[float]]:
    precision, recall = precision_and_recall(
        hit=matches.hit,
        false_alarm=matches.false_alarm,
        label=matches.label,
        score=matches.score,
        rank=matches.rank,
        positives=matches.positives(),
        max_detections=max_detections,
    )

    last = int(np.argmax(max_detections))
    values = {"map": precision[..., 0]}  # what each key is the mean of
    for t in (0.5, 0.75):
        values[f"map_{100 * t:.0f}"] = precision[np.equal(iou_thresholds, t), ..., 0]
    for a, name in enumerate(areas, start=1):
        values[f"map_{name}"] = precision[..., a]
        values[f"mar_{name}"] = recall[..., a, last]
    for m, limit in enumerate(max_detections):
        values[f"mar_{limit}"] = recall[..., 0, m]
    means: dict[str, float | list[float]] = {
        key: mean_of_defined(value) for key, value in values.items()
    }
    for key in ("map", f"mar_{max_detections[last]}"):
        of_class = [mean_of_defined(values[key][..., k]) for k in range(len(matches.classes))]
        means[f"{key}_per_class"] = of_class if class_metrics else -1.0
    return means
