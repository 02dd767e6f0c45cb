"""COCO instances: pictures in a folder, and one JSON file of annotations.

Lin et al., "Microsoft COCO: Common Objects in Context", 2014 (arXiv 1405.0312).
"""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cvcourse.data.polygons import polygons_to_mask, runs_to_mask

from . import places

_SCRIPT = "coco"


class Coco(Dataset):
    """`Coco(folder, "val2017")[i]` gives an image and a target.

    boxes (N, 4), labels (N,), masks (N, H, W) bool, area (N,) as annotated, iscrowd (N,), and
    image_id. Labels are COCO's own category ids, as torchvision's detectors use them; `classes[id]`
    is the name, "N/A" where COCO left a gap. Boxes without area are left out. Masks of polygons
    hold the pixels whose centres are inside, so they differ from pycocotools' by edge pixels.

    folder       with `split`/*.jpg and annotations/instances_`split`.json
    keep_empty   also pictures without any annotation
    """

    def __init__(self, folder: str | Path, split: str = "val2017", *, keep_empty: bool = False):
        folder = Path(folder)
        self.images = places.existing(folder / split, _SCRIPT)
        path = folder / "annotations" / f"instances_{split}.json"
        try:
            content = json.loads(places.existing(path, _SCRIPT).read_bytes())
            names = {entry["id"]: entry["name"] for entry in content["categories"]}
            self.annotations = defaultdict(list)
            for annotation in content["annotations"]:
                if annotation["bbox"][2] > 0 and annotation["bbox"][3] > 0:
                    self.annotations[annotation["image_id"]].append(annotation)
            entries = sorted(content["images"], key=lambda entry: entry["id"])
            self.entries = [e for e in entries if keep_empty or e["id"] in self.annotations]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ValueError(f"{path} is not a file of COCO instances ({error!r})") from error
        known = range(1, max(names, default=0) + 1)
        self.classes = ("background", *(names.get(number, "N/A") for number in known))

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        entry = self.entries[index]
        image = places.read_image(self.images / entry["file_name"], _SCRIPT)
        size = tuple(image.shape[1:])
        if size != (entry["height"], entry["width"]):
            raise ValueError(f"{entry['file_name']} is {size}, but annotated as another size")
        found = self.annotations[entry["id"]]
        boxes = torch.tensor([a["bbox"] for a in found], dtype=torch.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        masks = np.array([_mask(a["segmentation"], size) for a in found], bool)
        return image, {
            "boxes": boxes,
            "labels": torch.tensor([a["category_id"] for a in found], dtype=torch.int64),
            "masks": torch.from_numpy(masks.reshape(-1, *size)),
            "area": torch.tensor([a["area"] for a in found], dtype=torch.float32),
            "iscrowd": torch.tensor([a["iscrowd"] for a in found], dtype=torch.int64),
            "image_id": entry["id"],
        }


def _mask(segmentation, size: tuple[int, int]) -> np.ndarray:
    """Polygons [[x, y, x, y, ...], ...], or run lengths {"size", "counts"}, as (H, W) bool."""
    if isinstance(segmentation, dict):
        return runs_to_mask({"size": size, "counts": segmentation["counts"]})
    mask = np.zeros(size, bool)
    for polygon in segmentation:
        mask |= polygons_to_mask([np.array(polygon, float)], size)
    return mask
