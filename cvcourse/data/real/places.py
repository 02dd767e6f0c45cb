"""Where real data sets are kept, and how to say that a file is missing or damaged."""

import codecs
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from cvcourse.data._extras import extra

with extra("data", "cvcourse.data.real"):
    from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

# What must be there for a data set to count as present; its script in `data_scripts/` makes it so,
# or, where the makers publish no checksums, whoever unpacks it.
SIGNS = {
    "coco": "annotations/instances_val2017.json",
    "pascal_voc": "VOCdevkit/VOC2012/ImageSets/Main/train.txt",
    "oxford_pet": "annotations/trainval.txt",
    "cifar10": "cifar-10-batches-bin/test_batch.bin",
    "mnist": "t10k-labels-idx1-ubyte.gz",
    "svhn": "test_32x32.mat",
    "stl10": "stl10_binary/test_X.bin",
    "omniglot": "images_evaluation/Angelic",
    "div2k": "DIV2K_valid_HR/0801.png",
    "set5": "image_SRF_3/img_001_SRF_3_HR.png",
    "ucf101": "ucfTrainTestlist/classInd.txt",
    "camvid": "testannot",
    "afhq": "train/cat",
    "celeba": "list_eval_partition.txt",
    "vimeo": "tri_testlist.txt",
}


def home() -> Path:
    """The folder of all real data: $CVCOURSE_DATA, or `data` in this checkout, or in the cache."""
    if chosen := os.environ.get("CVCOURSE_DATA"):
        return Path(chosen).expanduser()
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "data"
    return Path.home() / ".cache" / "cvcourse" / "data"


def find(name: str) -> Path | None:
    """The folder of a data set if it is there, else None: lessons then take simulated data."""
    if name not in SIGNS:
        raise ValueError(f"name must be one of {tuple(SIGNS)}, got {name!r}")
    folder = home() / name
    return folder if (folder / SIGNS[name]).exists() else None


def existing(path: Path, script: str | None) -> Path:
    """The path, or an error that says which of `data_scripts/`, if any, fetches the file."""
    if not path.exists():
        remedy = f"; `python data_scripts/{script}.py` fetches it" if script else ""
        raise FileNotFoundError(f"{path} is missing{remedy}")
    return path


def read_image(path: Path, script: str | None) -> Tensor:
    """(3, H, W) float32 in [0, 1], upright: the orientation noted in EXIF is applied.

    By Pillow's mode: 8 bits are divided by 255, integers of 16 and more by 65535, floats are taken
    as they are; grey is repeated, other colours become RGB, transparency is dropped.
    """
    pixels = _decoded(path, script, _rgb)
    if not (pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError(
            f"{path} must have integers from 0 to 65535 or floats from 0 to 1, its values divided "
            f"by the highest are {pixels.min():g} to {pixels.max():g}"
        )
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def read_film(paths: Sequence[Path], *, like: int = 0) -> Tensor:
    """(T, 3, H, W) of pictures as `read_image` gives them; ValueError where one is not of the size
    of number `like`."""
    pictures = [read_image(path, None) for path in paths]
    for path, picture in zip(paths, pictures, strict=True):
        if picture.shape != pictures[like].shape:
            sizes = tuple(picture.shape[1:]), tuple(pictures[like].shape[1:])
            raise ValueError(f"{path} is of size {sizes[0]}, {paths[like].name} of {sizes[1]}")
    return torch.stack(pictures)


def read_pixels(path: Path, script: str | None) -> np.ndarray:
    """Pixels as they are stored (palette indices stay indices), upright like `read_image`."""
    return _decoded(path, script, np.array)


def _decoded(path: Path, script: str | None, decode: Callable) -> np.ndarray:
    try:
        with Image.open(existing(path, script)) as picture:
            return decode(ImageOps.exif_transpose(picture))
    except (UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path} is not a readable image: fetch it again ({error})") from error
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path} is cut off or damaged: fetch it again ({error})") from error


def _rgb(picture: Image.Image) -> np.ndarray:
    """(H, W, 3) float32."""
    if picture.mode == "F":
        grey = np.array(picture)
    elif picture.mode.startswith("I"):  # I, I;16, I;16B: Pillow's own conversion cuts off at 255
        grey = np.array(picture).astype(np.float32) / 65535
    else:
        straight = picture.convert("LA") if picture.mode == "La" else picture
        return np.array(straight.convert("RGB"), np.float32) / 255
    return grey[..., None].repeat(3, axis=2)


def read_lines(path: Path, script: str | None) -> list[str]:
    """Lines of a list without the blank ones; in UTF-8, or in UTF-16 with a byte-order mark."""
    content = existing(path, script).read_bytes()
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error})") from error
    return [line.strip() for line in io.StringIO(text, newline=None) if line.strip()]


def check_index(index: int, length: int) -> None:
    if not 0 <= index < length:
        raise IndexError(f"index must be from 0 to {length - 1}, got {index}")
