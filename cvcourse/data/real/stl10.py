"""STL-10 in its binary version: pictures of 96 x 96 pixels, column by column, few with labels.

Coates, Lee, Ng, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning", 2011.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import places

_SCRIPT = "stl10"
_SPLITS = ("train", "test", "unlabeled")
_SHAPE = (3, 96, 96)


class Stl10(Dataset):
    """`Stl10(folder, "train")[i]` gives an image (3, 96, 96) and its label, 0 to 9.

    Of the split "unlabeled", 100,000 pictures of these and other kinds of things, the label is -1.

    folder   stl10_binary, with train_X.bin, train_y.bin, test_X.bin, test_y.bin, unlabeled_X.bin,
             class_names.txt. Pictures stay on the disk until they are asked for.
    """

    def __init__(self, folder: str | Path, split: str = "train"):
        if split not in _SPLITS:
            raise ValueError(f"split must be one of {_SPLITS}, got {split!r}")
        folder = Path(folder).expanduser()
        self._pictures = _mapped(folder / f"{split}_X.bin")
        self.classes = tuple(places.read_lines(folder / "class_names.txt", _SCRIPT))
        self.labels = torch.full((len(self._pictures),), -1)
        if split != "unlabeled":
            path = places.existing(folder / f"{split}_y.bin", _SCRIPT)
            labels = np.fromfile(path, np.uint8)
            if len(labels) != len(self) or labels.min() < 1 or labels.max() > 10:
                raise ValueError(
                    f"{path} must hold a number from 1 to 10 for each of {len(self)} pictures: "
                    "fetch it again"
                )
            self.labels = torch.from_numpy(labels.astype(np.int64)) - 1

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        places.check_index(index, len(self))
        pixels = torch.from_numpy(self._pictures[index].astype(np.float32))
        return pixels.mT.contiguous() / 255, int(self.labels[index])


def _mapped(path: Path) -> np.ndarray:
    """(N, 3, 96, 96) uint8: of each channel the columns, one after another."""
    size = places.existing(path, _SCRIPT).stat().st_size
    if size == 0 or size % np.prod(_SHAPE):
        raise ValueError(f"{path} is cut off or not of STL-10: fetch it again")
    return np.memmap(path, np.uint8, "r").reshape(-1, *_SHAPE)
