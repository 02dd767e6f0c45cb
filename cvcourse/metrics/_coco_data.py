"""Detections or targets of a whole data set as flat arrays, checked."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cvcourse.ops import box_convert
from cvcourse.ops._checks import is_binary, what_is_in

Images = Sequence[Mapping[str, Tensor]]  # one dictionary of tensors per image


class Instances(NamedTuple):
    image: np.ndarray  # (N,) index of the image
    label: np.ndarray  # (N,) class
    region: np.ndarray  # (N, 4) boxes as x, y, width, height, or (N,) masks, each (H, W) bool
    area: np.ndarray  # (N,) of the region, in square pixels
    size: np.ndarray  # (N,) the area by which it is small, medium or large
    score: np.ndarray  # (N,) of detections, 0 for targets
    crowd: np.ndarray  # (N,) of targets, False for detections

    def take(self, index: np.ndarray) -> "Instances":
        return Instances(*(column[index] for column in self))


def read_detections(preds: Images, iou_type: str, box_format: str) -> Instances:
    detections = _read("preds", preds, iou_type, box_format, "scores")
    score = _column("preds", preds, "scores")
    if np.isnan(score).any():
        raise ValueError("preds must have scores other than nan")
    return detections._replace(score=score)


def read_targets(target: Images, iou_type: str, box_format: str) -> Instances:
    targets = _read("target", target, iou_type, box_format)
    crowd = _column("target", target, "iscrowd", default=0) != 0
    size = _column("target", target, "area", default=np.nan)
    return targets._replace(crowd=crowd, size=np.where(np.isnan(size), targets.area, size))


def _read(name: str, images: Images, iou_type: str, box_format: str, *keys: str) -> Instances:
    keys = ("labels", "boxes" if iou_type == "bbox" else "masks", *keys)
    for i, image in enumerate(images):
        if missing := [key for key in keys if key not in image]:
            raise ValueError(f"{name}[{i}] must have {missing}, got {sorted(image)}")
        for key in {*keys, "iscrowd", "area"} & set(image):
            if not isinstance(image[key], Tensor):
                raise ValueError(f"{name}[{i}][{key!r}] must be a tensor, got {type(image[key])}")
        labels = image["labels"]
        if labels.ndim != 1 or (labels.numel() and labels.is_floating_point()):
            raise ValueError(
                f"{name}[{i}]['labels'] must be (N,) integers, "
                f"got {labels.dtype} {tuple(labels.shape)}"
            )
    label = _column(name, images, "labels", dtype=torch.int64)
    if iou_type == "bbox":
        region, area = _boxes(name, images, box_format)
    else:
        region, area = _masks(name, images)
    return Instances(
        image=np.repeat(np.arange(len(images)), [image["labels"].numel() for image in images]),
        label=label,
        region=region,
        area=area,
        size=area,
        score=np.zeros(len(label)),
        crowd=np.zeros(len(label), dtype=bool),
    )


def _column(
    name: str,
    images: Images,
    key: str,
    shape: tuple[int, ...] = (),
    default: float = 0.0,
    dtype: torch.dtype = torch.float64,
) -> np.ndarray:
    """Values of all images behind each other, (N, *shape); `default` where not given."""
    values = []
    for i, image in enumerate(images):
        count = image["labels"].numel()
        expected = (count, *shape)
        if key in image:
            value = image[key]
        else:
            value = torch.full(expected, default, dtype=dtype, device="cpu")
        if not count and not value.numel():
            continue  # without instances, any shape and dtype will do
        if value.shape != expected:
            raise ValueError(
                f"{name}[{i}][{key!r}] must be {expected} to fit the labels, "
                f"got {tuple(value.shape)}"
            )
        values.append(value.cpu())
    if not values:
        return torch.zeros(0, *shape, dtype=dtype, device="cpu").numpy()
    with torch.autocast("cpu", enabled=False):  # under which float64 cannot be joined
        return torch.cat(values).detach().to(dtype).numpy()


def _boxes(name: str, images: Images, box_format: str) -> tuple[np.ndarray, np.ndarray]:
    boxes = _column(name, images, "boxes", shape=(4,))
    if not np.isfinite(boxes).all():
        raise ValueError(f"{name} must have finite boxes, got nan or inf")
    boxes = box_convert(torch.from_numpy(boxes), box_format, "xywh").numpy()
    return boxes, boxes[:, 2] * boxes[:, 3]


def _binary(name: str, masks: Tensor, count: int) -> Tensor:
    """(count, height, width) bool from bool, 0 and 1, or probabilities, in which 0.5 decides."""
    if masks.ndim == 4 and masks.shape[1] == 1:
        masks = masks[:, 0]  # as Mask R-CNN gives them
    if masks.ndim != 3 or len(masks) != count:
        raise ValueError(f"{name} must be ({count}, height, width), got {tuple(masks.shape)}")
    if masks.is_floating_point():
        sound = ((masks >= 0) & (masks <= 1)).all()
    else:
        sound = is_binary(masks)
    if not sound:
        raise ValueError(f"{name} must be bool, 0 and 1, or probabilities, got {what_is_in(masks)}")
    return masks > 0.5


def _masks(name: str, images: Images) -> tuple[np.ndarray, np.ndarray]:
    masks = []
    for i, image in enumerate(images):
        if count := image["labels"].numel():
            masks.extend(_binary(f"{name}[{i}]['masks']", image["masks"], count).cpu().numpy())
    region = np.empty(len(masks), dtype=object)
    for i, mask in enumerate(masks):
        region[i] = mask
    return region, np.array([np.count_nonzero(mask) for mask in masks], dtype=np.float64)
