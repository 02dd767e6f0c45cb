"""The photograph of coins, on which networks that were trained on drawn things prove themselves."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cvcourse.data import pictures
from cvcourse.data._extras import extra
from cvcourse.data.scenes.cutouts import COINS


class Coins(NamedTuple):
    """24 ancient coins on cloth, under a lamp, and where they are."""

    image: Tensor  # (3, H, W) in [0, 1], three equal channels
    circles: Tensor  # (24, 3): x, y of the centre and radius, by hand, in pixels
    boxes: Tensor  # (24, 4) around the circles
    masks: Tensor  # (24, H, W) bool: pixels whose centre is in the circle


def coins(zoom: float = 1.0, *, multiple: int = 1) -> Coins:
    """The photograph (303 x 384 pixels) at `zoom` times its size.

    multiple: rows and columns below and at the right are left out, so that both sides are
        multiples of it, as networks with strides want them.

    Raises ValueError where a side has no multiple that leaves all coins in the picture.
    """
    picture = pictures.load("coins")
    sides = [round(zoom * side) for side in picture.shape[1:]]
    picture = F.interpolate(picture[None], sides, mode="bilinear", antialias=True)[0]
    circles = zoom * torch.tensor(COINS)  # exact to half a pixel at any zoom
    x, y, radius = circles.T
    boxes = torch.stack([x - radius, y - radius, x + radius, y + radius], 1)
    height, width = (side // multiple * multiple for side in sides)
    if (boxes[:, 2] > width).any() or (boxes[:, 3] > height).any():
        raise ValueError(
            f"multiple {multiple} leaves {height} x {width} of {sides[0]} x {sides[1]} pixels, "
            "which cuts off coins: take a smaller one, or another zoom"
        )
    rows, columns = torch.arange(height)[:, None] + 0.5, torch.arange(width)[None] + 0.5
    away = torch.hypot(columns - x[:, None, None], rows - y[:, None, None])
    return Coins(picture[:, :height, :width], circles, boxes, away < radius[:, None, None])


def pieces_by_threshold(image: Tensor) -> Tensor:
    """Masks (N, H, W) of what is brighter than its surroundings: the classical way to the coins.

    The pipeline of lesson 00, for this photograph at any zoom: the lamp's light, a wide blur, is
    taken off; then Otsu's threshold, holes filled, specks opened away, connected pieces.
    image: (3, H, W) or (1, H, W).
    """
    with extra("lessons", "cvcourse.classroom.subjects.photographs"):
        from scipy import ndimage
        from skimage.filters import threshold_otsu

    grey = image[0].numpy()
    zoom = grey.shape[1] / 384
    flat = grey - ndimage.gaussian_filter(grey, 40 * zoom)
    mask = ndimage.binary_fill_holes(flat > threshold_otsu(flat))
    mask = ndimage.binary_opening(mask, iterations=max(1, round(3 * zoom)))
    numbered, count = ndimage.label(mask)
    return torch.from_numpy(numbered == np.arange(1, count + 1)[:, None, None])


def mask_at(
    predict: Callable[[Tensor], Tensor], zoom: float = 1.0, *, rounds: int = 3
) -> np.ndarray:
    """(H, W) bool: what `predict` says of the photograph at `zoom` times its size, cleaned.

    predict: of a grey picture (1, 1, H, W) with a mean of 0, to a mask (1, H, W). The photograph's
        edges are repeated first, so that quarters, halves and doubles have whole pixels.
    rounds: as in `foreground.cleaned`, at the photograph's own size.
    """
    from cvcourse.classroom.subjects.foreground import cleaned

    picture = pictures.load("coins")[:1]
    _, height, width = picture.shape
    whole = F.pad(picture[None], (0, -width % 8, 0, -height % 8), mode="replicate")
    scaled = F.interpolate(whole, scale_factor=zoom, mode="bilinear", antialias=True)
    found = predict(scaled - scaled.mean())[:, None].float()
    found = F.interpolate(found, whole.shape[2:])[0, 0, :height, :width] > 0.5
    return cleaned(found.numpy(), rounds)
