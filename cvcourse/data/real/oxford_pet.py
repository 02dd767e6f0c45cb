"""Oxford-IIIT Pet: 37 breeds of cats and dogs, each pet outlined by a trimap.

Parkhi et al., "Cats and Dogs", CVPR 2012.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .._boxes import boxes_of
from . import places

_SCRIPT = "oxford_pet"
_PET, _BORDER = 1, 3  # in the trimaps; 2 is background


class OxfordPet(Dataset):
    """`OxfordPet(folder, "trainval")[i]` gives an image and a target with one object.

    labels (1,) breed from 1 to 37, index in `classes`; species (1,) 1 cat, 2 dog; masks (1, H, W)
    the pet without its border; boxes (1, 4) around it; area (1,); iscrowd (1,); semantic (H, W)
    1 pet, 0 background, 255 border, where the authors would not decide; image_id, the name. There
    is no object, and the 1 of these shapes is 0, where a trimap has border alone.

    folder   with images/*.jpg and annotations/{trainval.txt, test.txt, trimaps/*.png}
    split    "trainval" or "test"
    """

    def __init__(self, folder: str | Path, split: str = "trainval"):
        self.folder = Path(folder).expanduser()
        self.entries = _read_list(self.folder / "annotations" / f"{split}.txt")
        breeds = {breed: name.rsplit("_", 1)[0] for name, breed, _ in self.entries}
        known = range(1, max(breeds, default=0) + 1)
        self.classes = ("background", *(breeds.get(number, "N/A") for number in known))

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        name, breed, species = self.entries[index]
        image = places.read_image(self.folder / "images" / f"{name}.jpg", _SCRIPT)
        path = self.folder / "annotations" / "trimaps" / f"{name}.png"
        trimap = places.read_pixels(path, _SCRIPT)
        if trimap.shape != tuple(image.shape[1:]) or not np.isin(trimap, (1, 2, 3)).all():
            raise ValueError(f"{path} must have 1, 2 or 3 for each pixel of the picture")
        masks = (trimap == _PET)[None]  # (1, H, W)
        masks = masks[masks.any((1, 2))]  # none of a trimap without a pet
        count = len(masks)
        semantic = np.select([trimap == _PET, trimap == _BORDER], [1, 255], 0)
        return image, {
            "boxes": torch.from_numpy(boxes_of(masks)),
            "labels": torch.tensor([breed] * count, dtype=torch.int64),
            "species": torch.tensor([species] * count, dtype=torch.int64),
            "masks": torch.from_numpy(masks),
            "area": torch.from_numpy(masks.sum((1, 2)).astype(np.float32)),
            "iscrowd": torch.zeros(count, dtype=torch.int64),
            "semantic": torch.from_numpy(semantic),
            "image_id": name,
        }


def _read_list(path: Path) -> list[tuple[str, int, int]]:
    """Name, breed and species of each picture; names may have spaces, and # begins a comment."""
    entries = []
    for line in places.read_lines(path, _SCRIPT):
        if line.startswith("#"):
            continue
        try:
            name, breed, species, _ = line.rsplit(maxsplit=3)
            entry = (name, int(breed), int(species))
        except ValueError as error:
            raise ValueError(f"{path} is not a list of Oxford-IIIT Pet ({error})") from error
        if entry[1] < 1 or entry[2] not in (1, 2):
            raise ValueError(f"{path}: breed must be from 1, species 1 or 2, got {line!r}")
        entries.append(entry)
    return entries
