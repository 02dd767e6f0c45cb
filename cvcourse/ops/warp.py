"""Backward warping: look up every pixel where the flow points."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_choice, check_floating, check_ndim

PADDINGS = ("zeros", "border")


def warp(
    image: Float[Tensor, "batch channels height width"],
    flow: Float[Tensor, "batch 2 height width"],
    *,
    padding: str = "zeros",
) -> Float[Tensor, "batch channels height width"]:
    """out(x, y) = image(x + flow_x(x, y), y + flow_y(x, y)), bilinear between pixels.

    With the flow from frame 1 to frame 2, `warp(frame2, flow)` looks like frame 1.

    Args:
        image: what is looked up.
        flow: (x, y) in pixels, x to the right, y downwards.
        padding: outside the image there are "zeros", or the "border" pixels go on.

    **Conventions**: whole coordinates are pixel centres, 0 ... width - 1; zero flow is the
    identity. With zeros, a point less than a pixel outside still sees the border in part. Where the
    flow is nan, so is the result, and its gradient is 0. Half precision is computed in float32,
    where a position is off by up to 1e-7 of the image's size. Equals `F.grid_sample` of the same
    points (either `align_corners`, each with its own scaling); differentiable in both arguments.

    Raises ValueError for wrong shapes, or an unknown `padding`.

    Reference: Jaderberg et al., Spatial Transformer Networks, 2015, arXiv:1506.02025.
    """
    check_ndim("image", image, "(batch, channels, height, width)")
    check_floating("image", image)
    check_floating("flow", flow)
    check_choice("padding", padding, PADDINGS)
    if flow.shape != (image.shape[0], 2, *image.shape[2:]):
        raise ValueError(
            f"flow must have shape {(image.shape[0], 2, *image.shape[2:])}, got {tuple(flow.shape)}"
        )
    if image.numel() == 0:
        return image.clone()
    values, flow = as_float(image, flow)
    y, x = ((2 * _line(n, flow) + 1) / n - 1 for n in image.shape[2:])  # edges are at -1 and 1
    # Further out than 4 is the same, but might overflow.
    x = torch.add(x, flow[:, 0], alpha=2 / len(x)).clamp(-4, 4)
    y = torch.add(y[:, None], flow[:, 1], alpha=2 / len(y)).clamp(-4, 4)
    lost = (x + y).isnan()
    # With borders, the backward of `F.grid_sample` writes outside the image where it sees a nan.
    x, y = x.masked_fill_(lost, 0), y.masked_fill_(lost, 0)
    grid = torch.stack((x, y), dim=3)  # (B, H, W, 2)
    out = F.grid_sample(values, grid, padding_mode=padding, align_corners=False)
    return out.masked_fill_(lost[:, None], torch.nan).to(image.dtype)


def warp_is_inside(
    flow: Float[Tensor, "batch 2 height width"],
) -> Bool[Tensor, "batch height width"]:
    """Where `warp` finds all that it looks up inside the image; nan is not inside.

    Raises ValueError for a `flow` that is not (batch, 2, height, width).
    """
    check_ndim("flow", flow, "(batch, 2, height, width)")
    check_floating("flow", flow)
    if flow.shape[1] != 2:
        raise ValueError(f"flow must have two channels, x and y, got {flow.shape[1]}")
    x, y = looked_up(*as_float(flow))
    height, width = flow.shape[2:]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def looked_up(flow: Tensor) -> tuple[Tensor, Tensor]:
    """x and y of the point that each pixel of `warp` looks up, (B, H, W)."""
    y, x = (_line(n, flow) for n in flow.shape[2:])
    return flow[:, 0] + x, flow[:, 1] + y[:, None]


def _line(length: int, like: Tensor) -> Tensor:
    return torch.arange(length, device=like.device, dtype=like.dtype)
