"""Reading pictures between their pixels."""

import numpy as np


def look_up(grid: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values of a square grid that spans [-1, 1]^2; beyond its border, the border's."""
    side = grid.shape[0]
    column = np.clip((x + 1) * (side / 2) - 0.5, 0, side - 1.001)
    row = np.clip((y + 1) * (side / 2) - 0.5, 0, side - 1.001)
    return _between(grid, *_split(row), *_split(column))


def look_up_mirrored(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values (3, h, w) of a (3, H, W) picture at positions in pixels, mirrored outside."""
    height, width = picture.shape[1:]
    i, row = _split(_mirror(y - 0.5, height))
    j, column = _split(_mirror(x - 0.5, width))
    return np.stack([_between(plane, i, row, j, column) for plane in picture])


def _split(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The whole pixels before positions of 0 or more, and what is left of a pixel."""
    whole = position.astype(np.intp)
    return whole, position - whole.astype(position.dtype)


def _between(plane: np.ndarray, i, row, j, column) -> np.ndarray:
    """Values of a plane (H, W) at `row` and `column` parts of a pixel behind its pixels (i, j)."""
    width, flat = plane.shape[1], plane.reshape(-1)
    corner = i * width + j
    here, right, below, opposite = (flat.take(corner + n) for n in (0, 1, width, width + 1))
    top = here + column * (right - here)
    bottom = below + column * (opposite - below)
    return top + row * (bottom - top)


def _mirror(position: np.ndarray, count: int) -> np.ndarray:
    """Fold any position into [0, count - 1)."""
    last = count - 1
    folded = np.abs(position - np.floor(position / (2 * last) + 0.5) * (2 * last))
    return np.clip(folded, 0, last - 0.001)
