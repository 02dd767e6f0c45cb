"""Style transfer in one pass (Johnson, Alahi, Li 2016, arXiv:1603.08155): the paper's network.

    reflect 40 pixels ─ 9×9 → 32 ─ 3×3 /2 → 64 ─ 3×3 /2 → 128     each with norm and ReLU
    ─ 5 residual blocks of two 3×3 → 128 without padding, beside the cropped identity
    ─ 3×3 ×2 → 64 ─ 3×3 ×2 → 32 (transposed, norm and ReLU) ─ 9×9 → 3 ─ 150 tanh

The blocks eat just what was reflected at the start, so that no zeros are seen at their borders.
"""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, norm_relu


class _ShrinkingBlock(nn.Module):
    """Smaller by two pixels on each side."""

    def __init__(self, channels: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3),
            norm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3),
            norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x[..., 2:-2, 2:-2] + self.branch(x)


class TransformationNetwork(nn.Module):
    """Pictures (batch, 3, height, width) to stylised ones of the same size, within ±`scale`.

    In and out, pictures are 0 ... 255 minus the mean colour, as the loss network of the paper wants
    them; for others choose `scale`, such as 1 for [-1, 1].

    Args:
        widths: channels of the three scales.
        blocks: residual blocks; 8 pixels are reflected on each side for each of them.
        norm: from channels to a normalisation; `partial(nn.InstanceNorm2d, affine=True)` is the
            later choice of the authors, which trains faster.
        scale: of the hyperbolic tangent.

    1,679,235 parameters. The authors publish Torch7 files only. Export them by `torchfile` or Lua
    into a state_dict of these names first.

    Raises ValueError for pictures that are not (batch, 3, height, width), or not larger than what
    is reflected, 8 · blocks.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 5,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
        scale: float = 150.0,
    ) -> None:
        check_at_least("blocks", blocks, 0)
        if len(widths) != 3:
            raise ValueError(f"widths: expected three numbers of channels, got {widths}")
        super().__init__()
        full, half, quarter = widths
        self.border, self.scale = 8 * blocks, scale
        self.pad = nn.ReflectionPad2d(self.border)
        self.down = nn.Sequential(
            nn.Sequential(*norm_relu(nn.Conv2d(3, full, 9, padding=4), norm)),
            nn.Sequential(*norm_relu(nn.Conv2d(full, half, 3, stride=2, padding=1), norm)),
            nn.Sequential(*norm_relu(nn.Conv2d(half, quarter, 3, stride=2, padding=1), norm)),
        )
        self.blocks = nn.Sequential(*[_ShrinkingBlock(quarter, norm) for _ in range(blocks)])
        up = {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}
        self.up = nn.Sequential(
            nn.Sequential(*norm_relu(nn.ConvTranspose2d(quarter, half, **up), norm)),
            nn.Sequential(*norm_relu(nn.ConvTranspose2d(half, full, **up), norm)),
        )
        self.out = nn.Conv2d(full, 3, 9, padding=4)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 h w"]:
        check_channels("x", x, 3)
        height, width = x.shape[2:]
        if min(height, width) <= self.border:
            raise ValueError(
                f"x: expected more than {self.border} pixels a side, got {tuple(x.shape)}"
            )
        x = self.down(self.pad(x))  # (B, 128, ⌈H/4⌉ + 20, ⌈W/4⌉ + 20)
        x = self.up(self.blocks(x))  # (B, 32, 4⌈H/4⌉, 4⌈W/4⌉)
        return self.scale * self.out(x).tanh()[..., :height, :width]
