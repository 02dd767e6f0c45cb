"""CIFAR-10 in its binary version: records of one label and 3072 bytes.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. (The Python version is a
pickle, which can run code when it is read; this one cannot.)
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import places

_SCRIPT = "cifar10"
_FILES = {"train": [f"data_batch_{k}.bin" for k in range(1, 6)], "test": ["test_batch.bin"]}
_RECORD = 1 + 3 * 32 * 32


class Cifar10(Dataset):
    """`Cifar10(folder, "train")[i]` gives an image (3, 32, 32) and its label, 0 to 9.

    folder   cifar-10-batches-bin, with data_batch_1.bin to 5, test_batch.bin, batches.meta.txt
    """

    def __init__(self, folder: str | Path, split: str = "train"):
        if split not in _FILES:
            raise ValueError(f"split must be one of {tuple(_FILES)}, got {split!r}")
        folder = Path(folder).expanduser()
        records = np.concatenate([_read(folder / name) for name in _FILES[split]])
        self.labels = torch.from_numpy(records[:, 0].astype(np.int64))
        self.images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32))  # uint8
        self.classes = tuple(places.read_lines(folder / "batches.meta.txt", _SCRIPT))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        places.check_index(index, len(self))
        return self.images[index].float() / 255, int(self.labels[index])


def _read(path: Path) -> np.ndarray:
    content = np.fromfile(places.existing(path, _SCRIPT), np.uint8)
    if len(content) == 0 or len(content) % _RECORD or content[::_RECORD].max() > 9:
        raise ValueError(f"{path} is cut off or not a batch of CIFAR-10: fetch it again")
    return content.reshape(-1, _RECORD)
