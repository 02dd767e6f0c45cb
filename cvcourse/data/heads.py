"""Simulated heads for relighting: a bumpy ellipsoid of which all is known, under any light.

Numbers come from the streams of `cvcourse.data.scenes`: a head is a function of its split, seed and
index alone, and so are the lights of `draw_light`. Brightness is linear.
"""

from math import sqrt
from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.data.scenes.options import check, check_one
from cvcourse.data.scenes.randomness import SPLITS, Stream
from cvcourse.data.scenes.sampling import look_up
from cvcourse.ops import lambert_shading

GLOSS, SHARPNESS = 0.35, 30
_BUMPS, _STEPS, _RIM = 3, 32, 0.08


class Head(NamedTuple):
    """x to the right, y downwards, z towards the camera, in half sides of the picture."""

    albedo: Float[Tensor, "3 size size"]
    normals: Float[Tensor, "3 size size"]
    height: Float[Tensor, "size size"]
    mask: Bool[Tensor, "size size"]


class Lit(NamedTuple):
    """A head under a light; `image` is (albedo · shading + highlight) · visible."""

    image: Float[Tensor, "3 size size"]
    shading: Float[Tensor, "1 size size"]
    highlight: Float[Tensor, "1 size size"]
    visible: Bool[Tensor, "1 size size"]


def draw_head(index: int, *, size: int = 48, seed: int = 0, split: str = "train") -> Head:
    """Head number `index`: an ellipsoid with three bumps, dark patches and a tone of its own.

    Outside the head, normals look at the camera, albedo and height are 0. Raises ValueError for
    options outside their range.
    """
    check("index", index, "a whole number, 0 or more", Integral, 0, 2**62)
    check("size", size, "a whole number from 16 to 2048", Integral, 16, 2048)
    stream = _stream(seed, split, index)
    across = ((np.arange(size) + 0.5) * (2 / size) - 1).astype(np.float64)
    x, y = across[None].repeat(size, 0), across[:, None].repeat(size, 1)
    a, b, c = stream.uniform(0.6, 0.75), stream.uniform(0.75, 0.9), stream.uniform(0.5, 0.7)
    inside = 1 - (x / a) ** 2 - (y / b) ** 2
    root = np.sqrt(np.maximum(inside, _RIM**2))
    height, slope_x, slope_y = c * root, -c * x / (a * a * root), -c * y / (b * b * root)
    for _ in range(_BUMPS):
        middle_x, middle_y = stream.uniform(-0.4, 0.4), stream.uniform(-0.5, 0.5)
        width, up = stream.uniform(0.1, 0.22), stream.uniform(-0.08, 0.16)
        bump = up * np.exp(-((x - middle_x) ** 2 + (y - middle_y) ** 2) / (2 * width**2))
        height = height + bump
        slope_x = slope_x - bump * (x - middle_x) / width**2
        slope_y = slope_y - bump * (y - middle_y) / width**2
    mask = inside > _RIM**2
    tone = np.array([stream.uniform(0.45, 0.9) * share for share in (1, 0.85, 0.7)])
    albedo = tone[:, None, None] * (1 + 0.2 * _wave(stream, x, y))
    for _ in range(3):
        middle_x, middle_y = stream.uniform(-0.4, 0.4), stream.uniform(-0.6, 0.6)
        width, dark = stream.uniform(0.06, 0.16), stream.uniform(0.4, 0.85)
        albedo = albedo * (
            1 - dark * np.exp(-((x - middle_x) ** 2 + (y - middle_y) ** 2) / (2 * width**2))
        )
    normals = np.stack([-slope_x, -slope_y, np.ones_like(x)])
    normals /= np.sqrt((normals**2).sum(0))
    normals = np.where(mask, normals, np.array([0.0, 0, 1])[:, None, None])
    fields = (albedo.clip(0.02, 1) * mask, normals, height * mask)
    return Head(*(torch.from_numpy(field).float() for field in fields), torch.from_numpy(mask))


def draw_light(index: int, *, seed: int = 0, split: str = "train") -> Float[Tensor, "3"]:
    """A unit vector to a light before the head, evenly over the hemisphere up to 72° aside."""
    stream = _stream(seed, split, index, light=True)
    while True:
        x, y = stream.uniform(-1, 1), stream.uniform(-1, 1)
        flat = x * x + y * y
        if 0 < flat < 1:
            break
    z = 1 - flat * (1 - 0.31)  # evenly in z, and x, y turn evenly around it
    around = sqrt((1 - z * z) / flat)
    return torch.tensor([x * around, y * around, z], dtype=torch.float32)


def shine(head: Head, light: Float[Tensor, "3"]) -> Lit:
    """The head under a light from far away: matte, with a highlight, and with cast shadows.

    Shadows are found by walking from each pixel towards the light over the height field.
    Raises ValueError for a light that is not a unit vector.
    """
    if light.shape != (3,) or abs(float(light.norm()) - 1) > 1e-3:
        raise ValueError(f"light must be a unit vector (3,), got {light.tolist()}")
    shading = lambert_shading(head.normals[None], light[None])[0]
    half = torch.nn.functional.normalize(light + torch.tensor([0.0, 0, 1]), dim=0)
    facing = lambert_shading(head.normals[None], half[None])[0]
    highlight = GLOSS * facing**SHARPNESS * (shading > 0) * head.mask
    visible = torch.from_numpy(_visible(head, light.double().numpy()))[None]
    image = (head.albedo * shading + highlight) * visible
    return Lit(image, shading, highlight, visible)


def _visible(head: Head, light: np.ndarray) -> np.ndarray:
    height = head.height.double().numpy()
    size = len(height)
    across = (np.arange(size) + 0.5) * (2 / size) - 1
    x, y = across[None].repeat(size, 0), across[:, None].repeat(size, 1)
    free = np.ones_like(height, dtype=bool)
    for step in range(1, _STEPS + 1):
        way = step * (2.5 / size)
        there = look_up(height, x + way * light[0], y + way * light[1])
        free &= there <= height + way * light[2] + 1e-2
    return free | ~head.mask.numpy()


def _wave(stream: Stream, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    phase = [stream.uniform(0, 2 * np.pi) for _ in range(2)]
    return np.sin(3 * x + phase[0]) * np.sin(2.5 * y + phase[1])


def _stream(seed: int, split: str, index: int, light: bool = False) -> Stream:
    check("seed", seed, "a whole number from 0 to 2**60", Integral, 0, 2**60)
    check_one("split", split, SPLITS)
    return Stream(split, seed, index, video=light)
