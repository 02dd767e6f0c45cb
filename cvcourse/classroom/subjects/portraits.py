"""Portraits to cut out: a real face, drawn hair and clothes, over a piece of a photograph.

How much of each pixel the person covers is known exactly, hairs thinner than a pixel included.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from cvcourse.classroom.device import fewer
from cvcourse.classroom.subjects.restoring import Pieces
from cvcourse.data._extras import extra
from cvcourse.data.scenes.cutouts import find
from cvcourse.methods import perturb_background, rough_segmentation, translate
from cvcourse.ops import blur, composite, gaussian_kernel

with extra("lessons", "cvcourse.classroom.subjects.portraits"):
    from PIL import Image, ImageDraw

Inputs = tuple[Tensor, Tensor, Tensor]  # picture, empty scene, outline
FINE = 4  # drawn points of a pixel, along each side
_CLOTHES, _HAIR, _FACE = 1, 2, 3
_ROUGH = {"erode": (1, 4), "dilate": (2, 7), "hole_sides": (5, 9, 13), "blurs": (5, 7, 9)}


class Portraits(NamedTuple):
    """`image` is alpha · foreground + (1 - alpha) · background; all are in [0, 1]."""

    image: Float[Tensor, "count 3 size size"]
    background: Float[Tensor, "count 3 size size"]
    alpha: Float[Tensor, "count 1 size size"]
    foreground: Float[Tensor, "count 3 size size"]


def portraits(
    photographs: Float[Tensor, "pictures 3 256 256"],
    count: int,
    split: str,
    *,
    seed: int,
    size: int = 64,
) -> Portraits:
    """`count` people, the same ones for the same seed; in a rehearsal twelve at most.

    photographs: of which backgrounds and clothes are pieces. split: "train", "val" or "test", whose
        faces are other people's in each.

    **Conventions**: where alpha is 0 the foreground has the hair's colour.
    """
    count = fewer(count, 12)
    (backgrounds,) = Pieces(photographs, 1, count, size, seed=2 * seed)
    (clothes,) = Pieces(photographs, 1, count, size, seed=2 * seed + 1)
    random = np.random.default_rng([seed, len(split)])
    alphas, foregrounds = [], []
    for cloth in clothes:
        parts = _parts(random, size * FINE)
        alpha, foreground = _painted(random, *parts, cloth, split)
        alphas.append(alpha)
        foregrounds.append(foreground)
    alpha, foreground = torch.stack(alphas), torch.stack(foregrounds)
    image = composite(alpha, foreground, backgrounds)
    return Portraits(image, backgrounds, alpha, foreground)


def shot(people: Portraits, seed: int, off: float = 0.7, rough: dict | None = None) -> Inputs:
    """The picture, a photograph of the empty scene, and a rough outline.

    off: by how many pixels the second photograph is shifted at most, along each axis; it is also a
        little brighter, darker or noisier (`perturb_background`). rough: of `rough_segmentation`;
        None: 1 to 3 steps inwards and 2 to 6 outwards.
    """
    g = torch.Generator().manual_seed(seed)
    away = off * (2 * torch.rand(len(people.image), 2, generator=g) - 1)
    empty = perturb_background(translate(people.background, away), generator=g)
    outline = rough_segmentation(people.alpha, **(rough or _ROUGH), generator=g)
    return people.image, empty, outline


def other_camera(people: Portraits, seed: int) -> Portraits:
    """The same people: they throw a shadow on the background, and colours have other gains.

    The shadow takes half of the light, 6 pixels to the right and 4 down. `background` stays as it
    was: that of the photograph without them. Gains are of each picture and colour, normal of
    deviation 0.12 on a logarithmic scale.
    """
    g = torch.Generator().manual_seed(seed)
    cast = translate(people.alpha, torch.tensor([6.0, 4.0]).expand(len(people.alpha), 2))
    shade = 1 - 0.5 * blur(cast, gaussian_kernel(3.0))
    gain = torch.exp(0.12 * torch.randn(len(cast), 3, 1, 1, generator=g))
    person, wall = (gain * people.foreground).clamp(0, 1), gain * shade * people.background
    image = composite(people.alpha, person, wall.clamp(0, 1))
    return people._replace(image=image, foreground=person)


def alpha_by_change(
    inputs: Inputs, alpha: Float[Tensor, "count 1 height width"]
) -> Callable[[Tensor, Tensor, Tensor], Float[Tensor, "count 1 height width"]]:
    """The change from the empty scene, stretched between two limits within the outline.

    The change is the root of the colours' mean square. Limits, and what of the outline counts, are
    the best of 32 settings for pictures with known alpha; gives alpha of others.
    """

    def stretched(setting: tuple, image: Tensor, empty: Tensor, outline: Tensor) -> Tensor:
        low, width, inside = setting
        change = (image - empty).square().mean(1, keepdim=True).sqrt()
        return ((change - low) / width).clamp(0, 1) * (outline > inside)

    settings = product((0.02, 0.04, 0.06, 0.1), (0.1, 0.2, 0.3, 0.45), (0.02, 0.3))
    best = min(settings, key=lambda setting: (stretched(setting, *inputs) - alpha).abs().sum())
    return partial(stretched, best)


def alpha_by_trees(
    inputs: Inputs, alpha: Float[Tensor, "count 1 height width"], *, pixels: int = 60_000
) -> Callable[[Tensor, Tensor, Tensor], Float[Tensor, "count 1 height width"]]:
    """Boosted trees, trained on random pixels of pictures with known alpha; gives alpha of others.

    Each pixel shows its colours, their changes from the empty scene, the root of the mean square of
    these and the outline, and the last two in three blurs.
    """
    with extra("lessons", "cvcourse.classroom.subjects.portraits"):
        from sklearn.ensemble import HistGradientBoostingRegressor

    some = np.random.default_rng(0).permutation(alpha.numel())[:pixels]
    trees = HistGradientBoostingRegressor(random_state=0)
    trees.fit(_features(*inputs)[some], alpha.flatten().numpy()[some])

    def found(image: Tensor, empty: Tensor, outline: Tensor) -> Tensor:
        values = trees.predict(_features(image, empty, outline))
        return torch.from_numpy(values).float().view_as(outline).clamp(0, 1)

    return found


def _features(image: Tensor, empty: Tensor, outline: Tensor) -> np.ndarray:
    changes = (image - empty).abs()
    change = changes.square().mean(1, keepdim=True).sqrt()
    wide = [blur(x, gaussian_kernel(s)) for x in (change, outline) for s in (1.0, 2.0, 4.0)]
    columns = torch.cat([image, changes, change, outline, *wide], 1)
    return columns.movedim(1, -1).flatten(0, 2).numpy()


def _parts(random: np.random.Generator, side: int) -> tuple[np.ndarray, tuple[int, ...]]:
    """What is seen at each drawn point, (side, side), 0 for nothing; and the face's box."""
    x, y = side * random.uniform(0.35, 0.65), side * random.uniform(0.36, 0.48)
    radius = side * random.uniform(0.13, 0.18)
    seen = Image.new("L", (side, side))
    draw = ImageDraw.Draw(seen)
    broad, top = radius * random.uniform(1.6, 2.2), y + radius * 1.15
    draw.ellipse((x - broad, top, x + broad, top + 4 * radius), fill=_CLOTHES)
    draw.rectangle((x - 0.4 * radius, y, x + 0.4 * radius, top + 0.3 * radius), fill=_FACE)
    cap = 1.08 * radius
    draw.ellipse((x - cap, y - 1.25 * radius, x + cap, y + 0.5 * radius), fill=_HAIR)
    wind, long = random.normal(0, 0.5), random.uniform(0.5, 1.4)
    for _ in range(random.integers(60, 160)):
        around = random.uniform(-1.15, 0.15) * np.pi
        point = np.array([x + cap * np.cos(around), y - 0.2 * radius + cap * np.sin(around)])
        way = np.array([np.cos(around) + wind, np.sin(around)]) + random.normal(0, 0.35, 2)
        step = way * long * radius * random.uniform(0.1, 0.3)
        line = [tuple(point)]
        for _ in range(4):
            point = point + step
            step = step + np.array([0.1 * wind, 0.22]) * np.hypot(*step)
            line.append(tuple(point))
        draw.line(line[:3], fill=_HAIR, width=int(random.integers(2, 4)))
        draw.line(line, fill=_HAIR, width=int(random.integers(1, 3)))
    box = (x - 0.8 * radius, y - 0.85 * radius, x + 0.8 * radius, y + 1.15 * radius)
    draw.ellipse(box, fill=_FACE)
    return np.array(seen), tuple(round(side) for side in box)


