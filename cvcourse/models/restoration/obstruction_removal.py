"""Seeing through obstructions: two layers from five frames (Liu et al. 2020, arXiv:2004.01180).

    at 1/16 size   `LayerTranslations`: one flow for each layer and pair of frames
                   layers = means of the frames, aligned by each flow
    at each scale  `LayerFusion` for the background and another for the obstruction; then the layers
                   at twice the size, and their flow anew, by an optical flow network
    fences         `FenceFusion` in place of both: the background, and the fence's share of a pixel

The authors publish TensorFlow files, which cannot be read here: export them first.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels
from cvcourse.ops import correlation, warp, warp_is_inside
from cvcourse.ops._checks import check_tensor


class LayerTranslations(nn.Module):
    """Two frames (batch, 3, height, width) to two uniform flows (batch, 2) from the first to the
    second, in pixels of the pyramid's last level: of the background and of the obstruction.

    Which of the two is which is learnt: the decomposition itself is symmetric.

    Args:
        widths: channels of the pyramid; each level halves the size.
        reach: how far the cost volume looks, in pixels of the last level.
        estimator_widths: of the unpadded 3 × 3 convolutions on features and cost volume.

    Raises ValueError for frames that are not (batch, 3, height, width), whose shapes differ, or
    that are too small for the estimator: more than twice its layers on the last level.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = (16, 32, 64, 96),
        reach: int = 4,
        estimator_widths: Sequence[int] = (128, 128, 96, 64, 32),
    ) -> None:
        check_at_least("widths", len(widths))
        check_at_least("estimator_widths", len(estimator_widths))
        check_at_least("reach", reach, 0)
        super().__init__()
        before, pyramid = 3, []
        for width in widths:
            pyramid += [
                nn.ZeroPad2d((0, 1, 0, 1)),  # as TensorFlow pads even sizes
                nn.Conv2d(before, width, 3, stride=2),
                nn.LeakyReLU(0.1),
                nn.Conv2d(width, width, 3, padding=1),
                nn.LeakyReLU(0.1),
            ]
            before = width
        self.pyramid, self.reach = nn.Sequential(*pyramid), reach
        self.least = 2 * len(estimator_widths) + 1
        before, estimator = widths[-1] + (2 * reach + 1) ** 2, []
        for width in estimator_widths:
            estimator += [nn.Conv2d(before, width, 3), nn.LeakyReLU(0.2)]
            before = width
        self.estimator = nn.Sequential(*estimator)
        self.background, self.obstruction = nn.Linear(before, 2), nn.Linear(before, 2)

    def forward(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
    ) -> tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch 2"]]:
        check_channels("first", first, 3)
        check_tensor("second", second)
        if first.shape != second.shape:
            raise ValueError(
                f"second: expected the shape of first, {tuple(first.shape)}, "
                f"got {tuple(second.shape)}"
            )
        ours, theirs = self.pyramid(first), self.pyramid(second)
        if min(ours.shape[2:]) < self.least:
            raise ValueError(
                f"first: expected {self.least} pixels a side or more on the last level, "
                f"got {tuple(ours.shape[2:])} from {tuple(first.shape)}"
            )
        cost = F.leaky_relu(correlation(ours, theirs, self.reach, 1), 0.1)
        x = self.estimator(torch.cat([ours, cost], 1)).mean((2, 3))
        return self.background(x), self.obstruction(x)


class _Fusion(nn.Module):
    """Convolutions from the `own` channels of the key frame, and seven of each other, to `out`."""

    own: int
    out: int

    def __init__(self, *, others: int = 4, widths: Sequence[int] = (128, 128, 96, 64, 32)) -> None:
        check_at_least("others", others)
        super().__init__()
        self.others = others
        before, layers = self.own + 7 * others, []
        for width in widths:
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.LeakyReLU(0.2)]
            before = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, self.out, 3, padding=1))

    def _check_shapes(
        self, layer: Tensor, frames: Tensor, flows: Tensor, **pictures: tuple[Tensor, int]
    ) -> None:
        """pictures: each with its number of channels; all are as large as the layer."""
        batch, _, height, width = layer.shape
        expected = {
            n: (x, (batch, channels, height, width)) for n, (x, channels) in pictures.items()
        }
        expected["frames"] = frames, (batch, self.others, 3, height, width)
        expected["flows"] = flows, (batch, self.others, 2, height, width)
        for name, (x, shape) in expected.items():
            check_tensor(name, x)
            if x.shape != shape:
                raise ValueError(f"{name}: expected {shape}, got {tuple(x.shape)}")


class LayerFusion(_Fusion):
    """One layer of the key frame, better than it was, from all frames aligned to it.

    Sees both layers, the key frame, and of each other frame: the frame warped by the layer's flow,
    where that stays inside, and its absolute difference to the layer.

    Args:
        others: frames beside the key frame.
        widths: channels of the 3 × 3 convolutions before the last.

    Raises ValueError for shapes that do not fit.
    """

    own, out = 9, 3

    def forward(
        self,
        layer: Float[Tensor, "batch 3 height width"],
        obstruction: Float[Tensor, "batch 3 height width"],
        background: Float[Tensor, "batch 3 height width"],
        key: Float[Tensor, "batch 3 height width"],
        frames: Float[Tensor, "batch others 3 height width"],
        flows: Float[Tensor, "batch others 2 height width"],
    ) -> Float[Tensor, "batch 3 height width"]:
        """`layer` is the one of the two to improve; `flows` are its own, from the key frame to each
        other frame, in pixels of this scale.
        """
        check_channels("layer", layer, 3)
        own = {"obstruction": (obstruction, 3), "background": (background, 3), "key": (key, 3)}
        self._check_shapes(layer, frames, flows, **own)
        seen = [obstruction, background, key, *_aligned(layer, frames, flows)]
        return layer + self.layers(torch.cat(seen, 1))


class FenceFusion(_Fusion):
    """Background and fence of the key frame, better than they were, from all frames aligned to the
    background: the picture without the fence, and alpha, 1 where only the fence is seen.

    Sees background, alpha, the key frame, and of each other frame what `LayerFusion` sees. Neither
    answer is held in [0, 1].

    Args:
        others: frames beside the key frame.
        widths: channels of the 3 × 3 convolutions before the last.

    Raises ValueError for shapes that do not fit.
    """

    own, out = 7, 4

    def forward(
        self,
        background: Float[Tensor, "batch 3 height width"],
        alpha: Float[Tensor, "batch 1 height width"],
        key: Float[Tensor, "batch 3 height width"],
        frames: Float[Tensor, "batch others 3 height width"],
        flows: Float[Tensor, "batch others 2 height width"],
    ) -> tuple[Float[Tensor, "batch 3 height width"], Float[Tensor, "batch 1 height width"]]:
        """`flows` are the background's, from the key frame to each other frame, in pixels of this
        scale.
        """
        check_channels("background", background, 3)
        self._check_shapes(background, frames, flows, key=(key, 3), alpha=(alpha, 1))
        seen = [background, alpha, key, *_aligned(background, frames, flows)]
        more, fence = self.layers(torch.cat(seen, 1)).split((3, 1), 1)
        return background + more, alpha + fence


def _aligned(layer: Tensor, frames: Tensor, flows: Tensor) -> list[Tensor]:
    """Of each other frame: warped, where that stays inside, its difference to the layer."""
    seen = []
    for frame, flow in zip(frames.unbind(1), flows.unbind(1), strict=True):
        warped = warp(frame, flow, padding="border")
        inside = warp_is_inside(flow)[:, None].to(layer.dtype)
        seen += [warped, inside, (layer - warped).abs()]
    return seen
