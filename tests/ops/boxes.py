"""Boxes for the tests: by hand, at random, and from hypothesis."""

import torch
from hypothesis import strategies as st

ODD_BOXES = {
    "unit": (0.0, 0.0, 1.0, 1.0),
    "same again": (0.0, 0.0, 1.0, 1.0),
    "touches": (1.0, 0.0, 2.0, 1.0),
    "corner": (1.0, 1.0, 2.0, 2.0),
    "inside": (0.25, 0.25, 0.75, 0.75),
    "line": (0.5, 0.0, 0.5, 1.0),
    "point": (0.5, 0.5, 0.5, 0.5),
    "malformed": (1.0, 0.0, 0.0, 1.0),
    "doubly malformed": (1.0, 1.0, 0.0, 0.0),
    "negative": (-3.0, -3.0, -1.0, -1.0),
}


def odd_boxes(dtype=torch.float32):
    return torch.tensor(list(ODD_BOXES.values()), dtype=dtype)


def random_boxes(n, size=20.0, dtype=torch.float64):
    corner = torch.rand(n, 2, dtype=dtype) * size
    return torch.cat((corner, corner + 0.5 + torch.rand(n, 2, dtype=dtype) * size / 2), dim=1)


@st.composite
def box_lists(draw, min_size=0, max_size=12):
    """Proper boxes with sides of 1 to 8 on a grid of halves: overlaps, ties and touching abound."""
    n = draw(st.integers(min_size, max_size))
    number = st.integers(-16, 16)
    corner = torch.tensor([[draw(number), draw(number)] for _ in range(n)]).reshape(n, 2)
    side = st.integers(2, 16)
    sides = torch.tensor([[draw(side), draw(side)] for _ in range(n)]).reshape(n, 2)
    return torch.cat((corner, corner + sides), dim=1).double() / 2


def naive_iou(a, b):
    """One pair, in Python numbers."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = width * height
    covered = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / covered if covered > 0 else 0.0
