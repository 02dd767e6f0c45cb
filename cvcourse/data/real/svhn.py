"""Street View House Numbers, cropped digits: MATLAB files of 32 x 32 pixels.

Netzer, Wang, Coates, Bissacco, Wu, Ng, "Reading Digits in Natural Images with Unsupervised Feature
Learning", 2011.
"""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from cvcourse.data._extras import extra

from . import places

_SCRIPT = "svhn"
_SPLITS = ("train", "test")


class Svhn(Dataset):
    """`Svhn(folder, "train")[i]` gives an image (3, 32, 32) and the digit in its middle, 0 to 9.

    folder   train_32x32.mat, test_32x32.mat, which hold X (32, 32, 3, N) and y (N, 1); a label of
             10 stands for the digit 0. Needs SciPy.
    """

    def __init__(self, folder: str | Path, split: str = "train"):
        with extra("lessons", "real.Svhn"):
            from scipy.io import loadmat
        if split not in _SPLITS:
            raise ValueError(f"split must be one of {_SPLITS}, got {split!r}")
        path = places.existing(Path(folder).expanduser() / f"{split}_32x32.mat", _SCRIPT)
        try:
            content = loadmat(path, variable_names=("X", "y"))
            pictures, labels = content["X"], content["y"].astype("int64").ravel()
        except Exception as error:  # of what SciPy raises for damaged files, nothing is documented
            raise ValueError(f"{path} is cut off or damaged: fetch it again ({error})") from error
        sound = pictures.shape == (32, 32, 3, len(labels)) and pictures.dtype == "uint8"
        if not sound or not len(labels) or labels.min() < 1 or labels.max() > 10:
            raise ValueError(
                f"{path} must hold X (32, 32, 3, N) uint8 and y (N, 1) from 1 to 10, got X "
                f"{pictures.shape} {pictures.dtype} and {len(labels)} labels: fetch it again"
            )
        self.images = torch.from_numpy(pictures.transpose(3, 2, 0, 1).copy())  # (N, 3, 32, 32)
        self.labels = torch.from_numpy(labels % 10)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        places.check_index(index, len(self))
        return self.images[index].float() / 255, int(self.labels[index])
