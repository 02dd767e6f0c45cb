"""Convolution over space and time, with a choice of what happens at the ends of time."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models.video.resnet3d import check_video
from cvcourse.ops._checks import check_choice

BORDERS = ("zeros", "replicate")


class VideoConv3d(nn.Conv3d):
    """Videos (batch, channels, time, height, width); as many frames come out, over the stride.

    Args:
        in_channels, out_channels, kernel_size, stride, dilation, groups, bias: as `nn.Conv3d`;
            kernel_size is (time, height, width) or one number.
        padding: of height and width, with zeros; half of the kernel if not given.
        causal: frame t comes from frames up to t (times the stride), none after.
        border: "zeros" before and after the video, or the first and last frame are repeated
            ("replicate"). Under zeros a still video does not stay still at its ends.

    Raises ValueError for an unknown border, or no frame.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int, int] = 3,
        stride: int | tuple[int, int, int] = 1,
        *,
        padding: tuple[int, int] | None = None,
        dilation: int | tuple[int, int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        causal: bool = False,
        border: str = "zeros",
    ) -> None:
        check_choice("border", border, BORDERS)
        options = {"dilation": dilation, "groups": groups, "bias": bias}
        super().__init__(in_channels, out_channels, kernel_size, stride, **options)
        reach = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        self.padding = (0, *(padding or (reach[1] // 2, reach[2] // 2)))
        before = reach[0] if causal else reach[0] // 2
        self.time_padding = (before, reach[0] - before)
        self.causal, self.border = causal, border

    def forward(
        self, x: Float[Tensor, "batch in_channels time height width"]
    ) -> Float[Tensor, "batch out_channels new_time new_height new_width"]:
        check_video(x, self.in_channels)
        mode = "constant" if self.border == "zeros" else self.border
        return super().forward(F.pad(x, (0, 0, 0, 0, *self.time_padding), mode=mode))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, causal={self.causal}, border={self.border}"
