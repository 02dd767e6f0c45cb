"""Which pixels of labels lie near an outline, and which in a thin part."""

import torch.nn.functional as F
from jaxtyping import Bool, Int64
from torch import Tensor


def near_outlines(
    labels: Int64[Tensor, "images height width"], *, reach: int = 4
) -> Bool[Tensor, "images height width"]:
    """Pixels whose square of `reach` pixels to each side holds another label, too."""
    number = F.pad(labels[:, None].float(), [reach] * 4, mode="replicate")
    largest = F.max_pool2d(number, 2 * reach + 1, 1)
    smallest = -F.max_pool2d(-number, 2 * reach + 1, 1)
    return (largest != smallest)[:, 0]


def thin_parts(
    masks: Bool[Tensor, "images height width"], *, reach: int = 2
) -> Bool[Tensor, "images height width"]:
    """What is gone when masks are eroded and grown again by `reach` pixels to each side.

    Beyond the picture a mask goes on as far as erosion asks, so its border thins nothing.
    """
    side = 2 * reach + 1
    eroded = -F.max_pool2d(-masks[:, None].float(), side, 1, padding=reach)
    return masks & (F.max_pool2d(eroded, side, 1, padding=reach)[:, 0] == 0)
