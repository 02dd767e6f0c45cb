"""PointRend: segment coarsely, then recompute where it is unsure (Kirillov 2019, arXiv:1912.08193).

    FPN ─┬─ coarse head ─ logits, stride 4 or 7×7 ─┬─ ×2 ─ the N least sure pixels ─┬─ ×2 ─ …
         │                                         │     coarse logits ─┐           │ replaced
         └─ fine features at a pixel's exact place ┴──────────────────── point head ┘

The point head is a small multilayer perceptron, the same at every pixel. While training it sees a
few points of each picture: of k N random ones the β N least sure, and (1 - β) N anywhere. At test
time the prediction doubles in size step by step, and only N pixels a step are computed.

Here: the parts, and semantic segmentation with Semantic FPN as coarse head. Instances are in
`cvcourse.models.instances.pointrend_rcnn`. Points are (x, y) from 0 to 1 between the outer edges of
a picture or a box.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor, nn

from cvcourse.models._blocks import (
    check_at_least,
    check_norm,
    conv_norm_act,
    level_channels,
    levels_of,
)
from cvcourse.models.backbones.fpn import ResNetFPN
from cvcourse.models.segmentation._loss import pixel_cross_entropy
from cvcourse.ops._checks import as_float, check_tensor

CoarseNorm = partial(nn.GroupNorm, 32)


def point_sample(
    maps: Float[Tensor, "batch channels height width"], points: Float[Tensor, "batch points 2"]
) -> Float[Tensor, "batch channels points"]:
    """Bilinear values of `maps` at `points`; 0 outside.

    **Conventions**: 0 and 1 are the outer edges of the border pixels, so a pixel's centre is at
    (column + 0.5) / width (`align_corners=False`). Half precision is computed in float32 and
    returned as the maps came.
    """
    values, grid = as_float(maps, 2 * as_float(points)[0][:, :, None] - 1)
    return F.grid_sample(values, grid, align_corners=False)[..., 0].to(maps.dtype)


def pixel_centres(
    index: Int64[Tensor, "*batch"], height: int, width: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "*batch 2"]:
    """Points in the middle of pixels, which are counted row by row; in float32 at least."""
    dtype = torch.promote_types(dtype, torch.float32)
    column, row = (index % width).to(dtype), (index // width).to(dtype)
    return torch.stack([(column + 0.5) / width, (row + 0.5) / height], dim=-1)


def semantic_uncertainty(
    logits: Float[Tensor, "batch classes *places"],
) -> Float[Tensor, "batch *places"]:
    """Second best logit less the best: 0 is least sure."""
    first, second = logits.topk(2, dim=1).values.unbind(1)
    return second - first


def training_points(
    logits: Float[Tensor, "batch classes height width"],
    uncertainty: Callable[[Tensor], Tensor],
    num_points: int,
    *,
    oversample: float = 3.0,
    importance: float = 0.75,
) -> Float[Tensor, "batch {num_points} 2"]:
    """Random points, mostly unsure ones.

    Args:
        logits: coarse prediction.
        uncertainty: from logits (batch, classes, points) to (batch, points), high where unsure. It
            is asked at the points, since a point between two sure pixels may be unsure.
        num_points: N, points for each picture.
        oversample: k; the unsure points are chosen among k N.
        importance: β, the share of unsure points; the others are uniform.

    **Conventions**: points are float32 at least, whatever the precision of the logits.
    """
    if oversample < 1 or not 0 <= importance <= 1:
        raise ValueError(
            "oversample, importance: expected 1 or more and 0 to 1, "
            f"got {oversample} and {importance}"
        )
    like = {"device": logits.device, "dtype": torch.promote_types(logits.dtype, torch.float32)}
    candidates = torch.rand(len(logits), int(oversample * num_points), 2, **like)
    unsure = int(importance * num_points)
    score = uncertainty(point_sample(logits.detach(), candidates))  # (B, k N)
    index = score.topk(unsure, dim=1).indices
    chosen = candidates.gather(1, index[..., None].expand(-1, -1, 2))  # (B, β N, 2)
    anywhere = torch.rand(len(logits), num_points - unsure, 2, **like)
    return torch.cat([chosen, anywhere], dim=1)


def subdivide(
    logits: Float[Tensor, "batch classes height width"],
    predict: Callable[[Tensor], Tensor],
    uncertainty: Callable[[Tensor], Tensor],
    *,
    steps: int,
    num_points: int,
) -> Float[Tensor, "batch classes new_height new_width"]:
    """Twice the size `steps` times, each time with the least sure pixels predicted anew.

    Args:
        logits: coarse prediction.
        predict: from points (batch, n, 2) to logits (batch, classes, n).
        uncertainty: from logits (batch, classes, pixels) to (batch, pixels), high where unsure.
        num_points: pixels predicted in each step.

    **Conventions**: with as many points as pixels the result is `predict` at every pixel.
    """
    for _ in range(steps):
        logits = F.interpolate(logits, scale_factor=2, mode="bilinear", align_corners=False)
        height, width = logits.shape[-2:]
        flat = logits.flatten(2)  # (B, C, H * W)
        score = uncertainty(flat)
        index = score.topk(min(num_points, height * width), dim=1).indices  # (B, n)
        points = predict(pixel_centres(index, height, width, logits.dtype))
        flat = flat.scatter(2, index[:, None].expand_as(points), points.to(flat.dtype))
        logits = flat.unflatten(2, (height, width))
    return logits


class PointHead(nn.Module):
    """Features and coarse logits of points to logits (batch, num_classes, points).

    285,776 parameters for 80 classes with the coarse logits given to every layer, as for instances;
    207,123 for 19 with the coarse logits given to the first layer alone, as for semantics.
    """

    def __init__(
        self,
        channels: int = 256,
        num_classes: int = 80,
        *,
        hidden: int = 256,
        layers: int = 3,
        coarse_each_layer: bool = True,
    ) -> None:
        super().__init__()
        self.coarse_each_layer = coarse_each_layer
        self.layers, width = nn.ModuleList(), channels + num_classes
        for _ in range(layers):
            self.layers.append(nn.Conv1d(width, hidden, 1))
            width = hidden + num_classes * coarse_each_layer
        self.predictor = nn.Conv1d(width, num_classes, 1)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.predictor.weight, std=0.001)
        nn.init.zeros_(self.predictor.bias)

    def forward(
        self,
        features: Float[Tensor, "batch channels points"],
        coarse: Float[Tensor, "batch classes points"],
    ) -> Float[Tensor, "batch classes points"]:
        x = torch.cat([features, coarse], dim=1)
        for layer in self.layers:
            x = F.relu(layer(x))
            if self.coarse_each_layer:
                x = torch.cat([x, coarse], dim=1)
        return self.predictor(x)


class SemanticFPNHead(nn.Module):
    """Pyramid levels, finest first, to logits at the finest one's size (Kirillov 2019, 1901.02446).

    1,626,259 parameters for four levels of 256 channels and 19 classes. Level i passes i times
    through convolution, norm, ReLU and enlargement by 2 (the finest once, without enlargement);
    all are added.
    """

    def __init__(
        self,
        in_channels: int = 256,
        num_classes: int = 19,
        *,
        num_levels: int = 4,
        channels: int = 128,
        norm: Callable[[int], nn.Module] = CoarseNorm,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList()
        for level in range(num_levels):
            branch = nn.Sequential()
            for i in range(max(1, level)):
                width = in_channels if i == 0 else channels
                branch.append(conv_norm_act(width, channels, norm=norm))
                if level > 0:
                    branch.append(nn.Upsample(scale_factor=2, mode="bilinear"))
            self.branches.append(branch)
        self.predictor = nn.Conv2d(channels, num_classes, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.predictor.weight, std=0.01)
        nn.init.zeros_(self.predictor.bias)

    def forward(
        self, levels: Sequence[Float[Tensor, "batch _ _ _"]]
    ) -> Float[Tensor, "batch classes height width"]:
        x = sum(branch(level) for branch, level in zip(self.branches, levels, strict=True))
        return self.predictor(x)


class PointRendSemantic(nn.Module):
    """Images (batch, 3, height, width) to logits (batch, num_classes, height, width).

    28,632,678 parameters by default (frozen batch norms are buffers). `losses` is for training.

    Args:
        num_classes: classes told apart.
        backbone: from images to a dictionary of levels of `backbone.out_channels`, each half the
            size of the one before. None: ResNet-50 with FPN, frozen batch norms.
        levels: names of those used, finest first; the finest gives the fine features.
        coarse_channels, coarse_norm: of the coarse head.
        hidden, layers: of the point head.
        train_points, oversample, importance: N, k and β of `training_points`.
        steps, subdivision_points: of `subdivide`; 2 steps undo the finest level's stride of 4.
        size_divisible: pictures are padded with zeros to multiples of it, the coarsest stride.

    Reference: Kirillov et al., PointRend: Image Segmentation as Rendering, 2019, arXiv:1912.08193.
    """

    def __init__(
        self,
        num_classes: int = 19,
        *,
        backbone: nn.Module | None = None,
        levels: Sequence[str] = ("0", "1", "2", "3"),
        coarse_channels: int = 128,
        coarse_norm: Callable[[int], nn.Module] = CoarseNorm,
        hidden: int = 256,
        layers: int = 3,
        train_points: int = 2048,
        oversample: float = 3.0,
        importance: float = 0.75,
        steps: int = 2,
        subdivision_points: int = 8192,
        size_divisible: int = 32,
    ) -> None:
        super().__init__()
        self.backbone = ResNetFPN() if backbone is None else backbone
        check_at_least("num_classes", num_classes)
        check_norm("coarse_norm", coarse_norm, coarse_channels)
        channels = level_channels(self.backbone)
        self.levels, self.size_divisible = levels, size_divisible
        self.coarse_head = SemanticFPNHead(
            channels,
            num_classes,
            num_levels=len(levels),
            channels=coarse_channels,
            norm=coarse_norm,
        )
        self.point_head = PointHead(
            channels, num_classes, hidden=hidden, layers=layers, coarse_each_layer=False
        )
        self.draw_points = partial(
            training_points,
            uncertainty=semantic_uncertainty,
            num_points=train_points,
            oversample=oversample,
            importance=importance,
        )
        self.steps, self.subdivision_points = steps, subdivision_points

    def coarse_and_fine(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch classes h w"], Float[Tensor, "batch channels h w"]]:
        """Coarse logits and the features that points are read from; `images` already padded."""
        pyramid = levels_of(self.backbone, images)
        levels = [pyramid[name] for name in self.levels]
        return self.coarse_head(levels), levels[0]

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        height, width = images.shape[-2:]
        coarse, fine = self.coarse_and_fine(self._pad(images, 0.0))
        logits = subdivide(
            coarse,
            lambda points: self.point_head(
                point_sample(fine, points), point_sample(coarse, points)
            ),
            semantic_uncertainty,
            steps=self.steps,
            num_points=self.subdivision_points,
        )
        return logits[..., :height, :width]

    def losses(
        self,
        images: Float[Tensor, "batch 3 height width"],
        target: Integer[Tensor, "batch height width"],
        *,
        ignore_index: int = -100,
    ) -> dict[str, Float[Tensor, ""]]:
        """Cross-entropy of the enlarged coarse logits, `coarse`, and of the points, `points`."""
        check_tensor("target", target)
        if target.shape != (len(images), *images.shape[-2:]):
            raise ValueError(
                "target: expected the batch, height and width of images, got "
                f"{tuple(target.shape)} for {tuple(images.shape)}"
            )
        target = self._pad(target.long(), ignore_index)
        coarse, fine = self.coarse_and_fine(self._pad(images, 0.0))
        enlarged = F.interpolate(
            coarse, size=target.shape[-2:], mode="bilinear", align_corners=False
        )
        points = self.draw_points(coarse)
        logits = self.point_head(point_sample(fine, points), point_sample(coarse, points))
        return {
            "coarse": pixel_cross_entropy(enlarged, target, ignore_index),
            "points": pixel_cross_entropy(logits, _labels_at(target, points), ignore_index),
        }

    def _pad(self, maps: Tensor, value: float) -> Tensor:
        bottom, right = (-size % self.size_divisible for size in maps.shape[-2:])
        return F.pad(maps, (0, right, 0, bottom), value=value)


def _labels_at(
    target: Int64[Tensor, "batch height width"], points: Float[Tensor, "batch points 2"]
) -> Int64[Tensor, "batch points"]:
    """The label of the pixel that each point lies in."""
    height, width = target.shape[-2:]
    column = (points[..., 0] * width).long().clamp(max=width - 1)
    row = (points[..., 1] * height).long().clamp(max=height - 1)
    return target.flatten(1).gather(1, row * width + column)
