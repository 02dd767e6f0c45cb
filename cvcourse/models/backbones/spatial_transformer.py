"""Spatial transformer: a network looks where it chooses (Jaderberg et al. 2015, arXiv:1506.02025).

    image ─┬─ localisation net ─ theta (2×3) ─ affine grid ─┐
           └────────────────────────────────────── bilinear sampling ─ crop ─ classifier ─ logits

The sampling is differentiable in the image and in theta, so the classifier's loss alone teaches the
localisation net where to look. `SpatialTransformerNetwork()` is the net of PyTorch's tutorial for
28×28 digits, 27,360 parameters (localisation 5,520, classifier 21,840); the paper's own are larger.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.ops._checks import as_float


def affine_grid(
    theta: Float[Tensor, "batch 2 3"], height: int, width: int
) -> Float[Tensor, "batch {height} {width} 2"]:
    """Where each output pixel looks: `theta @ (x, y, 1)`, coordinates (x, y) from -1 to 1.

    **Conventions**: -1 and 1 are the outer edges of the border pixels. Equals
    `F.affine_grid(theta, (batch, 1, height, width), align_corners=False)`, in float32 at least.
    """
    (theta,) = as_float(theta)
    y = (2 * torch.arange(height, device=theta.device, dtype=theta.dtype) + 1) / height - 1
    x = (2 * torch.arange(width, device=theta.device, dtype=theta.dtype) + 1) / width - 1
    columns = x[:, None] * theta[:, None, :, 0]  # (B, width, 2)
    rows = y[:, None] * theta[:, None, :, 1] + theta[:, None, :, 2]  # (B, height, 2)
    return rows[:, :, None] + columns[:, None]  # (B, height, width, 2)


def bilinear_sample(
    image: Float[Tensor, "batch channels in_height in_width"],
    grid: Float[Tensor, "batch height width 2"],
) -> Float[Tensor, "batch channels height width"]:
    """Each output pixel is the weighted mean of the four pixels around its grid point.

    **Conventions**: grid as from `affine_grid`; pixels outside the image count as 0. Equals
    `F.grid_sample(image, grid, align_corners=False)`, gradients included. Half precision is
    computed in float32 and returned as it came.
    """
    dtype = image.dtype
    image, grid = as_float(image, grid)
    in_height, in_width = image.shape[-2:]
    x = ((grid[..., 0] + 1) * in_width - 1) / 2  # (B, H, W), in pixels
    y = ((grid[..., 1] + 1) * in_height - 1) / 2
    left, top = x.detach().floor(), y.detach().floor()
    pixels = image.flatten(2)  # (B, C, in_height * in_width)
    total = 0
    for column, weight_x in ((left, left + 1 - x), (left + 1, x - left)):
        for row, weight_y in ((top, top + 1 - y), (top + 1, y - top)):
            inside = (column >= 0) & (column < in_width) & (row >= 0) & (row < in_height)
            index = row.long() * in_width + column.long()  # float32 counts to 2**24 only
            index = index.where(inside, 0).flatten(1)  # (B, H * W)
            corner = pixels.gather(2, index[:, None].expand(-1, pixels.shape[1], -1))
            weight = (weight_x * weight_y).where(inside, 0)  # (B, H, W)
            total = total + corner.unflatten(2, weight.shape[1:]) * weight[:, None]
    return total.to(dtype)


class Localisation(nn.Module):
    """Two convolutions and two linear layers to `theta`; at first, theta is the identity."""

    def __init__(self, in_channels: int, image_size: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 8, 7),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(8, 10, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
        )
        side = ((image_size - 6) // 2 - 4) // 2
        self.regression = nn.Sequential(
            nn.Flatten(), nn.Linear(10 * side**2, 32), nn.ReLU(), nn.Linear(32, 6)
        )
        nn.init.zeros_(self.regression[-1].weight)
        self.regression[-1].bias.data = torch.eye(2, 3).flatten()

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch 2 3"]:
        features = self.features(images)
        with torch.autocast(images.device.type, enabled=False):  # theta is geometry
            theta = self.regression(features.to(self.regression[-1].weight.dtype))
        return theta.unflatten(1, (2, 3))


class DigitClassifier(nn.Sequential):
    """Two convolutions with dropout and two linear layers: the network without a transformer."""

    def __init__(
        self, num_classes: int = 10, *, in_channels: int = 1, image_size: int = 28
    ) -> None:
        side = ((image_size - 4) // 2 - 4) // 2
        super().__init__(
            nn.Conv2d(in_channels, 10, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(10, 20, 5),
            nn.Dropout2d(),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(20 * side**2, 50),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(50, num_classes),
        )


class SpatialTransformerNetwork(nn.Module):
    """Images (batch, in_channels, image_size, image_size) to logits (batch, num_classes).

    Args:
        num_classes: classes told apart.
        in_channels, image_size: of the pictures; `image_size` at least 18.
        crop_size: side of the crop that the classifier sees, `image_size` if None; at least 16.
            Larger pictures with small objects want small crops.

    Reference: Jaderberg et al., Spatial Transformer Networks, 2015, arXiv:1506.02025.
    """

    def __init__(
        self,
        num_classes: int = 10,
        *,
        in_channels: int = 1,
        image_size: int = 28,
        crop_size: int | None = None,
    ) -> None:
        super().__init__()
        check_at_least("num_classes", num_classes)
        self.image_shape = (in_channels, image_size, image_size)
        self.crop_size = image_size if crop_size is None else crop_size
        if image_size < 18 or self.crop_size < 16:
            raise ValueError(
                "image_size, crop_size: the convolutions need at least 18 and 16 pixels, "
                f"got {image_size} and {self.crop_size}"
            )
        self.localisation = Localisation(in_channels, image_size)
        self.classifier = DigitClassifier(
            num_classes, in_channels=in_channels, image_size=self.crop_size
        )

    def transform(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> tuple[Float[Tensor, "batch channels crop crop"], Float[Tensor, "batch 2 3"]]:
        """What the classifier sees, and the `theta` it was cut out with."""
        if images.shape[1:] != self.image_shape:
            raise ValueError(
                f"images: expected each of {self.image_shape}, as in_channels and image_size say, "
                f"got {tuple(images.shape[1:])}"
            )
        theta = self.localisation(images)
        return bilinear_sample(images, affine_grid(theta, self.crop_size, self.crop_size)), theta

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        crops, _ = self.transform(images)
        return self.classifier(crops)