def _painted(
    random: np.random.Generator,
    parts: np.ndarray,
    box: tuple[int, ...],
    cloth: Float[Tensor, "3 size size"],
    split: str,
) -> tuple[Float[Tensor, "1 size size"], Float[Tensor, "3 size size"]]:
    """Alpha and foreground: the means of what was drawn."""
    side = len(parts)
    left, top, right, bottom = box
    picture = torch.from_numpy(find("face", split, random.uniform()).picture)[None, None]
    # the middle of the cut-out's ellipse of 0.8 by 1, so that it fills ours
    face = F.interpolate(picture[..., :, 5:43], (bottom - top, right - left), mode="bilinear")
    skin = random.uniform(0.55, 1.0) * np.array([1.0, random.uniform(0.7, 0.85), 0.62])
    dark = random.uniform(0.05, 0.75) * np.array([1.0, random.uniform(0.6, 0.9), 0.5])
    hair = torch.tensor(dark * random.uniform(0.7, 1.3)).clamp(0, 1).float()[:, None, None]
    streaks = torch.from_numpy(random.uniform(0.75, 1.25, (1, side // FINE, side // FINE)))
    streaks = F.interpolate(streaks[None].float(), (side, side), mode="bilinear")[0]
    colours = (hair * streaks).clamp(0, 1)  # (3, side, side)
    seen = torch.from_numpy(parts)
    large = F.interpolate(cloth[None], (side, side), mode="bilinear")[0]
    colours = torch.where(seen == _CLOTHES, large, colours)
    tint = torch.tensor(skin).float()[:, None, None]
    shown = (0.62 * tint).expand(3, side, side).clone()  # the neck
    shown[:, top:bottom, left:right] = face[0] * tint
    colours = torch.where(seen == _FACE, shown, colours)
    covered = (seen > 0).float()[None]
    alpha = F.avg_pool2d(covered, FINE)
    foreground = F.avg_pool2d(colours * covered, FINE) / alpha.clamp(min=1e-6)
    return alpha, torch.where(alpha > 0, foreground, hair)
