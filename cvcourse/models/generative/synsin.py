"""SynSin: a new view of one picture, learnt without any depth (Wiles et al. 2020, 1912.08804).

    picture ─ encoder ─ 64 features a pixel ─┐
        └──── U-Net ─── depth ─ points ──────┴─ moved, splatted ─ refinement ─ new view

What is trained is the whole: the loss compares the new view with the true one, and depth is right
where it makes the points land there. Encoder and refinement are residual blocks whose batch norms
take gain and bias from noise; every weight is divided by its largest singular value.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from cvcourse.models._blocks import check_at_least, zeros_around
from cvcourse.models.generative.strided_unet import StridedUNet
from cvcourse.ops import move_points, splat_points
from cvcourse.ops.splat_points import ACCUMULATIONS

NOISE = 20


def _conv(*args: int, **options: int) -> nn.Conv2d:
    return spectral_norm(nn.Conv2d(*args, **options))


class NoisyBatchNorm(nn.Module):
    """Batch norm whose gain, 1 + A·noise, and bias, B·noise, are drawn anew for each picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = spectral_norm(nn.Linear(NOISE, channels, bias=False))
        self.bias = spectral_norm(nn.Linear(NOISE, channels, bias=False))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(
        self, x: Float[Tensor, "batch channels height width"], noise: Float[Tensor, "batch 20"]
    ) -> Float[Tensor, "batch channels height width"]:
        out = F.batch_norm(x, self.running_mean, self.running_var, training=self.training)
        return out * (1 + self.gain(noise))[..., None, None] + self.bias(noise)[..., None, None]


class _Block(nn.Module):
    """Twice norm, ReLU, 3×3, beside a 1×1 where sizes differ; `scale` ½ and 2 resize at the end."""

    def __init__(self, before: int, after: int, scale: float = 1) -> None:
        super().__init__()
        self.norm1, self.conv1 = NoisyBatchNorm(before), _conv(before, after, 3, padding=1)
        self.norm2, self.conv2 = NoisyBatchNorm(after), _conv(after, after, 3, padding=1)
        same = before == after and scale == 1
        self.shortcut = nn.Identity() if same else _conv(before, after, 1)
        self.scale = scale

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        out = self.conv1(self.norm1(x, noise[:, 0]).relu())
        out = self.conv2(self.norm2(out, noise[:, 1]).relu()) + self.shortcut(x)
        if self.scale < 1:
            return F.avg_pool2d(out, 3, 2, 1)
        return F.interpolate(out, scale_factor=2, mode="bilinear") if self.scale > 1 else out


