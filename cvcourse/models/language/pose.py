"""Pose: a trunk, three transposed convolutions, a heat map for each joint (Xiao 2018, 1804.06208).

    image ─ trunk, stride 32 ─ 3 × (transposed conv 4×4 /2 ─ norm ─ ReLU) ─ conv 1×1 ─ heat maps

A target is a Gaussian around the joint. A joint is read off where its map is largest, moved a
quarter of a pixel towards the larger neighbour. This is the authors' SimpleBaseline
(github.com/microsoft/human-pose-estimation.pytorch), whose names are `PUBLISHED_NAMES`.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cvcourse.losses._checks import check_same_shape
from cvcourse.losses._reduce import reduce_loss
from cvcourse.models._blocks import check_at_least, norm_relu
from cvcourse.models.backbones.resnet import ResNetFeatures
from cvcourse.ops._checks import as_float, check_floating, check_ndim, check_positive, check_rgb


class PoseNet(nn.Module):
    """Images (batch, 3, height, width) to heat maps (batch, joints, height / 4, width / 4).

    Args:
        joints: how many; 16 in MPII, 17 in COCO.
        trunk: images to a list of maps, whose last is taken; by default ResNet-50.
        channels: of each transposed convolution.

    Reference: Xiao et al., Simple Baselines for Human Pose Estimation and Tracking, 2018.
    """

    def __init__(
        self,
        joints: int = 17,
        *,
        trunk: nn.Module | None = None,
        channels: Sequence[int] = (256, 256, 256),
    ) -> None:
        check_at_least("joints", joints)
        super().__init__()
        self.trunk = ResNetFeatures() if trunk is None else trunk
        width, layers = self.trunk.out_channels[-1], []
        for out in channels:
            layers += norm_relu(nn.ConvTranspose2d(width, out, 4, 2, padding=1, bias=False))
            width = out
        self.up = nn.Sequential(*layers)
        self.heatmaps = nn.Conv2d(width, joints, 1)
        for layer in (*self.up, self.heatmaps):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, std=0.001)

    def forward(
        self, x: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch joints map_height map_width"]:
        check_rgb("x", x)
        return self.heatmaps(self.up(self.trunk(x)[-1]))


def joint_heatmaps(
    joints: Float[Tensor, "batch joints 2"],
    visible: Bool[Tensor, "batch joints"],
    size: tuple[int, int],
    *,
    stride: float = 4,
    sigma: float = 2.0,
) -> tuple[Float[Tensor, "batch joints height width"], Float[Tensor, "batch joints"]]:
    """Targets (batch, joints, *size), Gaussians of peak 1; and a weight for each joint.

    Args:
        joints: (x, y) in pixels of the image.
        visible: which of them are labelled; the others weigh 0 and have empty maps.
        size: height and width of the maps.
        stride: pixels of the image in one of the maps.
        sigma: in pixels of the maps; further than 3 sigma the Gaussian is cut.

    **Conventions**: the centre goes to the nearest pixel of the map (half up), as in the authors'
    code. A joint whose Gaussian is wholly outside the map weighs 0. At least float32.
    """
    check_ndim("joints", joints, "(batch, joints, 2)")
    check_positive("stride", stride), check_positive("sigma", sigma)
    (joints,) = as_float(joints)
    centre = (joints / stride + 0.5).to(torch.int64)  # cut towards zero, as int() does
    reach = 3 * sigma
    x, y = centre.unbind(2)
    height, width = size
    low, high = (centre - reach).to(torch.int64), (centre + reach + 1).to(torch.int64)
    inside = (low[..., 0] < width) & (low[..., 1] < height) & (high >= 0).all(2)
    columns = torch.arange(width, device=joints.device)
    rows = torch.arange(height, device=joints.device)
    dx = columns - x[..., None]  # (B, J, W)
    dy = rows - y[..., None]
    gaussian = torch.exp(
        -(dx.square()[:, :, None] + dy.square()[..., None]).to(joints.dtype) / (2 * sigma**2)
    )
    near = (dx.abs() <= reach)[:, :, None] & (dy.abs() <= reach)[..., None]
    weight = (visible & inside).to(joints.dtype)
    return gaussian * near * weight[..., None, None], weight


def read_joints(
    heatmaps: Float[Tensor, "batch joints height width"], *, quarter: bool = True
) -> tuple[Float[Tensor, "batch joints 2"], Float[Tensor, "batch joints"]]:
    """Where each map is largest, (x, y) in its pixels, and how large.

    quarter: move by a quarter of a pixel in x and in y towards the larger of both neighbours, where
        the maximum is two pixels or more from the border's far side, as in the authors' code
        (1 < x < width - 1).

    A map that is nowhere above 0 gives (0, 0). At least float32.
    """
    check_floating("heatmaps", heatmaps)
    check_ndim("heatmaps", heatmaps, "(batch, joints, height, width)")
    (maps,) = as_float(heatmaps)
    height, width = maps.shape[2:]
    value, where = maps.flatten(2).max(2)
    x, y = where % width, where // width
    places = torch.stack([x, y], 2).to(maps.dtype) * (value > 0)[..., None]
    if quarter:
        x, y = places.long().unbind(2)
        movable = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
        flat = maps.flatten(2)

        def at(columns: Tensor, rows: Tensor) -> Tensor:
            columns, rows = columns.clamp(0, width - 1), rows.clamp(0, height - 1)
            return flat.gather(2, (rows * width + columns)[..., None])[..., 0]

        slope = torch.stack([at(x + 1, y) - at(x - 1, y), at(x, y + 1) - at(x, y - 1)], 2)
        places = places + 0.25 * slope.sign() * movable[..., None]
    return places, value


def joint_loss(
    heatmaps: Float[Tensor, "batch joints height width"],
    target: Float[Tensor, "batch joints height width"],
    weight: Float[Tensor, "batch joints"] | None = None,
) -> Float[Tensor, ""]:
    """Half the squared error, mean over all pixels, joints and pictures, weighted joints or not.

    A joint of weight 0 counts as one without error. Of nothing 0; at least float32.

    Raises ValueError for a target of another shape, or weights that are not (batch, joints).
    """
    check_ndim("heatmaps", heatmaps, "(batch, joints, height, width)")
    check_same_shape("target", target, "heatmaps", heatmaps)
    heatmaps, target = as_float(heatmaps, target)
    difference = heatmaps - target
    if weight is not None:
        check_same_shape("weight", weight, "heatmaps[:, :, 0, 0]", heatmaps[:, :, 0, 0])
        difference = difference * weight[..., None, None]
    return 0.5 * reduce_loss(difference.square(), "mean")


PUBLISHED_NAMES = {
    **{name: f"trunk.{name}" for name in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")},
    "deconv_layers": "up",
    "final_layer": "heatmaps",
}
