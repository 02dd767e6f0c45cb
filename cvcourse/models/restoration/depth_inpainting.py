"""Depth behind an edge, for 3D photography (Shih et al. 2020, arXiv:2004.04727).

log depth less its mean over the context, edges, context, mask ─ partial-convolution U-Net ─ depth
"""

from collections.abc import Sequence

from cvcourse.models.restoration.partial_conv import WIDTHS, PartialConvUNet, published_names

PUBLISHED_NAMES = published_names([f"dec_{i}" for i in range(7, 0, -1)])


class DepthInpainting(PartialConvUNet):
    """(batch, 4, height, width): log depth, edges, context, mask; to log depth (batch, 1, H, W).

    Args:
        widths: channels of the levels.

    25,781,925 parameters. The mean of the log depth over the context is taken off before, and added
    again afterwards. The authors' fixed kernels of ones (`mask_conv`) are not parameters here.
    """

    def __init__(self, *, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__(4, 1, widths=widths, biased=2)