class _Blocks(nn.ModuleList):
    def __init__(self, widths: Sequence[int], scales: Sequence[float]) -> None:
        blocks = zip(pairwise(widths), scales, strict=True)
        super().__init__(_Block(*pair, scale) for pair, scale in blocks)

    def forward(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """`noise` (batch, two for each block, 20), drawn where it is None."""
        if noise is None:
            like = {"dtype": self[0].norm1.running_mean.dtype, "device": x.device}
            noise = torch.randn(len(x), 2 * len(self), NOISE, **like)
        for block, own in zip(self, noise.split(2, 1), strict=True):
            x = block(x, own)
        return x


class SynSinOutput(NamedTuple):
    """The new view, what was splatted for it, and the depth of the picture that was given."""

    view: Float[Tensor, "batch 3 height width"]
    projected: Float[Tensor, "batch features height width"]
    depth: Float[Tensor, "batch height width"]


class SynSin(nn.Module):
    """Pictures (batch, 3, height, width) in [-1, 1] and a pose to `SynSinOutput`.

    Args:
        features: of a point.
        width: of the residual blocks; the refinement's widest have 4 times as many channels.
        depth_width, levels: of the U-Net: channels of its first level, and how often it halves.
        depth_range: least and largest depth, in the unit of the poses. The authors set (1, 100) for
            RealEstate10K.
        inverse_depth: depth is 1 / (10 σ + 0.01), as for landscapes, and `depth_range` is not used.
        radius, points_per_pixel, power, accumulation, least: of `splat_points`.

    13,804,267 parameters: encoder 431,064, depth 9,795,137, refinement 3,578,066. (The authors'
    module has 64 more, a feature for empty pixels that it never uses.) Where `noise` is not given,
    standard normal numbers are drawn in each call, in evaluation too, as the authors do. Depth,
    points and splatting are float32 at least, also under autocast. `pose` maps the given camera's
    coordinates to the new one's, `intrinsics` are in pixels: `move_points` says how. For the loss
    the authors take L1, ten times a perceptual loss (VGG-19), and a GAN's hinge.

    Raises ValueError for pictures of another shape, and for poses that do not go with them.
    """

    def __init__(
        self,
        *,
        features: int = 64,
        width: int = 64,
        depth_width: int = 32,
        levels: int = 8,
        depth_range: tuple[float, float] = (0.5, 10.0),
        inverse_depth: bool = False,
        radius: float = 4.0,
        points_per_pixel: int = 128,
        power: float = 1.0,
        accumulation: str = "alpha",
        least: float = 1e-3,
    ) -> None:
        check_at_least("features", features)
        check_at_least("width", width, 2)
        if not 0 < depth_range[0] < depth_range[1]:
            raise ValueError(f"depth_range: expected 0 < least < largest, got {depth_range}")
        if accumulation not in ACCUMULATIONS:
            raise ValueError(f"accumulation: expected one of {ACCUMULATIONS}, got {accumulation!r}")
        super().__init__()
        self.depth_range, self.inverse_depth = depth_range, inverse_depth
        self.splat = partial(
            splat_points,
            radius=radius,
            points_per_pixel=points_per_pixel,
            power=power,
            accumulation=accumulation,
            least=least,
        )
        w = width
        self.encoder = _Blocks((3, *3 * (w // 2,), *4 * (w,), features), 8 * (1,))
        self.depth = StridedUNet(3, 1, width=depth_width, levels=levels, conv=_conv)
        widths = (features, w, 2 * w, 4 * w, 4 * w, 2 * w, 2 * w, 2 * w, 3)
        self.refinement = _Blocks(widths, (1, 0.5, 0.5, 1, 2, 2, 1, 1))

    def forward(
        self,
        images: Float[Tensor, "batch 3 height width"],
        intrinsics: Float[Tensor, "batch 3 3"],
        pose: Float[Tensor, "batch 4 4"],
        noise: Float[Tensor, "batch 32 20"] | None = None,
    ) -> SynSinOutput:
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(
                f"images: expected (batch, 3, height, width), got {tuple(images.shape)}"
            )
        if noise is not None and noise.shape != (len(images), 32, NOISE):
            raise ValueError(
                f"noise: expected {(len(images), 32, NOISE)}, got {tuple(noise.shape)}"
            )
        depth = self.predict_depth(images)
        points = move_points(depth, intrinsics, pose)
        of_encoder, of_refinement = (None, None) if noise is None else noise.split(16, 1)
        features = self.encoder(images, of_encoder).flatten(2)
        projected = self.splat(points, features, tuple(images.shape[2:]))
        return SynSinOutput(self.refine(projected, of_refinement), projected, depth)

    def predict_depth(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch height width"]:
        """Within `depth_range`, float32 at least."""
        raw = self.depth(images)[:, 0]
        share = raw.to(torch.promote_types(raw.dtype, torch.float32)).sigmoid()
        if self.inverse_depth:
            return 1 / (10 * share + 0.01)
        least, largest = self.depth_range
        return share * (largest - least) + least

    def refine(
        self,
        projected: Float[Tensor, "batch features height width"],
        noise: Float[Tensor, "batch 16 20"] | None = None,
    ) -> Float[Tensor, "batch 3 height width"]:
        """Features as they were splatted, holes included, to a picture in [-1, 1]."""
        x, (rows, columns) = zeros_around(projected, 4)
        return self.refinement(x, noise)[..., rows, columns].tanh()


def _published_names() -> dict[str, str | None]:
    names: dict[str, str | None] = dict.fromkeys(
        ("min_z", "max_z", "discretized_zs", "pts_transformer", "loss_function"), None
    )

    def spectral(theirs: str, ours: str) -> None:
        names[f"{theirs}.weight_orig"] = f"{ours}.parametrizations.weight.original"
        for vector in "uv":
            names[f"{theirs}.weight_{vector}"] = f"{ours}.parametrizations.weight.0._{vector}"
        names[f"{theirs}.bias"] = f"{ours}.bias"

    for theirs, ours in (("encoder.gblocks", "encoder"), ("projector.eblocks", "refinement")):
        for i in range(8):
            block, own = f"{theirs}.{i}", f"{ours}.{i}"
            for place, number in ((0, 1), (3, 2)):
                norm, own_norm = f"{block}.ch_a.{place}", f"{own}.norm{number}"
                for part in ("gain", "bias"):
                    spectral(f"{norm}.{part}", f"{own_norm}.{part}")
                    del names[f"{norm}.{part}.bias"]
                names[f"{norm}.bn.stored_mean"] = f"{own_norm}.running_mean"
                names[f"{norm}.bn.stored_var"] = f"{own_norm}.running_var"
                names[f"{norm}.bn.accumulation_counter"] = None
                spectral(f"{block}.ch_a.{place + 2}", f"{own}.conv{number}")
            spectral(f"{block}.ch_b.0", f"{own}.shortcut")
    down = ["2_0", "4_0", *(f"8_{i}" for i in range(4))]
    up = [*(f"8_{i}" for i in range(4, 8)), "4_1", "2_1"]
    for theirs, ours in ((down, "down_norm"), (up, "up_norm")):
        for i, name in enumerate(theirs):
            names[f"pts_regressor.batch_norm{name}"] = f"depth.{ours}.{i}"
    names["pts_regressor.batch_norm"] = "depth.up_norm.6"
    for i in range(8):
        spectral(f"pts_regressor.conv{i + 1}", f"depth.down.{i}")
        spectral(f"pts_regressor.dconv{i + 1}", f"depth.up.{i}")
    return names


PUBLISHED_NAMES = _published_names()
