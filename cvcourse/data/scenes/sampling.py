"""Reading pictures between their pixels."""

import numpy as np


def look_up(grid: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values of a square grid that spans [-1, 1]^2; beyond its border, the border's."""
    side = grid.shape[0]
    column = np.clip((x + 1) * (side / 2) - 0.5, 0, side - 1.001)
    row = np.clip((y + 1) * (side / 2) - 0.5, 0, side - 1.001)
    j, i = column.astype(np.int32), row.astype(np.int32)
    column -= j
    row -= i
    corner, flat = i * side + j, grid.ravel()
    top = flat[corner] + column * (flat[corner + 1] - flat[corner])
    bottom = flat[corner + side] + column * (flat[corner + side + 1] - flat[corner + side])
    return top + row * (bottom - top)


def look_up_mirrored(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values (3, h, w) of a (3, H, W) picture at positions in pixels, mirrored outside."""
    height, width = picture.shape[1:]
    column, row = _mirror(x - 0.5, width), _mirror(y - 0.5, height)
    j, i = column.astype(np.int32), row.astype(np.int32)
    column -= j
    row -= i
    corner, flat = i * width + j, picture.reshape(3, -1)
    top = flat[:, corner] + column * (flat[:, corner + 1] - flat[:, corner])
    corner += width
    bottom = flat[:, corner] + column * (flat[:, corner + 1] - flat[:, corner])
    return top + row * (bottom - top)


def _mirror(position: np.ndarray, count: int) -> np.ndarray:
    """Fold any position into [0, count - 1)."""
    last = count - 1
    folded = np.abs(position - np.floor(position / (2 * last) + 0.5) * (2 * last))
    return np.clip(folded, 0, last - 0.001)
