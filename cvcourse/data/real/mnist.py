"""MNIST in its own format: gzipped IDX files, a header of big-endian integers, then bytes.

LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.
"""

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import places

_SCRIPT = "mnist"
_NAMES = {"train": "train", "test": "t10k"}
_BYTES = 0x08  # the type of an IDX file's numbers


class Mnist(Dataset):
    """`Mnist(folder, "train")[i]` gives an image (1, 28, 28), ink 1, and its digit.

    folder   train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, and both for t10k, the test
    """

    def __init__(self, folder: str | Path, split: str = "train"):
        if split not in _NAMES:
            raise ValueError(f"split must be one of {tuple(_NAMES)}, got {split!r}")
        folder, name = Path(folder).expanduser(), _NAMES[split]
        images = folder / f"{name}-images-idx3-ubyte.gz"
        labels = folder / f"{name}-labels-idx1-ubyte.gz"
        self.images = torch.from_numpy(_read(images, (28, 28)))[:, None]  # (N, 1, 28, 28) uint8
        self.labels = torch.from_numpy(_read(labels, ())).long()
        if len(self.images) != len(self.labels) or (self.labels > 9).any():
            raise ValueError(
                f"{labels} must hold a digit for each of {len(self.images)} images: fetch it again"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        places.check_index(index, len(self))
        return self.images[index].float() / 255, int(self.labels[index])


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """(N, *shape) uint8."""
    try:
        content = gzip.decompress(places.existing(path, _SCRIPT).read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is cut off or damaged: fetch it again ({error})") from error
    axes = 1 + len(shape)
    size = 4 * (1 + axes)
    head = np.frombuffer(content[:size].ljust(size, b"\0"), ">u4").astype(int)
    if head[0] != (_BYTES << 8) + axes or head[1] == 0 or tuple(head[2:]) != shape:
        raise ValueError(f"{path} is not MNIST's IDX file of {axes} axes: fetch it again")
    values = np.frombuffer(content, np.uint8, offset=size)
    if len(values) != head[1:].prod():
        raise ValueError(f"{path} is cut off, {len(values)} of {head[1:].prod()} bytes")
    return values.reshape(-1, *shape).copy()
