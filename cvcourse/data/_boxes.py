"""Shared by the simulator and the readers."""

import numpy as np


def boxes_of(masks: np.ndarray) -> np.ndarray:
    """Tight boxes (N, 4) float32 of masks (N, H, W), on the edges of pixels; empty ones give 0."""
    columns, rows = masks.any(1), masks.any(2)  # (N, W), (N, H)
    boxes = np.empty((len(masks), 4), np.float32)
    for start, line in enumerate((columns, rows)):
        boxes[:, start] = line.argmax(1)
        boxes[:, start + 2] = line.shape[1] - line[:, ::-1].argmax(1)
    boxes *= columns.any(1)[:, None]
    return boxes
