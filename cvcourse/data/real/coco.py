"""COCO instances, people's joints and captions: pictures in a folder, and a JSON file of each.

Lin et al., "Microsoft COCO: Common Objects in Context", 2014 (arXiv 1405.0312);
https://cocodataset.org/#format-data.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import places
from ._coco_file import Annotation, Id, mask_of, read_captions, read_instances

_SCRIPT = "coco"


class Coco(Dataset):
    """`Coco(folder, "val2017")[i]`, or `Coco(folder, "mine.json")[i]` of any set in this format.

    Gives an image and a target: boxes (N, 4), labels (N,), masks (N, H, W) bool, area (N,),
    iscrowd (N,), and image_id. `classes[label]` is a name, and `image_ids` has the id of each
    picture; `labels` maps category ids to labels and `category_ids` labels to category ids, for
    `read_coco_results` and `write_coco_results`.

    folder       of the pictures
    annotations  the file, a path that ends in .json; or the name of one of COCO's own splits, with
                 pictures in `folder`/val2017 and `folder`/annotations/instances_val2017.json
    labels       None: labels are the category ids, as in torchvision's detectors, and `classes` has
                 "N/A" for gaps; "consecutive": 1 to K in order of the ids; or a map from ids to
                 labels 1 to K, which may join categories, and leaves out those that it lacks
    crowds       False leaves out annotations with `iscrowd`
    masks        False gives none, for sets that have boxes alone
    keep_empty   also pictures without annotations
    transform    `transform(image, target)` gives the image and target to return

    **Conventions**: boxes are clipped to the picture, and left out if they have no area. Without
    `area` it is that of the mask (of the box, with masks=False); without `iscrowd` it is 0. Masks
    of polygons hold the pixels whose centres are inside, so they differ from pycocotools' by edge
    pixels. EXIF orientation is applied: height and width in the file are those after it.

    Raises ValueError, with file, picture and annotation, for missing keys, ids that are unlisted or
    listed twice, category 0 with labels=None (it would be the background), and boxes, polygons and
    run lengths that are none or of another picture's size.
    """

    _kind = "instances"

    def __init__(
        self,
        folder: str | Path,
        annotations: str | Path = "val2017",
        *,
        labels: Mapping[Id, int] | str | None = None,
        crowds: bool = True,
        masks: bool = True,
        keep_empty: bool = False,
        transform: Callable[[Tensor, dict], tuple[Tensor, dict]] | None = None,
    ):
        self.images, self._file, self._script = _places(folder, annotations, self._kind)
        self._masks, self._transform = masks, transform

        keypoints = self._kind == "person_keypoints"
        names, images, found, self._joints = read_instances(
            self._file, masks=masks, keypoints=keypoints
        )
        self.labels = _label_of_each(self._file, names, labels)
        self.category_ids = {label: number for number, label in reversed(self.labels.items())}
        self.classes = _class_names(names, self.labels)
        self.annotations = {
            number: [a for a in found[number] if a.category in self.labels and crowds >= a.crowd]
            for number in sorted(images, key=_numbers_first)
        }
        self.image_ids = [n for n, kept in self.annotations.items() if keep_empty or kept]
        self.entries = [images[number] for number in self.image_ids]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        image, target = self._pair(index)
        return (image, target) if self._transform is None else self._transform(image, target)

    def _pair(self, index: int) -> tuple[Tensor, dict]:
        entry = self.entries[index]
        image = places.read_image(self.images / entry["file_name"], self._script)
        size = tuple(image.shape[1:])
        if size != (entry["height"], entry["width"]):
            raise ValueError(
                f"{self.images / entry['file_name']} is {size}, height and width after its EXIF "
                f"orientation, but annotated as {entry['height'], entry['width']} in {self._file}"
            )
        found = self.annotations[entry["id"]]
        target = {
            "boxes": torch.tensor([a.box for a in found], dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor([self.labels[a.category] for a in found], dtype=torch.int64),
            "iscrowd": torch.tensor([a.crowd for a in found], dtype=torch.int64),
            "image_id": entry["id"],
        }
        if self._masks:
            masks = np.array([self._mask(a, entry, size) for a in found], bool).reshape(-1, *size)
            target["masks"] = torch.from_numpy(masks)
            areas = masks.sum((1, 2)).tolist()
        else:
            areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (a.box for a in found)]
        areas = [own if a.area is None else a.area for a, own in zip(found, areas, strict=True)]
        target["area"] = torch.tensor(areas, dtype=torch.float32)
        return image, target

    def _mask(self, annotation: Annotation, entry: dict, size: tuple[int, int]) -> np.ndarray:
        try:
            return mask_of(annotation.segmentation, size)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{self._file}, annotation {annotation.id} of {entry['file_name']}: its "
                f"segmentation is none ({error})"
            ) from error


class CocoKeypoints(Coco):
    """`CocoKeypoints(folder, "val2017")[i]`: as `Coco`, people with the places of their joints.

    To `Coco`'s target come keypoints (N, K, 2), x and y in pixels, and visibility (N, K): 0 not
    labelled (and then at 0, 0), 1 labelled but hidden, 2 visible. `joints` has the K names.
    COCO's own splits are read from `folder`/annotations/person_keypoints_val2017.json.

    Raises ValueError also for categories whose joints differ, and for keypoints that are not K.
    """

    _kind = "person_keypoints"

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        kinds = {self._joints[number] for number in self.labels}
        if len(kinds) != 1:
            raise ValueError(f"{self._file}: categories must have the same joints, got {kinds}")
        (self.joints,) = kinds

    def _pair(self, index: int) -> tuple[Tensor, dict]:
        image, target = super()._pair(index)
        found = self.annotations[self.image_ids[index]]
        rows = torch.tensor([a.keypoints for a in found], dtype=torch.float32)
        rows = rows.view(-1, len(self.joints), 3)
        return image, target | {"keypoints": rows[..., :2], "visibility": rows[..., 2].long()}


class CocoCaptions(Dataset):
    """`CocoCaptions(folder, "val2017")[i]`: a picture, and a target: captions, and image_id.

    captions: a tuple of sentences, mostly five. `entries` and `image_ids` are of the pictures that
    have any. folder, annotations, transform: as of `Coco`; COCO's own splits are read from
    `folder`/annotations/captions_val2017.json.

    Raises ValueError, with file and annotation, for missing keys, unlisted pictures and captions
    that are no sentence.
    """

    def __init__(
        self,
        folder: str | Path,
        annotations: str | Path = "val2017",
        *,
        transform: Callable[[Tensor, dict], tuple[Tensor, dict]] | None = None,
    ):
        self.images, path, self._script = _places(folder, annotations, "captions")
        self._transform = transform
        images, captions = read_captions(path)
        self.image_ids = [n for n in sorted(images, key=_numbers_first) if captions[n]]
        self.entries = [images[number] for number in self.image_ids]
        self.captions = [tuple(captions[number]) for number in self.image_ids]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        image = places.read_image(self.images / self.entries[index]["file_name"], self._script)
        target = {"captions": self.captions[index], "image_id": self.image_ids[index]}
        return (image, target) if self._transform is None else self._transform(image, target)


def _places(folder, annotations, kind: str) -> tuple[Path, Path, str | None]:
    """The folder of the pictures, the file, and the script that fetches them if it is COCO's."""
    folder, path = Path(folder).expanduser(), Path(annotations).expanduser()
    script = None if path.suffix == ".json" else _SCRIPT
    if script:
        path = folder / "annotations" / f"{kind}_{annotations}.json"
        folder = folder / annotations
    return places.existing(folder, script), places.existing(path, script), script


