"""SRCNN: three convolutions sharpen a bicubic enlargement (Dong et al. 2014, arXiv:1501.00092).

    low resolution ─ bicubic to the wanted size ─ its Y channel
        ─ 9×9 → 64, ReLU      patch extraction
        ─ f×f → 32, ReLU      non-linear mapping, f = 1, 3 or 5
        ─ 5×5 → 1             reconstruction

The paper trains without padding, against the centre of the truth; its test code pads each layer by
repeating border pixels.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels
from cvcourse.ops._checks import check_choice

# of SRCNN-pytorch, a well-known re-implementation; the authors publish MATLAB and Caffe files
PUBLISHED_NAMES = {"conv1": "extraction", "conv2": "mapping", "conv3": "reconstruction"}
PADDINGS = ("none", "zeros", "replicate")


class SRCNN(nn.Module):
    """Enlarged pictures (batch, channels, height, width) to sharper ones.

    Args:
        kernels: sides of the three kernels, odd; (9, 1, 5) has 8,032 weights and 65 + 32 biases,
            (9, 3, 5) 24,416 and (9, 5, 5) 57,184 weights.
        widths: filters of the first two layers.
        channels: 1, the luma of `rgb_to_ycbcr`, in the paper.
        padding: "none", the result is smaller by the sum of the kernels minus 3 pixels; "zeros"; or
            "replicate", as the authors' test code.

    Weights begin as N(0, 0.001), biases as 0, as in the paper, which trains for days from there;
    the minutes of a lesson begin with `pass_through_`.

    Raises ValueError for even kernels, an unknown padding, or pictures of other channels or smaller
    than the kernels.

    Reference: Dong et al., Image Super-Resolution Using Deep Convolutional Networks, 2014.
    """

    def __init__(
        self,
        *,
        kernels: Sequence[int] = (9, 1, 5),
        widths: Sequence[int] = (64, 32),
        channels: int = 1,
        padding: str = "none",
    ) -> None:
        check_at_least("channels", channels)
        check_choice("padding", padding, PADDINGS)
        if len(kernels) != 3 or any(k % 2 != 1 or k < 1 for k in kernels):
            raise ValueError(f"kernels: expected three odd numbers, got {kernels}")
        super().__init__()
        sizes = (channels, *widths, channels)
        layers = [
            nn.Conv2d(
                *sizes[i : i + 2],
                kernels[i],
                padding=0 if padding == "none" else kernels[i] // 2,
                padding_mode="zeros" if padding == "none" else padding,
            )
            for i in range(3)
        ]
        self.extraction, self.mapping, self.reconstruction = layers
        self.shrinks_by = sum(kernels) - 3 if padding == "none" else 0
        for layer in layers:
            nn.init.normal_(layer.weight, std=0.001)
            nn.init.zeros_(layer.bias)

    @torch.no_grad()
    def pass_through_(self) -> "SRCNN":
        """Change the weights so that pictures >= 0 come out as they go in; returns the network.

        Of the filters of each layer as many as there are channels carry the pixel; the others keep
        their values but are not yet looked at by the last layer.
        """
        channels = self.reconstruction.out_channels
        for layer in (self.extraction, self.mapping, self.reconstruction):
            middle = layer.kernel_size[0] // 2
            layer.weight[:channels] = 0
            layer.weight[range(channels), range(channels), middle, middle] = 1
            layer.bias.zero_()
        return self

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels out_height out_width"]:
        check_channels("x", x, self.extraction.in_channels)
        if min(x.shape[2:]) <= self.shrinks_by:
            raise ValueError(
                f"x: expected more than {self.shrinks_by} pixels a side for these kernels, "
                f"got {tuple(x.shape)}"
            )
        x = self.extraction(x).relu()  # (B, 64, H - 8, W - 8) without padding
        x = self.mapping(x).relu()
        return self.reconstruction(x)
