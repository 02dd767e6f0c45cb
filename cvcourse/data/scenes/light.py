"""Light, shade and shadow.

One directional light and an even ambient one. A surface with normal n facing the light l has the
brightness  ambient + (1 - ambient) * V * max(n . l, 0) / l_z,  where V is 0 in a cast shadow and 1
outside it: a surface that faces the camera and is in no shadow keeps its own colour.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np

from .randomness import Stream


class Light(NamedTuple):
    direction: tuple[float, float, float]  # unit vector to the light: x right, y down, z to us
    ambient: float
    color: tuple[float, float, float]
    slope: tuple[float, float]  # brightness falls off linearly over the picture
    gloss: float  # how strong highlights are
    softness: float  # width of a shadow's edge per distance it falls


def draw_light(stream: Stream, strength: float) -> Light:
    """`strength` 0 is a white light from behind the camera; 1 is natural, more is stranger."""
    tilt = min(strength, 1.6)  # a light that grazes more would leave little to see
    x = stream.uniform(-0.65, 0.65) * tilt
    y = stream.uniform(-0.75, 0.25) * tilt  # mostly from above
    length = sqrt(x * x + y * y + 1)
    ambient = 1 - stream.uniform(0.5, 0.75) * min(strength, 1.3)
    level = 1 + stream.uniform(-0.2, 0.12) * strength
    warmth = stream.uniform(-0.1, 0.1) * strength
    tone = [max(level * (1 + s * warmth), 0.25) for s in (1.0, 0.1, -1.0)]
    slope = (0.25 * tilt * x / length, 0.25 * tilt * y / length)
    softness = stream.uniform(0.03, 0.16)
    direction = (x / length, y / length, 1 / length)
    return Light(direction, ambient, tuple(tone), slope, 0.5 * min(strength, 1.5), softness)


def falloff(light: Light, size: int) -> np.ndarray:
    """(size, size), how bright the light is over the picture."""
    steps = np.linspace(-1, 1, size, dtype=np.float32)
    return steps * light.slope[0] + (steps * light.slope[1] + 1)[:, None]


def brightness(
    light: Light, lambert: np.ndarray, shadow: np.ndarray, falloff: np.ndarray
) -> np.ndarray:
    """(H, W) from the shading term of `lambert` and the share of light that is not shadowed."""
    direct = lambert * shadow
    direct *= 1 - light.ambient
    direct += light.ambient
    direct *= falloff
    return direct


def lambert(light: Light, normal: np.ndarray) -> np.ndarray:
    """max(n . l, 0) / l_z for normals (3, ...)."""
    x, y, z = light.direction
    term = normal[0] * (x / z)
    term += normal[1] * (y / z)
    term += normal[2]
    return np.maximum(term, 0, out=term)


def highlight(light: Light, normal: np.ndarray) -> np.ndarray:
    """Blinn's max(n . h, 0)^32, where h is halfway between the light and the camera."""
    x, y, z = light.direction
    length = sqrt(x * x + y * y + (z + 1) ** 2)
    term = normal[0] * (x / length)
    term += normal[1] * (y / length)
    term += normal[2] * ((z + 1) / length)
    np.maximum(term, 0, out=term)
    for _ in range(5):
        term *= term
    return term
