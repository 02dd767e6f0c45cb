"""U-Net: down to see what, up to see where, with bridges at every level (Ronneberger 2015).

    image 572² ─ 2 × (3×3, ReLU) ─────────────── crop ─┬─ 2 × (3×3, ReLU) ─ 1×1 ─ logits 388²
                   │ max-pool 2×2                       │ up-convolution 2×2, half the channels
                 2 × (3×3, ReLU) ─────────────── crop ─┬─ 2 × (3×3, ReLU)
                   ┊  … five levels, 64 to 1024 channels, joined by concatenation …  ┊

No convolution pads: each output pixel saw only real pixels, so a large picture can be predicted in
tiles that fit together without seams (`cvcourse.models.segmentation.overlap_tile`). The price is a
border of `margin` pixels (92) that comes from mirroring. Reference: arXiv:1505.04597.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.ops._checks import check_tensor, signed


def double_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two unpadded 3×3 convolutions with ReLU: four pixels less each way."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_channels, out_channels, 3),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """Images (batch, in_channels, height, width) to logits, `2 * margin` pixels smaller each way.

    31,030,658 parameters by default. `stride` is 2 to the number of poolings (16), `margin` is
    `6 * stride - 4` (92). Height and width must be `stride * k - 4` and more than `2 * margin`, so
    that every pooling meets an even size: 188, 204, …, 572, …; `input_size` finds the least one.

    Args:
        num_classes: classes told apart.
        in_channels: of the images.
        widths: channels at each level, finest first.
        dropout: probability of dropping a value at the end of the way down (after the last two
            levels) while training.

    Reference: Ronneberger, Fischer & Brox, U-Net, 2015, arXiv:1505.04597.
    """

    def __init__(
        self,
        num_classes: int = 2,
        *,
        in_channels: int = 1,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
        dropout: float = 0.5,
    ) -> None:
        check_at_least("num_classes", num_classes)
        super().__init__()
        if len(widths) < 2:
            raise ValueError(f"widths: expected two levels or more, got {widths}")
        self.stride = 2 ** (len(widths) - 1)
        self.margin = 6 * self.stride - 4
        channels = [in_channels, *widths]
        self.down = nn.ModuleList(
            double_conv(before, after) for before, after in pairwise(channels)
        )
        self.pool, self.dropout = nn.MaxPool2d(2), nn.Dropout(dropout)
        self.up_conv = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, 2) for fine, coarse in pairwise(widths)
        )
        self.up = nn.ModuleList(double_conv(2 * fine, fine) for fine in widths[:-1])
        self.head = nn.Conv2d(widths[0], num_classes, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def input_size(self, output_size: int) -> int:
        """The least height or width that may go in for at least `output_size` to come out."""
        least = max(output_size, 1) + 2 * self.margin + 4
        return -(-least // self.stride) * self.stride - 4

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes smaller_height smaller_width"]:
        for size in images.shape[-2:]:
            if size <= 2 * self.margin or (size + 4) % self.stride:
                raise ValueError(
                    f"images: expected height and width {self.stride} * k - 4, more than "
                    f"{2 * self.margin} (see `input_size`), got {tuple(images.shape[-2:])}"
                )
        skips, x = [], images
        for level, convolutions in enumerate(self.down):
            x = convolutions(x if level == 0 else self.pool(x))  # (B, widths[level], h, w)
            if level >= len(self.down) - 2:
                x = self.dropout(x)
            skips.append(x)
        for up_conv, convolutions, skip in zip(
            reversed(self.up_conv), reversed(self.up), reversed(skips[:-1]), strict=True
        ):
            x = up_conv(x)  # (B, width, 2h, 2w)
            x = convolutions(torch.cat([_crop_centre(skip, x.shape[-2:]), x], dim=1))
        return self.head(x)


def _crop_centre(x: Tensor, size: torch.Size) -> Tensor:
    top, left = (x.shape[-2] - size[0]) // 2, (x.shape[-1] - size[1]) // 2
    return x[..., top : top + size[0], left : left + size[1]]


def separation_weights(
    instances: Integer[Tensor, "height width"],
    *,
    w0: float = 10.0,
    sigma: float = 5.0,
    class_weights: tuple[float, float] | None = None,
) -> Float[Tensor, "height width"]:
    """How much each pixel counts in the loss, so that touching cells are learnt apart (eq. 2).

    `w(x) = w_c(x) + w0 exp(-(d1(x) + d2(x))² / (2 sigma²))`, with the distances to the nearest and
    to the second nearest cell. Multiply `cross_entropy(..., reduction="none")` by it.

    Args:
        instances: 0 for background, another number for each cell.
        w0, sigma: height of the ridge between two cells, and its width in pixels.
        class_weights: `w_c` of background and of cells. None balances them: each of the two gets
            half of the weight, so that `w_c` is 1 on average.

    **Conventions**: distance is from pixel centre to the nearest pixel centre of the cell (SciPy's
    `distance_transform_edt`). The ridge is on background alone, whose pixels are what separates:
    cells that touch need background between them. It is left out more than `8 sigma` from a cell,
    where it is below `w0 * 1e-13`.
    """
    check_tensor("instances", instances)
    if instances.ndim != 2:
        raise ValueError(f"instances: expected (height, width), got {tuple(instances.shape)}")
    if sigma <= 0:
        raise ValueError(f"sigma: expected a positive width in pixels, got {sigma}")
    instances = signed(instances)
    cell = instances > 0
    if class_weights is None:
        share = cell.float().mean()
        balance = torch.stack([1 - share, share]).mul(2).clamp(min=1 / cell.numel()).reciprocal()
    else:
        balance = torch.tensor(class_weights, device=cell.device)
    weights = balance[cell.long()]
    nearest = torch.full(cell.shape, torch.inf, device=cell.device)
    second = nearest.clone()
    for number in instances[cell].unique():
        window, distance = _distance_to(instances == number, reach=8 * sigma)
        second[window] = torch.minimum(second[window], torch.maximum(nearest[window], distance))
        nearest[window] = torch.minimum(nearest[window], distance)
    ridge = w0 * torch.exp(-((nearest + second) ** 2) / (2 * sigma**2))
    return weights + ridge.where(~cell, 0)


def _distance_to(
    mask: Bool[Tensor, "height width"], reach: float
) -> tuple[tuple[slice, slice], Float[Tensor, "rows columns"]]:
    """A window that holds all pixels within `reach` of the mask, and their distances to it.

    Squares of distances are sums, so the nearest pixel is sought within each column of the mask
    first, and among the columns then: 3 times as fast as over all its pixels at once.
    """
    window, squares, inner = [], [], []
    for axis, size in enumerate(mask.shape):
        first, last = (int(end) for end in mask.any(1 - axis).nonzero().aminmax())
        start, stop = max(int(first - reach), 0), min(int(last + reach) + 1, size)
        here = torch.arange(start, stop, device=mask.device, dtype=torch.float32)
        there = torch.arange(first, last + 1, device=mask.device)
        window.append(slice(start, stop))
        inner.append(slice(first, last + 1))
        squares.append((here[:, None] - there) ** 2)  # (rows, mask's rows), (columns, its columns)
    vertical, horizontal = squares
    outside = ~mask[tuple(inner)]
    within_column = vertical[:, :, None].masked_fill(outside, torch.inf).amin(1)
    return tuple(window), (within_column[:, None] + horizontal).amin(2).sqrt()
