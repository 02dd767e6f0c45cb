"""Shapes as signed distances: negative inside, zero on the outline, positive outside.

Every shape lies in the unit circle, x to the right and y down. `v` holds four numbers in [0, 1)
that vary a shape from object to object. Only + - * / sqrt, minimum and maximum are used, which
IEEE 754 rounds alike on every machine. Distances are exact near the outline; at corners, a bound.
"""

import numpy as np

Variant = tuple[float, float, float, float]


def disk(x, y, v: Variant):
    return np.sqrt(x * x + y * y) - 0.9


def square(x, y, v: Variant):
    return np.maximum(np.abs(x), np.abs(y)) - 0.68


def triangle(x, y, v: Variant):
    return np.maximum(np.abs(x) * 0.8660254 - y * 0.5, y) - 0.49


def diamond(x, y, v: Variant):
    return (np.abs(x) * 1.6 + np.abs(y) - 0.95) * 0.53


def hexagon(x, y, v: Variant):
    x, y = np.abs(x), np.abs(y)
    return np.maximum(x * 0.8660254 + y * 0.5, y) - 0.8


def star(x, y, v: Variant):
    """Five points: two mirrors fold the plane onto one edge."""
    x, y = np.abs(x), -y
    for nx, ny in ((0.8090170, -0.5877853), (-0.8090170, -0.5877853)):
        inside = 2 * np.maximum(nx * x + ny * y, 0)
        x, y = x - inside * nx, y - inside * ny
    x, y = np.abs(x), y - 0.95
    ex, ey = 0.235114 * 1.05, -0.7236068 * 1.05  # from the tip to the notch
    along = np.clip((x * ex + y * ey) / (ex * ex + ey * ey), 0, 1)
    dx, dy = x - ex * along, y - ey * along
    return np.sqrt(dx * dx + dy * dy) * np.where(y * ex - x * ey > 0, 1, -1).astype(np.float32)


def ring(x, y, v: Variant):
    return np.abs(np.sqrt(x * x + y * y) - 0.68) - (0.18 + 0.08 * v[0])


def cross(x, y, v: Variant):
    x, y = np.abs(x), np.abs(y)
    long, short = np.maximum(x, y) - 0.88, np.minimum(x, y) - 0.28
    return np.maximum(long, short)


def heart(x, y, v: Variant):
    """A square on its corner with two half disks."""
    x, y = np.abs(x) * 1.15, 0.62 - y * 1.15  # tip at the bottom, y up
    tip = np.minimum(
        x * x + (y - 1) ** 2,
        (x - 0.5 * np.maximum(x + y, 0)) ** 2 + (y - 0.5 * np.maximum(x + y, 0)) ** 2,
    )
    wedge = np.sqrt(tip) * np.where(x > y, 1, -1).astype(np.float32)
    lobe = np.sqrt((x - 0.25) ** 2 + (y - 0.75) ** 2) - 0.35355339
    return np.where(x + y > 1, lobe, wedge) / 1.15


def crescent(x, y, v: Variant):
    whole = np.sqrt(x * x + y * y) - 0.92
    bite = np.sqrt((x - 0.45) ** 2 + y * y) - 0.72
    return np.maximum(whole, -bite)


def arrow(x, y, v: Variant):
    """Points along +x."""
    y = np.abs(y)
    head = np.maximum((x - 0.92) * 0.7071068 + y * 0.7071068, 0.12 - x)
    shaft = np.maximum(np.abs(x + 0.38) - 0.52, y - 0.24)
    return np.minimum(head, shaft)


def blob(x, y, v: Variant):
    """A cell: a disk whose radius wavers with two and three periods around the circle."""
    rr = x * x + y * y + 1e-6
    a, b, c, d = (0.12 * (u - 0.5) for u in v)
    two = a * (x * x - y * y) + b * (2 * x * y)
    three = (c * (x * x - 3 * y * y) * x + d * (3 * x * x - y * y) * y) / np.sqrt(rr)
    return (np.sqrt(rr) - 0.86 * (1 + (two + three) / rr)) * 0.92


SHAPES = {
    "disk": disk, "square": square, "triangle": triangle, "star": star, "ring": ring,
    "cross": cross, "heart": heart, "crescent": crescent, "hexagon": hexagon, "diamond": diamond,
    "arrow": arrow, "blob": blob,
}  # fmt: skip
