"""A file of COCO instances, checked: who reads on may rely on its keys, ids and numbers."""

import json
import math
from collections.abc import Hashable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cvcourse.data.polygons import polygons_to_mask, runs_to_mask

Id = int | str


class Annotation(NamedTuple):
    id: Id
    category: Id
    box: list[float]  # x1, y1, x2, y2 within the picture, as float32 has them
    area: float | None
    crowd: bool
    segmentation: dict | list | None
    keypoints: list | None


class Instances(NamedTuple):
    names: dict[Id, str]  # of categories
    images: dict[Id, dict]  # id, file_name, height, width
    annotations: dict[Id, list[Annotation]]  # of each picture
    joints: dict[Id, tuple[str, ...]]  # of categories, the names of their keypoints


def read_instances(path: Path, *, masks: bool, keypoints: bool = False) -> Instances:
    """All of a file, but for annotations whose box has no area in the picture.

    masks, keypoints: whether each annotation must have a segmentation, or keypoints as many as its
        category has.
    """
    content = _content(path)
    categories = _by_id(path, content, "categories", ("id", "name"))
    images = _by_id(path, content, "images", ("id", "file_name", "height", "width"))
    for image in images.values():
        if not all(
            isinstance(image[side], int) and image[side] > 0 for side in ("height", "width")
        ):
            raise ValueError(f"{path}, {image['file_name']}: height and width must be pixels")
    annotations = {number: [] for number in images}
    for place, entry in enumerate(_listed(path, content, "annotations")):
        number = entry.get("id", f"at place {place}")
        where = f"{path}, annotation {number}"
        _require(where, entry, ("image_id", "category_id", "bbox"))
        image = _found(where, images, entry, "image_id")
        where = f"{where} of {image['file_name']}"
        area = entry.get("area")
        if area is not None and not _is_number(area):
            raise ValueError(f"{where}: area must be a number, got {area!r}")
        category = _found(where, categories, entry, "category_id")
        if keypoints:
            _check_keypoints(where, entry.get("keypoints"), category)
        if masks:
            _check_segmentation(where, entry.get("segmentation"), image)
        box = _box(where, entry["bbox"], image)
        if box[2] > box[0] and box[3] > box[1]:
            crowd = bool(entry.get("iscrowd"))
            about = (number, entry["category_id"], box, area, crowd)
            rest = entry.get("segmentation"), entry.get("keypoints")
            annotations[entry["image_id"]].append(Annotation(*about, *rest))
    names = {number: category["name"] for number, category in categories.items()}
    joints = {
        number: tuple(category.get("keypoints", ())) for number, category in categories.items()
    }
    return Instances(names, images, annotations, joints)


def read_captions(path: Path) -> tuple[dict[Id, dict], dict[Id, list[str]]]:
    """The pictures of a file of COCO captions, and what is said of each."""
    content = _content(path)
    images = _by_id(path, content, "images", ("id", "file_name"))
    captions = {number: [] for number in images}
    for place, entry in enumerate(_listed(path, content, "annotations")):
        where = f"{path}, annotation {entry.get('id', f'at place {place}')}"
        _require(where, entry, ("image_id", "caption"))
        _found(where, images, entry, "image_id")
        if not isinstance(entry["caption"], str) or not entry["caption"].strip():
            raise ValueError(f"{where}: caption must be a sentence, got {entry['caption']!r}")
        captions[entry["image_id"]].append(entry["caption"])
    return images, captions


def _content(path: Path):
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a file of COCO instances ({error!r})") from error


def mask_of(segmentation: dict | list, size: tuple[int, int]) -> np.ndarray:
    """Polygons [[x, y, x, y, ...], ...], or run lengths {"size", "counts"}, as (H, W) bool."""
    if isinstance(segmentation, dict):
        return runs_to_mask(segmentation)
    mask = np.zeros(size, bool)
    for polygon in segmentation:
        corners = np.array(polygon, float)
        if not np.isfinite(corners).all():
            raise ValueError("a polygon has a corner that is not finite")
        if len(corners) >= 6:  # two corners enclose nothing
            mask |= polygons_to_mask([corners], size)
    return mask


def _by_id(path: Path, content, key: str, needed: tuple[str, ...]) -> dict[Id, dict]:
    found = {}
    for place, entry in enumerate(_listed(path, content, key)):
        _require(f"{path}, {key}[{place}]", entry, needed)
        if not isinstance(entry["id"], Id):
            raise ValueError(f"{path}, {key}[{place}]: id must be a number, got {entry['id']!r}")
        if entry["id"] in found:
            raise ValueError(f"{path}, {key}[{place}]: id {entry['id']!r} is there twice")
        found[entry["id"]] = entry
    return found


def _listed(path: Path, content, key: str) -> list[dict]:
    listed = content.get(key) if isinstance(content, dict) else None
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise ValueError(f"{path} is not a file of COCO instances: it has no list of {key}")
    return listed


def _require(where: str, entry: dict, needed: tuple[str, ...]) -> None:
    if missing := [key for key in needed if key not in entry]:
        raise ValueError(f"{where} has no {' and no '.join(missing)}")


def _found(where: str, table: dict[Id, dict], entry: dict, key: str) -> dict:
    number = entry[key]
    if not isinstance(number, Hashable) or number not in table:
        raise ValueError(f"{where}: its {key} {number!r} is not in the file")
    return table[number]


def _check_segmentation(where: str, segmentation, image: dict) -> None:
    if not segmentation:
        raise ValueError(f"{where} has no segmentation; masks=False reads boxes alone")
    if isinstance(segmentation, dict):
        _require(where, segmentation, ("size", "counts"))
        if segmentation["size"] != [image["height"], image["width"]]:
            raise ValueError(
                f"{where}: its run lengths are of size {segmentation['size']}, the picture is of "
                f"[{image['height']}, {image['width']}]"
            )
        return
    for polygon in segmentation if isinstance(segmentation, list) else [segmentation]:
        if not isinstance(polygon, list) or len(polygon) % 2:
            raise ValueError(f"{where}: a polygon must be a list x, y, x, y, ..., got {polygon!r}")


def _check_keypoints(where: str, keypoints, category: dict) -> None:
    count = len(category.get("keypoints", ()))
    if not isinstance(keypoints, list) or len(keypoints) != 3 * count or not count:
        raise ValueError(
            f"{where}: keypoints must be x, y and visibility of the {count} of its category, got "
            f"{keypoints!r}"
        )
    if not all(map(_is_number, keypoints)) or not set(keypoints[2::3]) <= {0, 1, 2}:
        raise ValueError(f"{where}: keypoints must be numbers, visibility 0, 1 or 2")


def _box(where: str, box, image: dict) -> list[float]:
    if (
        not isinstance(box, list)
        or len(box) != 4
        or not all(map(_is_number, box))
        or min(box[2:]) < 0
    ):
        raise ValueError(f"{where}: bbox must be x, y, width and height, got {box!r}")
    corners = [box[0], box[1], box[0] + box[2], box[1] + box[3]]
    size = [image["width"], image["height"]] * 2
    inside = [min(max(corner, 0), limit) for corner, limit in zip(corners, size, strict=True)]
    return np.array(inside, np.float32).tolist()


def _is_number(value) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
