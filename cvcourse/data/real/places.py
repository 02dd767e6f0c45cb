"""Where real data sets are kept, and how to say that a file is missing or damaged."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

# What must be there for a data set to count as present; each script of `data_scripts/` makes it so.
SIGNS = {
    "coco": "annotations/instances_val2017.json",
    "pascal_voc": "VOCdevkit/VOC2012/ImageSets/Main/train.txt",
    "oxford_pet": "annotations/trainval.txt",
    "cifar10": "cifar-10-batches-bin/test_batch.bin",
}


def home() -> Path:
    """The folder of all real data: $CVCOURSE_DATA, or `data` in this checkout, or in the cache."""
    if chosen := os.environ.get("CVCOURSE_DATA"):
        return Path(chosen)
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "data"
    return Path.home() / ".cache" / "cvcourse" / "data"


def find(name: str) -> Path | None:
    """The folder of a data set if it is there, else None: lessons then take simulated data."""
    if name not in SIGNS:
        raise ValueError(f"name must be one of {tuple(SIGNS)}, got {name!r}")
    folder = home() / name
    return folder if (folder / SIGNS[name]).is_file() else None


def existing(path: Path, script: str | None) -> Path:
    """The path, or an error that says which of `data_scripts/`, if any, fetches the file."""
    if not path.exists():
        remedy = f"; `python data_scripts/{script}.py` fetches it" if script else ""
        raise FileNotFoundError(f"{path} is missing{remedy}")
    return path


def read_image(path: Path, script: str | None) -> Tensor:
    """(3, H, W) float32 in [0, 1]."""
    pixels = torch.from_numpy(read_pixels(path, script, "RGB"))
    return pixels.permute(2, 0, 1).float().div_(255).contiguous()


def read_pixels(path: Path, script: str | None, mode: str | None = None) -> np.ndarray:
    """Pixels as they are stored (palette indices stay indices), or converted to `mode`."""
    try:
        with Image.open(existing(path, script)) as picture:
            return np.array(picture if mode is None else picture.convert(mode))
    except (UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path} is not a readable image: fetch it again ({error})") from error
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path} is cut off or damaged: fetch it again ({error})") from error


def read_names(path: Path, script: str | None) -> list[list[str]]:
    """Words of each line of a list, without blank lines and comments."""
    lines = existing(path, script).read_text(encoding="utf-8").splitlines()
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]


def check_index(index: int, length: int) -> None:
    if not 0 <= index < length:
        raise IndexError(f"index must be from 0 to {length - 1}, got {index}")
