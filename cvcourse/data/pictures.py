"""Real pictures that come inside the scikit-image and scikit-learn wheels: nothing is downloaded.

`skimage.data` fetches some of its pictures over the network at first use. The ones listed here are
files of the installed packages themselves (the same bytes in scikit-image 0.24 to 0.26), opened
by path, so neither package is imported, no cache folder is written and no network is asked.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from cvcourse.data._extras import extra

with extra("data", "cvcourse.data.pictures"):
    from PIL import Image
from torch import Tensor

KINDS = ("photographs", "textures", "microscopy", "medical", "space", "documents", "drawings")


class Picture(NamedTuple):
    file: str  # path inside site-packages, package first
    kind: str
    credit: str  # what it shows, who made it, and its licence


CATALOGUE = {
    "astronaut": Picture(
        "skimage/data/astronaut.png", "photographs", "Eileen Collins; NASA, public domain"
    ),
    "camera": Picture(
        "skimage/data/camera.png", "photographs", "man with a camera; Lav Varshney, CC0"
    ),
    "chelsea": Picture(
        "skimage/data/chelsea.png", "photographs", "Chelsea the cat; Stefan van der Walt, CC0"
    ),
    "china": Picture(
        "sklearn/datasets/images/china.jpg",
        "photographs",
        "Summer Palace, Beijing; danielbuechele on Flickr, CC BY 2.0",
    ),
    "clock": Picture(
        "skimage/data/clock_motion.png",
        "photographs",
        "clock blurred by motion; Stefan van der Walt, public domain",
    ),
    "coffee": Picture(
        "skimage/data/coffee.png",
        "photographs",
        "espresso cup; Rachel Michetti, Pikolo Espresso Bar, CC0",
    ),
    "coins": Picture(
        "skimage/data/coins.png",
        "photographs",
        "24 Greek coins from Pompeii; Brooklyn Museum, no known restrictions",
    ),
    "flower": Picture(
        "sklearn/datasets/images/flower.jpg",
        "photographs",
        "dahlia; vultilion on Flickr, CC BY 2.0",
    ),
    "motorcycle": Picture(
        "skimage/data/motorcycle_left.png",
        "photographs",
        "left view of the stereo pair; Middlebury 2014 (Scharstein et al.)",
    ),
    "rocket": Picture(
        "skimage/data/rocket.jpg", "photographs", "Falcon 9 with DSCOVR; SpaceX, public domain"
    ),
    "brick": Picture("skimage/data/brick.png", "textures", "brick wall; CC0Textures, CC0"),
    "grass": Picture("skimage/data/grass.png", "textures", "grass; linolafett on DeviantArt, CC0"),
    "gravel": Picture("skimage/data/gravel.png", "textures", "gravel; CC0Textures, CC0"),
    "cell": Picture(
        "skimage/data/cell.png",
        "microscopy",
        "cell in saline, by phase; Müller et al. 2018, CC0",
    ),
    "immunohistochemistry": Picture(
        "skimage/data/ihc.png", "microscopy", "stained colonic glands; CMMI, no known restrictions"
    ),
    "microaneurysms": Picture(
        "skimage/data/microaneurysms.png", "medical", "detail of a retina; Andreas Maier (HRF), CC0"
    ),
    "phantom": Picture(
        "skimage/data/phantom.png", "medical", "head phantom; Shepp & Logan 1974, synthetic"
    ),
    "retina": Picture("skimage/data/retina.jpg", "medical", "retina; Mikael Häggström 2014, CC0"),
    "hubble": Picture(
        "skimage/data/hubble_deep_field.jpg", "space", "eXtreme Deep Field; NASA, public domain"
    ),
    "moon": Picture(
        "skimage/data/moon.png", "space", "surface of the Moon; with scikit-image (BSD-3-Clause)"
    ),
    "page": Picture(
        "skimage/data/page.png", "documents", "scanned page; with scikit-image (BSD-3-Clause)"
    ),
    "text": Picture("skimage/data/text.png", "documents", "handwriting; Wikipedia, public domain"),
    "colorwheel": Picture(
        "skimage/data/color.png", "drawings", "colour wheel; with scikit-image (BSD-3-Clause)"
    ),
    "horse": Picture(
        "skimage/data/horse.png", "drawings", "silhouette of a horse; Andreas Preuss, CC0"
    ),
}

# Middlebury 2014 "Motorcycle" at a quarter of its size; numbers from scikit-image's docstring.
CALIBRATION = {
    "focal_px": 994.978,
    "principal_x_px": 311.193,
    "principal_y_px": 254.877,
    "principal_dx_px": 31.086,
    "baseline_mm": 193.001,
}


class Stereo(NamedTuple):
    """A rectified pair: left[y, x] shows what right[y, x - disparity[y, x]] shows.

    Depth in millimetres is focal_px * baseline_mm / (disparity + principal_dx_px).
    """

    left: Tensor  # (3, 500, 741) in [0, 1]
    right: Tensor  # (3, 500, 741) in [0, 1]
    disparity: Tensor  # (500, 741) pixels of the left picture; nan where it was not measured
    calibration: dict[str, float]


def names(kind: str | None = None) -> tuple[str, ...]:
    """Names that `load` knows, of one of KINDS or of all."""
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS} or None, got {kind!r}")
    return tuple(name for name, picture in CATALOGUE.items() if kind in (None, picture.kind))


def credit(name: str) -> str:
    """What the picture shows, who made it, and under which licence."""
    return _entry(name).credit


def load(name: str, size: int | tuple[int, int] | None = None) -> Tensor:
    """A picture as (3, H, W) float32 in [0, 1]; grey pictures have three equal channels.

    size: None keeps the original pixels; (height, width), or one number for a square, gives the
        largest centred part of that shape, resampled (bicubic, with anti-aliasing) to that size.
    """
    picture = decode(name)
    if size is not None:
        height, width = _height_width(size)
        scale = max(height / picture.height, width / picture.width)
        w = min(width / scale, picture.width)  # of the part that is kept, in original pixels;
        h = min(height / scale, picture.height)  # by rounding it could be larger than the whole
        left, top = (picture.width - w) / 2, (picture.height - h) / 2
        box = (left, top, left + w, top + h)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC, box=box)
    pixels = torch.from_numpy(np.array(picture))  # (H, W, 3) uint8
    return pixels.permute(2, 0, 1).float().div_(255).contiguous()


def stereo() -> Stereo:
    """Two views of a motorcycle with measured disparity: truth for stereo, depth and flow."""
    with np.load(_path("skimage/data/motorcycle_disp.npz")) as archive:
        disparity = torch.from_numpy(archive["arr_0"])
    disparity = disparity.masked_fill(~disparity.isfinite(), torch.nan)
    right = torch.from_numpy(np.array(_open("skimage/data/motorcycle_right.png")))
    right = right.permute(2, 0, 1).float().div_(255).contiguous()
    return Stereo(load("motorcycle"), right, disparity, dict(CALIBRATION))


def faces() -> tuple[Tensor, Tensor]:
    """100 faces and 100 pieces of background from Labeled Faces in the Wild.

    Returns crops (200, 1, 25, 25) float32 in [0, 1], and labels (200,) int64: 1 face, 0 not a face.
    """
    crops = torch.from_numpy(np.load(_path("skimage/data/lfw_subset.npy"))).float()[:, None]
    labels = torch.cat([torch.ones(100, dtype=torch.int64), torch.zeros(100, dtype=torch.int64)])
    return crops, labels


def decode(name: str) -> Image.Image:
    """The picture as an RGB image of Pillow, transparent parts on white."""
    return _open(_entry(name).file)


def _open(file: str) -> Image.Image:
    with Image.open(_path(file)) as picture:
        if picture.mode == "RGBA":
            white = Image.new("RGBA", picture.size, "white")
            return Image.alpha_composite(white, picture).convert("RGB")
        return picture.convert("RGB")


def _entry(name: str) -> Picture:
    if name not in CATALOGUE:
        raise ValueError(f"name must be one of {', '.join(CATALOGUE)}; got {name!r}")
    return CATALOGUE[name]


def _height_width(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ValueError(f"size must be positive pixels, got {size}")
    return height, width


@cache
def _path(file: str) -> Path:
    package, rest = file.split("/", 1)
    spec = find_spec(package)
    project = {"skimage": "scikit-image", "sklearn": "scikit-learn"}[package]
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"pictures come with {project}: pip install 'cvcourse[lessons]'", name=package
        )
    path = Path(spec.origin).parent / rest
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: this build of {project} ships without it")
    return path
