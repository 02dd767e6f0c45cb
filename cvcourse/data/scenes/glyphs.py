"""Rendered digits: polygons of strokes whose weight, slant and width vary. No pen ever wrote them.

They are the simulated side of simulation-to-real: trained on these, tested on handwriting.
"""

from itertools import pairwise

import numpy as np

# Strokes through points (x, y), y down, in a box of about 1 x 1.6.
_STROKES = {
    "0": [(0, -0.8), (0.36, -0.62), (0.48, 0), (0.36, 0.62), (0, 0.8), (-0.36, 0.62), (-0.48, 0),
          (-0.36, -0.62), (0, -0.8)],
    "1": [(-0.28, -0.5), (0.05, -0.8), (0.05, 0.8)],
    "2": [(-0.44, -0.5), (-0.25, -0.75), (0.15, -0.8), (0.42, -0.58), (0.4, -0.2), (-0.45, 0.8),
          (0.48, 0.8)],
    "3": [(-0.4, -0.65), (-0.1, -0.8), (0.28, -0.72), (0.4, -0.4), (0.22, -0.1), (-0.1, -0.02),
          (0.25, 0.08), (0.45, 0.4), (0.28, 0.72), (-0.1, 0.8), (-0.43, 0.65)],
    "4": [(0.48, 0.3), (-0.5, 0.3), (0.2, -0.8), (0.2, 0.8)],
    "5": [(0.42, -0.8), (-0.32, -0.8), (-0.4, -0.1), (-0.05, -0.22), (0.3, -0.08), (0.45, 0.32),
          (0.25, 0.7), (-0.1, 0.8), (-0.42, 0.65)],
    "6": [(0.3, -0.78), (-0.1, -0.6), (-0.4, -0.05), (-0.42, 0.4), (-0.2, 0.75), (0.12, 0.8),
          (0.4, 0.55), (0.4, 0.2), (0.12, -0.02), (-0.2, 0.05), (-0.42, 0.35)],
    "7": [(-0.45, -0.8), (0.45, -0.8), (-0.1, 0.8)],
    "8": [(0, -0.05), (-0.33, -0.28), (-0.33, -0.6), (0, -0.8), (0.33, -0.6), (0.33, -0.28),
          (0, -0.05), (-0.42, 0.25), (-0.38, 0.62), (0, 0.8), (0.38, 0.62), (0.42, 0.25),
          (0, -0.05)],
    "9": [(0.38, -0.3), (0.1, -0.02), (-0.25, -0.08), (-0.42, -0.38), (-0.25, -0.72), (0.1, -0.8),
          (0.35, -0.6), (0.4, -0.2), (0.3, 0.3), (0.05, 0.8)],
}  # fmt: skip


def _glyph(points):
    def distance(x, y, v):
        weight, slant, width = 0.07 + 0.09 * v[0], 0.5 * (v[1] - 0.4), 0.75 + 0.35 * v[2]
        nearest = np.float32(np.inf)
        moved = [(0.76 * (width * px - slant * py), 0.76 * py) for px, py in points]
        for (ax, ay), (bx, by) in pairwise(moved):
            dx, dy = bx - ax, by - ay
            px, py = x - ax, y - ay
            along = np.clip((px * dx + py * dy) * (1 / (dx * dx + dy * dy)), 0, 1)
            px, py = px - along * dx, py - along * dy
            nearest = np.minimum(nearest, px * px + py * py)
        return np.sqrt(nearest) - weight

    return distance


GLYPHS = {f"glyph {digit}": _glyph(points) for digit, points in _STROKES.items()}
