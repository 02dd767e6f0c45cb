"""From light to pixels: a slightly soft lens, a noisy sensor, eight bits."""

from typing import NamedTuple

import numpy as np

from .randomness import Stream


class Lens(NamedTuple):
    blur: float  # share of its light that a pixel gives to each neighbour
    sigma: float  # deviation of the noise at mid-grey


def draw_lens(stream: Stream, blur: float, noise: float) -> Lens:
    """At strength 1 the blur is up to [0.15, 0.7, 0.15] in each direction, the noise up to 0.02."""
    return Lens(stream.uniform(0.0, 0.15) * blur, stream.uniform(0.004, 0.02) * noise)


def expose(stream: Stream, picture: np.ndarray, lens: Lens) -> np.ndarray:
    """A picture (3, H, W) as a camera gives it: float32 multiples of 1/255 in [0, 1].

    Noise grows with the square root of the light, as photons make it. `picture` is overwritten.
    """
    blurring, sigma = lens
    while blurring > 0:
        side = min(blurring, 0.25)  # more than a quarter takes several passes
        _soften(picture, side)
        blurring -= side
    if sigma > 0:
        level = np.maximum(picture, 0)
        level *= 1.6 * sigma * sigma
        level += 0.2 * sigma * sigma
        np.sqrt(level, out=level)
        level *= stream.noise(picture.shape)
        picture += level
    picture *= 255
    np.rint(picture, out=picture)
    np.clip(picture, 0, 255, out=picture)
    picture *= 1 / 255
    return picture


def _soften(picture: np.ndarray, side: float) -> None:
    """[side, 1 - 2 side, side] along rows and columns, in place; borders see themselves."""
    step = picture[:, 1:] - picture[:, :-1]
    step *= side
    picture[:, :-1] += step
    picture[:, 1:] -= step
    line, width = picture.reshape(-1), picture.shape[2]  # in one line, which is faster
    step = line[1:] - line[:-1]
    step[width - 1 :: width] = 0  # from the end of a row to the next
    step *= side
    line[:-1] += step
    line[1:] -= step
