"""The length of vectors in the plane."""

import torch
from torch import Tensor

from cvcourse.ops._checks import is_transformed


def length(u: Tensor, v: Tensor) -> Tensor:
    """sqrt(u² + v²), of slope 0 at 0; `linalg.vector_norm(dim=1)` is 50 times slower on a CPU."""
    square = (u * u).addcmul_(v, v)
    if square.requires_grad or is_transformed():
        # the slope of sqrt is infinite at 0: the floor makes it 0 there
        floor = torch.finfo(square.dtype).tiny
        return square.clamp_min(floor).sqrt().masked_fill(square == 0, 0)
    return square.sqrt_()
