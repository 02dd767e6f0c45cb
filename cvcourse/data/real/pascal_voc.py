"""Pascal VOC: boxes in XML, segmentations in PNG with a palette.

Everingham et al., "The Pascal Visual Object Classes Challenge: A Retrospective", IJCV 2015.
"""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .._boxes import boxes_of
from . import places

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
VOID = 255  # borders and objects that do not count
_SCRIPT = "pascal_voc"


class VocDetection(Dataset):
    """`VocDetection(folder, "train")[i]` gives an image and a target.

    boxes (N, 4), labels (N,) index in VOC_CLASSES, area (N,), iscrowd (N,) zeros, difficult (N,)
    bool (detections of these are neither right nor wrong), and image_id, the name of the picture.
    VOC counts pixels from 1 and includes the last: (xmin, ymin, xmax, ymax) in the file becomes
    (xmin - 1, ymin - 1, xmax, ymax) here, on the edges of pixels.

    folder   VOCdevkit/VOC2012 or another year: JPEGImages, Annotations, ImageSets
    split    a list in ImageSets/Main: "train", "val", "trainval", "test" (2007)
    """

    classes = VOC_CLASSES

    def __init__(self, folder: str | Path, split: str = "train"):
        self.folder = Path(folder)
        list_file = self.folder / "ImageSets" / "Main" / f"{split}.txt"
        self.names = [words[0] for words in places.read_names(list_file, _SCRIPT)]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        name = self.names[index]
        image = places.read_image(self.folder / "JPEGImages" / f"{name}.jpg", _SCRIPT)
        boxes, labels, difficult = _read_objects(self.folder / "Annotations" / f"{name}.xml")
        return image, {
            "boxes": boxes,
            "labels": labels,
            "area": (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
            "iscrowd": torch.zeros_like(labels),
            "difficult": difficult,
            "image_id": name,
        }


class VocSegmentation(Dataset):
    """`VocSegmentation(folder, "train")[i]` gives an image and a target.

    semantic (H, W) int64, index in VOC_CLASSES or 255 where nothing counts; and of the N objects
    boxes (N, 4), labels (N,), masks (N, H, W) bool, area (N,), iscrowd (N,); image_id, the name.

    folder   VOCdevkit/VOC2012 or another year: JPEGImages, SegmentationClass, SegmentationObject
    split    a list in ImageSets/Segmentation: "train", "val", "trainval"
    """

    classes = VOC_CLASSES

    def __init__(self, folder: str | Path, split: str = "train"):
        self.folder = Path(folder)
        list_file = self.folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        self.names = [words[0] for words in places.read_names(list_file, _SCRIPT)]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        name = self.names[index]
        image = places.read_image(self.folder / "JPEGImages" / f"{name}.jpg", _SCRIPT)
        semantic = _read_map(self.folder / "SegmentationClass" / f"{name}.png", image)
        objects = _read_map(self.folder / "SegmentationObject" / f"{name}.png", image)
        numbers = [number for number in np.unique(objects) if number not in (0, VOID)]
        masks = np.array([objects == n for n in numbers], bool).reshape(-1, *objects.shape)
        labels = [int(np.bincount(semantic[mask]).argmax()) for mask in masks]
        return image, {
            "semantic": torch.from_numpy(semantic.astype(np.int64)),
            "boxes": torch.from_numpy(boxes_of(masks)),
            "labels": torch.tensor(labels, dtype=torch.int64),
            "masks": torch.from_numpy(masks),
            "area": torch.from_numpy(masks.sum((1, 2)).astype(np.float32)),
            "iscrowd": torch.zeros(len(numbers), dtype=torch.int64),
            "image_id": name,
        }


def _read_objects(path: Path) -> tuple[Tensor, Tensor, Tensor]:
    boxes, labels, difficult = [], [], []
    try:
        root = ElementTree.parse(places.existing(path, _SCRIPT)).getroot()
        for thing in root.iter("object"):
            corners = [float(thing.find("bndbox").find(edge).text) for edge in
                       ("xmin", "ymin", "xmax", "ymax")]  # fmt: skip
            boxes.append([corners[0] - 1, corners[1] - 1, corners[2], corners[3]])
            labels.append(VOC_CLASSES.index(thing.find("name").text.strip()))
            difficult.append(thing.findtext("difficult", "0").strip() == "1")
    except (ElementTree.ParseError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is not an annotation of Pascal VOC ({error})") from error
    return (
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(labels, dtype=torch.int64),
        torch.tensor(difficult, dtype=torch.bool),
    )


def _read_map(path: Path, image: Tensor) -> np.ndarray:
    pixels = places.read_pixels(path, _SCRIPT)
    if pixels.shape != tuple(image.shape[1:]):
        raise ValueError(f"{path} must have one number for each pixel, got shape {pixels.shape}")
    return pixels
