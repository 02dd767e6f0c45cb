"""Detections in COCO's results format: what its servers and pycocotools' `loadRes` take.

https://cocodataset.org/#format-results: one list of {"image_id", "category_id", "score"} with
"bbox" [x, y, width, height] or "segmentation" (run lengths).
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cvcourse.data._boxes import boxes_of
from cvcourse.data.polygons import mask_to_runs, runs_to_mask

_TYPES = ("bbox", "segm")
_KEYS = ("image_id", "category_id", "score")


def write_coco_results(
    path: str | Path,
    detections: Sequence[Mapping[str, Tensor]],
    image_ids: Sequence[int | str],
    *,
    iou_type: str = "bbox",
    category_ids: Mapping[int, int] | None = None,
) -> None:
    """Write what a detector found, for `COCO(annotations).loadRes(path)`.

    detections    of each picture: labels (N,), scores (N,), and boxes (N, 4) xyxy, or with
                  iou_type="segm" masks (N, H, W) or (N, 1, H, W), as `coco_average_precision`
                  takes them; of probabilities those above 0.5 are the mask
    image_ids     of each picture: `Coco.image_ids`
    category_ids  from labels to the file's category ids: `Coco.category_ids`; None if they are
                  the same

    **Conventions**: numbers are written in full, so that `read_coco_results` gives the same boxes
    and scores. Entries with a mask have no "bbox", from which pycocotools would take the area that
    makes an object small or large. (`loadRes` of pycocotools refuses a file without detections.)

    Raises ValueError for lengths, shapes or labels that do not fit, and for nan and infinity.
    """
    _check_type(iou_type)
    if len(detections) != len(image_ids):
        raise ValueError(
            f"detections and image_ids must be as many, got {len(detections)} and {len(image_ids)}"
        )
    results = []
    for image_id, found in zip(image_ids, detections, strict=True):
        where = f"detections of picture {image_id}"
        region = "boxes" if iou_type == "bbox" else "masks"
        if missing := [key for key in ("labels", "scores", region) if key not in found]:
            raise ValueError(f"{where} must have {missing}, got {sorted(found)}")
        labels, scores = found["labels"].tolist(), found["scores"].double().tolist()
        shapes = _boxes(found, where) if iou_type == "bbox" else _runs(found, where)
        if not len(labels) == len(scores) == len(shapes):
            raise ValueError(
                f"{where} must have as many labels, scores and {region}, got {len(labels)}, "
                f"{len(scores)} and {len(shapes)}"
            )
        if not all(map(math.isfinite, scores)):
            raise ValueError(f"{where} must have finite scores, got {scores}")
        for label, score, shape in zip(labels, scores, shapes, strict=True):
            if category_ids is not None and label not in category_ids:
                raise ValueError(f"category_ids has no label {label}, found in picture {image_id}")
            results.append(
                {
                    "image_id": _plain(image_id),
                    "category_id": label if category_ids is None else category_ids[label],
                    **shape,
                    "score": score,
                }
            )
    text = json.dumps(results, allow_nan=False)
    Path(path).expanduser().write_text(text, encoding="utf-8")


def read_coco_results(
    path: str | Path,
    image_ids: Sequence[int | str],
    *,
    labels: Mapping[int | str, int] | None = None,
) -> list[dict[str, Tensor]]:
    """Detections of each picture, from any detector's results file, for `coco_average_precision`.

    Of each picture boxes (N, 4) xyxy, labels (N,) and scores (N,), float64 and in the order of the
    file; if its entries have a segmentation, also masks (N, H, W) bool, and without "bbox" the
    boxes around these.

    image_ids  of the pictures wanted, in the order of the answer: `Coco.image_ids`
    labels     from the file's category ids to labels: `Coco.labels`; None if they are the same

    Raises ValueError, with path and place, for what is no result, is of a picture or category that
    is not listed, or has masks of different sizes in one picture.
    """
    path = Path(path).expanduser()
    try:
        results = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not a file of COCO results ({error})") from error
    if not isinstance(results, list):
        raise ValueError(f"{path} is not a file of COCO results: it must hold a list")
    place_of = {_plain(image_id): place for place, image_id in enumerate(image_ids)}
    entries = [[] for _ in image_ids]
    kinds = set()
    for place, entry in enumerate(results):
        where = f"{path}, result {place}"
        shape = [k for k in ("bbox", "segmentation") if isinstance(entry, dict) and k in entry]
        if not shape or not all(key in entry for key in _KEYS):
            raise ValueError(f"{where} must have {_KEYS} and bbox or segmentation")
        if entry["image_id"] not in place_of:
            raise ValueError(f"{where} is of picture {entry['image_id']!r}, not in image_ids")
        if labels is not None and entry["category_id"] not in labels:
            raise ValueError(f"{where} is of category {entry['category_id']!r}, not in labels")
        kinds.add(tuple(shape))
        entries[place_of[entry["image_id"]]].append((where, entry))
    if len(kinds) > 1:
        raise ValueError(f"{path}: all results must have a box, or all a segmentation, or all both")
    keys = kinds.pop() if kinds else ("bbox",)
    return [_detections(found, keys, labels) for found in entries]


def _detections(found: list, keys: tuple[str, ...], labels: Mapping | None) -> dict[str, Tensor]:
    numbers = [entry["category_id"] for _, entry in found]
    numbers = numbers if labels is None else [labels[number] for number in numbers]
    detections = {
        "labels": torch.tensor(numbers, dtype=torch.int64),
        "scores": torch.tensor([entry["score"] for _, entry in found], dtype=torch.float64),
    }
    if "segmentation" in keys:
        masks = np.stack(_masks(found)) if found else np.zeros((0, 1, 1), bool)
        detections["masks"] = torch.from_numpy(masks)
        boxes = torch.from_numpy(boxes_of(masks)).double()
    if "bbox" in keys:
        boxes = torch.tensor([_box(where, entry) for where, entry in found], dtype=torch.float64)
        boxes = boxes.reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
    return detections | {"boxes": boxes}


def _box(where: str, entry: dict) -> list[float]:
    box = entry["bbox"]
    if len(box) != 4 or not all(math.isfinite(number) for number in box):
        raise ValueError(f"{where} must have a bbox of x, y, width and height, got {box}")
    return box


def _masks(found: list) -> list[np.ndarray]:
    masks = []
    for where, entry in found:
        try:
            masks.append(runs_to_mask(entry["segmentation"]))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{where} must have run lengths as segmentation ({error})") from error
        if masks[-1].shape != masks[0].shape:
            raise ValueError(
                f"{where} has a mask of {masks[-1].shape}, others of its picture {masks[0].shape}"
            )
    return masks


def _boxes(found: Mapping[str, Tensor], where: str) -> list[dict]:
    boxes = found["boxes"].detach().cpu().double()
    if boxes.numel() and boxes.shape != (len(boxes), 4):
        raise ValueError(f"{where} must have boxes (N, 4), got {tuple(boxes.shape)}")
    boxes = boxes.reshape(-1, 4)
    if not boxes.isfinite().all():
        raise ValueError(f"{where} must have finite boxes, got {boxes.tolist()}")
    boxes = torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    return [{"bbox": box} for box in boxes.tolist()]


def _runs(found: Mapping[str, Tensor], where: str) -> list[dict]:
    masks = found["masks"].detach().cpu()
    if masks.ndim == 4 and masks.shape[1] == 1:
        masks = masks[:, 0]
    if masks.ndim != 3:
        raise ValueError(
            f"{where} must have masks (N, H, W) or (N, 1, H, W), got {tuple(masks.shape)}"
        )
    if masks.numel() and not ((masks >= 0) & (masks <= 1)).all():
        raise ValueError(f"{where} must have masks of 0 to 1, got {masks.min()} to {masks.max()}")
    return [{"segmentation": mask_to_runs(mask, compress=True)} for mask in (masks > 0.5).numpy()]


def _plain(image_id: int | str) -> int | str:
    """As json and dictionaries want it, not as a tensor or one of NumPy's numbers."""
    return image_id if isinstance(image_id, str) else int(image_id)


def _check_type(iou_type: str) -> None:
    if iou_type not in _TYPES:
        raise ValueError(f"iou_type must be one of {_TYPES}, got {iou_type!r}")
