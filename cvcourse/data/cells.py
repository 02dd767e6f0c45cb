"""Simulated cells as a fluorescence microscope shows them: touching, blurred, noisy, all known.

Outlines and shading are those of `Scenes` of blobs that touch; light is made here: every cell glows
by its own strength, with grain; optics blur it; stray light ripples behind; photons are counted.
"""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.data._extras import extra
from cvcourse.data.scenes import Scenes


def cell_pictures(
    count: int,
    split: str = "train",
    *,
    seed: int = 0,
    size: int = 132,
    objects: tuple[int, int] = (2, 22),
    scale: tuple[float, float] = (0.12, 0.25),
) -> tuple[Float[Tensor, "count 1 size size"], Int64[Tensor, "count size size"]]:
    """Grey pictures, and for each pixel the number of its cell (0 background, 1, 2, ...).

    split, seed, size, objects, scale: as in `Scenes`. Brightness is that of the brightest cells at
    about 1; where photons are many it may exceed 1. The same arguments give the same pictures.
    """
    scenes = Scenes(
        count,
        size=size,
        seed=seed,
        split=split,
        objects=objects,
        classes=("background", "blob"),
        scale=scale,
        placement="touching",
        background="plain",
        texture=0,
        extras=("shading",),
    )
    images, cells = [], []
    for index, (_, target) in enumerate(scenes):
        number = torch.arange(1, len(target["masks"]) + 1)[:, None, None]
        cells.append((target["masks"] * number).sum(0))
        chance = np.random.default_rng([seed, ("train", "val", "test").index(split), index])
        images.append(_expose(target["shading"].numpy(), cells[-1].numpy(), chance))
    shape = (count, size, size)
    return (
        torch.cat([torch.from_numpy(image).float() for image in images] or [torch.empty(0)])
        .reshape(shape)
        .unsqueeze(1),
        torch.cat(cells or [torch.empty(0, dtype=torch.int64)]).reshape(shape),
    )


def _expose(shading: np.ndarray, cells: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    with extra("lessons", "cvcourse.data.cells"):
        from scipy import ndimage

    def unit_noise(width: float) -> np.ndarray:  # smooth over `width` pixels; deviation about 0.3
        return ndimage.gaussian_filter(chance.normal(size=cells.shape), width) * width

    glow = chance.uniform(0.3, 1, int(cells.max(initial=0)) + 1)
    glow[0] = 0
    body = glow[cells] * (0.4 + 0.6 * shading / shading.mean()) * (1 + 0.4 * unit_noise(1.5))
    stray = 1 + chance.uniform(0, 1) * unit_noise(chance.uniform(1, 4))
    slope = np.linspace(-0.05, 0.05, len(cells))[:, None] * chance.uniform(-1, 1)
    light = ndimage.gaussian_filter(body, chance.uniform(0.8, 2))  # the optics
    light = (light + chance.uniform(0.12, 0.3) * stray + slope).clip(0)
    photons = chance.uniform(40, 150)  # that a light of 1 gives in a pixel
    return chance.poisson(light * photons) / photons
