"""The pictures that the explorer offers, and a person's own."""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from cvcourse.classroom.explorer.pairs import PAIRS
from cvcourse.classroom.subjects.captioning import captioned_scenes
from cvcourse.classroom.subjects.detecting import shape_scenes
from cvcourse.classroom.subjects.posing import stick_people
from cvcourse.data import pictures
from cvcourse.data.cluttered_digits import cluttered_digits
from cvcourse.data.scenes import Scenes

LONGEST = 1024  # pixels: larger pictures are made smaller when they come in
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "coins", "rocket", "camera")


def _scene_of_shapes() -> Tensor:
    return shape_scenes(20, "test")[3][0]


def _scene_of_things() -> Tensor:
    options = {"objects": (1, 3), "scale": (0.5, 0.95), "rotation": 30, "background": "plain"}
    classes = ("background", "coin", "horse")
    return Scenes(20, size=96, split="test", seed=0, classes=classes, **options)[2][0]


def _scene_of_digits() -> Tensor:
    scenes, _, _ = cluttered_digits(1, "test", torch.Generator().manual_seed(4))
    return scenes[0].expand(3, -1, -1)


def _scene_of_two_shapes() -> Tensor:
    return captioned_scenes(1, "test", seed=0).images[0]


def _scene_of_a_person(*, hooded: float) -> Tensor:
    return stick_people(1, "test", seed=0, hooded=hooded).images[0]


PICTURES: dict[str, Callable[[], Tensor]] = {
    "scene: shapes": _scene_of_shapes,
    "scene: coins and a horse": _scene_of_things,
    "scene: a digit among scraps": _scene_of_digits,
    "scene: two shapes": _scene_of_two_shapes,
    "scene: a person": partial(_scene_of_a_person, hooded=0.0),
    "scene: a person in a hood": partial(_scene_of_a_person, hooded=1.0),
    **{name: lambda pair=pair: pair().first for name, pair in PAIRS.items()},
    **{name: lambda name=name: pictures.load(name) for name in PHOTOGRAPHS},
}


def own_picture(content: bytes) -> Tensor:
    """An uploaded file as (3, H, W) in [0, 1], upright, its longer side at most 1,024 pixels.

    Raises ValueError, in words for the person, where it is no picture or has no size worth it.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            opened.draft("RGB", (LONGEST, LONGEST))  # a large JPEG is read at a fraction
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"this file cannot be read as a picture ({error})") from error
    picture.thumbnail((LONGEST, LONGEST))
    if min(picture.size) < 16:
        raise ValueError(f"this picture has {picture.width} x {picture.height} pixels, too few")
    return torch.from_numpy(np.asarray(picture).copy()).movedim(2, 0).float() / 255
