"""The 1,797 real handwritten digits (8 x 8 pixels, UCI Optdigits) inside the scikit-learn wheel.

The file holds 14 forms one after the other, each with every digit about 13 times, in one hand.
Whole forms go to a split, so no hand that is tested was trained on, and classes stay balanced:
nine forms (1,157 digits) to train, two (258) to val, three (382) to test. Nothing is random.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SPLITS = {"train": slice(0, 1157), "val": slice(1157, 1415), "test": slice(1415, 1797)}


def load(split: str, size: int = 8) -> tuple[Tensor, Tensor]:
    """Digits of one split: images (N, 1, size, size) float32 in [0, 1], labels (N,) int64.

    Ink is 1, paper is 0. A size other than 8 resamples bicubically, cut off at 0 and 1.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {tuple(SPLITS)}, got {split!r}")
    if size < 1:
        raise ValueError(f"size must be positive pixels, got {size}")
    table = _table()[SPLITS[split]]
    images = torch.from_numpy(table[:, :64].reshape(-1, 1, 8, 8)).float().div_(16)
    labels = torch.from_numpy(table[:, 64]).long()
    if size != 8:
        images = F.interpolate(images, (size, size), mode="bicubic", antialias=size < 8)
        images = images.clamp_(0, 1)
    return images, labels


@cache
def _table() -> np.ndarray:
    """(1797, 65) uint8: 64 counts of ink from 0 to 16, then the digit."""
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "digits come with scikit-learn: pip install 'cvcourse[lessons]'", name="sklearn"
        )
    file = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    return np.loadtxt(file, delimiter=",", dtype=np.float32).astype(np.uint8)
