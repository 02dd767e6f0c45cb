"""Colour behind an edge, for 3D photography (Shih et al. 2020, arXiv:2004.04727).

RGB, edges, context, mask ─ partial-convolution U-Net ─ sigmoid ─ RGB
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from cvcourse.models.restoration.partial_conv import WIDTHS, PartialConvUNet, published_names

PUBLISHED_NAMES = published_names(["dec_7", "dec_6", *(f"dec_{i}A" for i in range(5, 0, -1))])


class ColorInpainting(PartialConvUNet):
    """(batch, 6, height, width): RGB in [0, 1], edges, context, mask; to RGB (batch, 3, H, W).

    Args:
        widths: channels of the levels.

    25,789,285 parameters; the authors' fixed kernels of ones (`mask_conv`) are not among them.
    """

    def __init__(self, *, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__(6, 3, widths=widths)

    def forward(
        self, x: Float[Tensor, "batch 6 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        return super().forward(x).sigmoid()
