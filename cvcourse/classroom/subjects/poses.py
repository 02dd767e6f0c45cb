"""Pictures turned, resized and moved, each by amounts of its own."""

import torch
import torch.nn.functional as F
from torch import Tensor


def posed(
    images: Tensor,
    angle: Tensor,
    size: Tensor | None = None,
    shift: Tensor | None = None,
    *,
    outside: str = "zeros",
) -> Tensor:
    """Each picture (N, C, H, W) turned by its angle, shrunk by its size, and moved; bilinear.

    angle: (N,) radians, counter-clockwise where pictures are square. size: (N,) the picture becomes
        1 / size as large; None leaves it. shift: (N, 2) x and y by which what is looked up lies
        farther right and down, 2 being a whole side; None leaves it. outside: what comes in,
        "zeros" or the "border" pixels.
    """
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    if size is not None:
        turn = turn * size[:, None, None]
    shift = torch.zeros(len(angle), 2) if shift is None else shift
    theta = torch.cat([turn, shift[..., None]], 2).to(images.device)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode=outside, align_corners=False)
