"""Reading pictures between their pixels."""

import numpy as np


def look_up(grid: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values of a square grid that spans [-1, 1]^2; beyond its border, the border's."""
    side = grid.shape[0]
    column = np.clip((x + 1) * (side / 2) - 0.5, 0, side - 1.001)
    row = np.clip((y + 1) * (side / 2) - 0.5, 0, side - 1.001)
    i, row = _split(row)
    j, column = _split(column)
    return _between(grid, (i * side + j).astype(np.intp), row, column)


def look_up_mirrored(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values (3, h, w) of a (3, H, W) picture at positions in pixels, mirrored outside."""
    height, width = picture.shape[1:]
    i, row = _split(_mirror(y - 0.5, height))
    j, column = _split(_mirror(x - 0.5, width))
    corner = (i * width + j).astype(np.intp)
    return np.stack([_between(plane, corner, row, column) for plane in picture])


def _split(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The whole pixels before positions of 0 or more, and what is left of a pixel."""
    whole = np.floor(position)
    return whole.astype(np.int32), position - whole


def _between(plane: np.ndarray, corner: np.ndarray, row, column) -> np.ndarray:
    """Values of a plane (H, W) at `row` and `column` parts of a pixel behind these pixels of it."""
    width, flat = plane.shape[1], plane.reshape(-1)
    here, right, below, opposite = (flat[n:].take(corner) for n in (0, 1, width, width + 1))
    top = _mix(here, right, column)
    return _mix(top, _mix(below, opposite, column), row)


def _mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """first + share * (second - first), in the place of `second`."""
    second -= first
    second *= share
    second += first
    return second


def _mirror(position: np.ndarray, count: int) -> np.ndarray:
    """Fold any position into [0, count - 1)."""
    period = 2 * (count - 1)
    turns = position / period
    turns += 0.5
    np.floor(turns, out=turns)
    turns *= period
    folded = np.subtract(position, turns, out=turns)
    np.abs(folded, out=folded)
    return np.clip(folded, 0, count - 1 - 0.001, out=folded)
