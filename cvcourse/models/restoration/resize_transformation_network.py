"""Style transfer in one pass as pytorch/examples has it: no transposed convolution, no tanh.

    9×9 → 32 ─ 3×3 /2 → 64 ─ 3×3 /2 → 128           each with instance norm and ReLU
    ─ 5 residual blocks of two 3×3 → 128
    ─ nearest ×2, 3×3 → 64 ─ nearest ×2, 3×3 → 32   each with instance norm and ReLU
    ─ 9×9 → 3                                       every convolution reflects its border

It has as many parameters as the paper's network (`TransformationNetwork`), 1,679,235, but is
another one: enlarging before a convolution leaves no checkerboard (Odena et al. 2016).
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import InstanceNorm, check_at_least, check_channels

# of pytorch/examples, fast_neural_style
PUBLISHED_NAMES = {
    "conv1.conv2d": "down.0.1",
    "in1": "down.0.2",
    "conv2.conv2d": "down.1.1",
    "in2": "down.1.2",
    "conv3.conv2d": "down.2.1",
    "in3": "down.2.2",
    **{
        f"res{i + 1}.{theirs}": f"blocks.{i}.branch.{ours}"
        for i in range(5)
        for theirs, ours in (
            ("conv1.conv2d", "0.1"),
            ("in1", "0.2"),
            ("conv2.conv2d", "1.1"),
            ("in2", "1.2"),
        )
    },
    "deconv1.conv2d": "up.1.1",
    "in4": "up.1.2",
    "deconv2.conv2d": "up.3.1",
    "in5": "up.3.2",
    "deconv3.conv2d": "up.4.1",
}


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    pad = nn.ReflectionPad2d(kernel // 2)
    return [pad, nn.Conv2d(in_channels, out_channels, kernel, stride)]


def _normed(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    conv = _conv(in_channels, out_channels, kernel, stride)
    return [*conv, InstanceNorm(out_channels)]


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Sequential(*_normed(channels, channels, 3), nn.ReLU()),
            nn.Sequential(*_normed(channels, channels, 3)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class ResizeTransformationNetwork(nn.Module):
    """Pictures (batch, 3, height, width), 0 ... 255, to stylised ones of the same size.

    Args:
        widths: channels of the three scales.
        blocks: residual blocks.

    Raises ValueError for pictures that are not (batch, 3, height, width), or of less than 8 pixels
    a side, which cannot be reflected.

    Reference: Johnson et al. 2016, arXiv:1603.08155; Odena, Dumoulin, Olah, Deconvolution and
    Checkerboard Artifacts, Distill, 2016.
    """

    def __init__(self, *, widths: Sequence[int] = (32, 64, 128), blocks: int = 5) -> None:
        check_at_least("blocks", blocks, 0)
        if len(widths) != 3:
            raise ValueError(f"widths: expected three numbers of channels, got {widths}")
        super().__init__()
        full, half, quarter = widths
        self.down = nn.Sequential(
            nn.Sequential(*_normed(3, full, 9), nn.ReLU()),
            nn.Sequential(*_normed(full, half, 3, 2), nn.ReLU()),
            nn.Sequential(*_normed(half, quarter, 3, 2), nn.ReLU()),
        )
        self.blocks = nn.Sequential(*[_Block(quarter) for _ in range(blocks)])
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.Sequential(*_normed(quarter, half, 3), nn.ReLU()),
            nn.Upsample(scale_factor=2),
            nn.Sequential(*_normed(half, full, 3), nn.ReLU()),
            nn.Sequential(*_conv(full, 3, 9)),
        )

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 h w"]:
        check_channels("x", x, 3)
        height, width = x.shape[2:]
        if min(height, width) < 8:
            raise ValueError(f"x: expected 8 pixels a side or more, got {tuple(x.shape)}")
        x = self.blocks(self.down(x))  # (B, 128, ⌈H/4⌉, ⌈W/4⌉)
        return self.up(x)[..., :height, :width]
