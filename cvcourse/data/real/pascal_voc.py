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
    (xmin - 1, ymin - 1, xmax, ymax) here, on the edges of pixels. Boxes are clipped to the picture,
    as some tools count from 0, and left out if they have no area then.

    folder   VOCdevkit/VOC2012 or another year: JPEGImages, Annotations, ImageSets
    split    a list in ImageSets/Main: "train", "val", "trainval", "test" (2007); of the list of
             one class, such as "cat_train", all pictures
    """

    classes = VOC_CLASSES

    def __init__(self, folder: str | Path, split: str = "train"):
        self.folder = Path(folder).expanduser()
        self.names = _read_names(self.folder, "Main", split)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        name = self.names[index]
        image = places.read_image(self.folder / "JPEGImages" / f"{name}.jpg", _SCRIPT)
        path = self.folder / "Annotations" / f"{name}.xml"
        boxes, labels, difficult = _read_objects(path, tuple(image.shape[1:]))
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
    An object has the class of most of its pixels; one of which no pixel has a class is left out.

    folder   VOCdevkit/VOC2012 or another year: JPEGImages, SegmentationClass, SegmentationObject
    split    a list in ImageSets/Segmentation: "train", "val", "trainval"
    """

    classes = VOC_CLASSES

    def __init__(self, folder: str | Path, split: str = "train"):
        self.folder = Path(folder).expanduser()
        self.names = _read_names(self.folder, "Segmentation", split)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        name = self.names[index]
        image = places.read_image(self.folder / "JPEGImages" / f"{name}.jpg", _SCRIPT)
        path = self.folder / "SegmentationClass" / f"{name}.png"
        semantic = _read_map(path, image)
        objects = _read_map(self.folder / "SegmentationObject" / f"{name}.png", image)
        if (strange := (semantic >= len(VOC_CLASSES)) & (semantic != VOID)).any():
            raise ValueError(f"{path} must have 0 to 20 or 255, got {semantic[strange][0]}")
        masks, labels = [], []
        for number in np.unique(objects):
            votes = np.bincount(semantic[objects == number], minlength=len(VOC_CLASSES))
            votes = votes[1 : len(VOC_CLASSES)]
            if number not in (0, VOID) and votes.any():
                masks.append(objects == number)
                labels.append(1 + int(votes.argmax()))
        masks = np.array(masks, bool).reshape(-1, *objects.shape)
        return image, {
            "semantic": torch.from_numpy(semantic.astype(np.int64)),
            "boxes": torch.from_numpy(boxes_of(masks)),
            "labels": torch.tensor(labels, dtype=torch.int64),
            "masks": torch.from_numpy(masks),
            "area": torch.from_numpy(masks.sum((1, 2)).astype(np.float32)),
            "iscrowd": torch.zeros(len(labels), dtype=torch.int64),
            "image_id": name,
        }


def _read_names(folder: Path, task: str, split: str) -> list[str]:
    """Names of pictures, which may have spaces; the lists of one class also have -1, 0 or 1."""
    lines = places.read_lines(folder / "ImageSets" / task / f"{split}.txt", _SCRIPT)
    of_one_class = split.split("_")[0] in VOC_CLASSES
    return [line.rsplit(maxsplit=1)[0] for line in lines] if of_one_class else lines


def _read_objects(path: Path, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    boxes, labels, difficult = [], [], []
    try:
        root = ElementTree.parse(places.existing(path, _SCRIPT)).getroot()
        annotated = tuple(int(root.findtext(f"size/{side}", "0")) for side in ("height", "width"))
        if annotated not in ((0, 0), size):
            raise ValueError(f"its size is {annotated}, that of the picture {size}")
        for thing in root.iter("object"):
            corners = [float(thing.find("bndbox").find(edge).text) for edge in
                       ("xmin", "ymin", "xmax", "ymax")]  # fmt: skip
            first, last = np.array(corners).reshape(2, 2)
            if not np.isfinite(corners).all() or (last < first).any():
                raise ValueError(f"no box has the corners {corners}")
            boxes.append([*(first - 1), *last])
            labels.append(VOC_CLASSES.index(thing.find("name").text.strip()))
            difficult.append(thing.findtext("difficult", "0").strip() == "1")
    except (ElementTree.ParseError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is not an annotation of Pascal VOC ({error})") from error
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    boxes = torch.minimum(boxes.clamp(min=0), torch.tensor(size[::-1] * 2))
    kept = (boxes[:, :2] < boxes[:, 2:]).all(1)
    return (
        boxes[kept],
        torch.tensor(labels, dtype=torch.int64)[kept],
        torch.tensor(difficult, dtype=torch.bool)[kept],
    )


def _read_map(path: Path, image: Tensor) -> np.ndarray:
    pixels = places.read_pixels(path, _SCRIPT)
    if pixels.shape != tuple(image.shape[1:]):
        raise ValueError(f"{path} must have one number for each pixel, got shape {pixels.shape}")
    return pixels
