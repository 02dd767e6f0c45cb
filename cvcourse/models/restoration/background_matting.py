"""Background matting: a photograph of the empty scene instead of a green screen
(Sengupta et al. 2020, arXiv:2004.00626).

    image, background, segmentation, neighbouring frames ─ an encoder each → 256 at ¼ size
    image with each of the others ─ 1×1 → 64    context switching: which prior to trust, and where
    ─ 1×1 → 256 ─ 7 residual blocks ┬ 3 blocks ─ ×2, 3×3 twice ─ 7×7 ─ tanh   alpha in [-1, 1]
                                    └ 3 blocks ─ ×2, 3×3, beside the image's ½-size features ─
                                                 ×2, 3×3 ─ 7×7                foreground
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, norm_relu
from cvcourse.ops._checks import check_choice

_ENCODER = {"1": "0.1", "2": "0.2", "4": "1.0", "5": "1.1", "7": "2.0", "8": "2.1"}
PUBLISHED_NAMES = {
    **{f"model_enc1.{k}": f"encoders.image.{_ENCODER[k]}" for k in "1245"},
    "model_enc2.0": "encoders.image.2.0",
    "model_enc2.1": "encoders.image.2.1",
    **{
        f"model_enc_{theirs}.{k}": f"encoders.{ours}.{v}"
        for theirs, ours in (
            ("back", "background"),
            ("seg", "segmentation"),
            ("multi", "motion"),
        )
        for k, v in _ENCODER.items()
    },
    "comb_back": "selectors.background",
    "comb_seg": "selectors.segmentation",
    "comb_multi": "selectors.motion",
    "model_res_dec.0": "combinator.0",
    "model_res_dec.1": "combinator.1",
    **{f"model_res_dec.{3 + i}.conv_block": f"shared.{i}.branch" for i in range(32)},
    **{f"model_res_dec_al.{i}.conv_block": f"alpha_blocks.{i}.branch" for i in range(32)},
    **{f"model_res_dec_fg.{i}.conv_block": f"foreground_blocks.{i}.branch" for i in range(32)},
    "model_al_out.1": "alpha_up.0.1",
    "model_al_out.2": "alpha_up.0.2",
    "model_al_out.5": "alpha_up.1.1",
    "model_al_out.6": "alpha_up.1.2",
    "model_al_out.9": "alpha_out.1",
    "model_dec_fg1": "foreground_up.0",
    "model_fg_out.1": "foreground_up.1.1",
    "model_fg_out.2": "foreground_up.1.2",
    "model_fg_out.5": "foreground_out.1",
}
PRIORS = ("background", "segmentation", "motion")


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def _encoder(channels: int, width: int) -> nn.Sequential:
    down = {"kernel_size": 3, "stride": 2, "padding": 1}
    return nn.Sequential(
        nn.Sequential(nn.ReflectionPad2d(3), *norm_relu(nn.Conv2d(channels, width, 7))),
        nn.Sequential(*norm_relu(nn.Conv2d(width, 2 * width, **down))),
        nn.Sequential(*norm_relu(nn.Conv2d(2 * width, 4 * width, **down))),
    )


def _up(in_channels: int, out_channels: int) -> nn.Sequential:
    enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    return nn.Sequential(enlarge, *norm_relu(nn.Conv2d(in_channels, out_channels, 3, padding=1)))


class BackgroundMatting(nn.Module):
    """Image, background (batch, 3, H, W), segmentation (batch, 1, H, W), motion (batch, 4, H, W),
    all in [-1, 1], to alpha (batch, 1, H, W) in [-1, 1] and foreground (batch, 3, H, W).

    Motion are grey frames before and after this one. Composite with (alpha + 1) / 2; where that is
    above 0.975 the authors take the image itself as foreground.

    Args:
        channels: of the four inputs.
        width: channels of the first layers; four times as many inside.
        selected: channels that each prior may add.
        blocks: residual blocks before alpha and foreground part.
        branch_blocks: residual blocks of each of them.
        third_prior: what the third selector sees beside the image. In the released code and
            weights it is the "background" again, and the motion encoder's 382,528 parameters do
            nothing; the paper means "motion".

    17,908,420 parameters. Sizes that are not multiples of 4 are enlarged by repeating the border.

    Raises ValueError for inputs of another shape, or smaller than 8 pixels a side.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int] = (3, 3, 1, 4),
        width: int = 64,
        selected: int = 64,
        blocks: int = 7,
        branch_blocks: int = 3,
        third_prior: str = "background",
    ) -> None:
        for name, value in (("width", width), ("selected", selected)):
            check_at_least(name, value)
        for name, value in (("blocks", blocks), ("branch_blocks", branch_blocks)):
            check_at_least(name, value, 0)
        check_choice("third_prior", third_prior, ("background", "motion"))
        if len(channels) != 4:
            raise ValueError(f"channels: expected those of four inputs, got {tuple(channels)}")
        super().__init__()
        self.channels, self.third_prior = tuple(channels), third_prior
        inside = 4 * width
        names = ("image", *PRIORS)
        self.encoders = nn.ModuleDict(
            {name: _encoder(c, width) for name, c in zip(names, channels, strict=True)}
        )
        self.selectors = nn.ModuleDict(
            {p: nn.Sequential(*_pointwise(2 * inside, selected)) for p in PRIORS}
        )
        self.combinator = nn.Sequential(*_pointwise(inside + 3 * selected, inside))
        self.shared = nn.Sequential(*[_Block(inside) for _ in range(blocks)])
        self.alpha_blocks = nn.Sequential(*[_Block(inside) for _ in range(branch_blocks)])
        self.foreground_blocks = nn.Sequential(*[_Block(inside) for _ in range(branch_blocks)])
        self.alpha_up = nn.Sequential(_up(inside, 2 * width), _up(2 * width, width))
        self.alpha_out = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(width, 1, 7), nn.Tanh())
        self.foreground_up = nn.ModuleList([_up(inside, 2 * width), _up(inside, width)])
        self.foreground_out = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(width, channels[0], 7))

    def forward(
        self,
        image: Float[Tensor, "batch 3 height width"],
        background: Float[Tensor, "batch 3 height width"],
        segmentation: Float[Tensor, "batch 1 height width"],
        motion: Float[Tensor, "batch frames height width"],
    ) -> tuple[Float[Tensor, "batch 1 height width"], Float[Tensor, "batch 3 height width"]]:
        inputs = {
            "image": image,
            "background": background,
            "segmentation": segmentation,
            "motion": motion,
        }
        self._check(inputs)
        height, width = image.shape[-2:]
        if self.third_prior == "background":
            del inputs["motion"]
        features = {}
        for name, x in inputs.items():
            x = F.pad(x, (0, -width % 4, 0, -height % 4), mode="replicate")
            half = self.encoders[name][:2](x)  # (B, 128, H/2, W/2)
            features[name] = self.encoders[name][2](half)  # (B, 256, H/4, W/4)
            if name == "image":
                half_of_image = half
        own = features["image"]
        seen = {**{p: p for p in PRIORS}, "motion": self.third_prior}
        priors = [self.selectors[p](torch.cat([own, features[seen[p]]], 1)) for p in PRIORS]
        x = self.shared(self.combinator(torch.cat([own, *priors], 1)))
        alpha = self.alpha_out(self.alpha_up(self.alpha_blocks(x)))
        half = self.foreground_up[0](self.foreground_blocks(x))
        foreground = self.foreground_up[1](torch.cat([half, half_of_image], 1))
        foreground = self.foreground_out(foreground)
        return alpha[..., :height, :width], foreground[..., :height, :width]

    def _check(self, inputs: dict[str, Tensor]) -> None:
        image = inputs["image"]
        if image.ndim != 4 or min(image.shape[2:]) < 8:
            raise ValueError(
                f"image: expected (batch, {self.channels[0]}, height, width), 8 pixels a side or "
                f"more, got {tuple(image.shape)}"
            )
        for (name, x), channels in zip(inputs.items(), self.channels, strict=True):
            expected = (len(image), channels, *image.shape[2:])
            if x.shape != expected:
                raise ValueError(f"{name}: expected {expected}, got {tuple(x.shape)}")


def _pointwise(in_channels: int, out_channels: int) -> list[nn.Module]:
    return norm_relu(nn.Conv2d(in_channels, out_channels, 1, bias=False))