def _label_of_each(path: Path, names: dict[Id, str], labels) -> dict[Id, int]:
    """From category ids to labels, in order of the labels."""
    if labels is None:
        labels = {number: number for number in names}
        if wrong := [n for n in names if not isinstance(n, int) or n < 1]:
            raise ValueError(
                f"{path}: category {wrong[0]!r} ({names[wrong[0]]}) is no label, which are from 1, "
                "with the background 0: labels='consecutive', or a map, gives it one"
            )
    elif labels == "consecutive":
        labels = {
            number: label for label, number in enumerate(sorted(names, key=_numbers_first), 1)
        }
    elif not isinstance(labels, Mapping):
        raise ValueError(f"labels must be None, 'consecutive' or a map, got {labels!r}")
    elif unknown := [number for number in labels if number not in names]:
        raise ValueError(f"labels has categories {unknown} that are not in {path}")
    elif sorted(set(labels.values())) != list(range(1, len(set(labels.values())) + 1)):
        raise ValueError(f"labels must be 1 to K without gaps, got {sorted(set(labels.values()))}")
    return dict(sorted(labels.items(), key=lambda item: item[1]))


def _numbers_first(number: Id) -> tuple[bool, Id]:
    return isinstance(number, str), number


def _class_names(names: dict[Id, str], labels: dict[Id, int]) -> tuple[str, ...]:
    joined = {}
    for number, label in labels.items():
        joined[label] = f"{joined[label]} / {names[number]}" if label in joined else names[number]
    known = range(1, max(joined, default=0) + 1)
    return ("background", *(joined.get(label, "N/A") for label in known))
