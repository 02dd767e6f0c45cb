"""Transporter: keypoints found because carrying them explains a video (Kulkarni 2019, 1906.11883).

    source ─ features F_s ─┬─ F ← (1 - h_s)(1 - h_t) F + h_t F_t, keypoint after keypoint ─ decoder
    source ─ keypoints h_s ┤                                                                   │
    target ─ keypoints h_t ┤                                           the target's picture ◄──┘
    target ─ features F_t ─┘

h are Gaussians around keypoints, which are the means of a map's marginals along each axis. Only a
few places may be copied from the target: they must be where what moved is. No gradient goes through
the source. Coordinates are (y, x) in [-1, 1], the centres of the first and last pixel.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import InstanceNorm, check_at_least, norm_relu
from cvcourse.ops._checks import as_float, check_ndim, check_positive, check_same_length


def marginal_keypoints(
    maps: Float[Tensor, "batch keypoints height width"],
) -> Float[Tensor, "batch keypoints 2"]:
    """(y, x) of each map: its mean over the other axis, a softmax along this one, the expectation.

    At least float32.
    """
    check_ndim("maps", maps, "(batch, keypoints, height, width)")
    (maps,) = as_float(maps)
    places = []
    for axis, other in ((2, 3), (3, 2)):
        along = torch.linspace(-1, 1, maps.shape[axis], dtype=maps.dtype, device=maps.device)
        places.append((maps.mean(other).softmax(2) * along).sum(2))
    return torch.stack(places, 2)


def keypoint_maps(
    centres: Float[Tensor, "batch keypoints 2"], size: Sequence[int], *, std: float = 0.1
) -> Float[Tensor, "batch keypoints height width"]:
    """exp(-d² / std²) around each (y, x), without a half; the map is 2 wide in units of `std`."""
    check_positive("std", std)
    (centres,) = as_float(centres)
    rows, columns = (
        torch.linspace(-1, 1, n, dtype=centres.dtype, device=centres.device) for n in size
    )
    dy, dx = rows - centres[..., :1], columns - centres[..., 1:]
    squared = dy.square()[..., :, None] + dx.square()[..., None, :]
    return torch.exp(-squared / std**2)


def transport(
    source: Float[Tensor, "batch channels height width"],
    target: Float[Tensor, "batch channels height width"],
    source_maps: Float[Tensor, "batch keypoints height width"],
    target_maps: Float[Tensor, "batch keypoints height width"],
) -> Float[Tensor, "batch channels height width"]:
    """Features of the source, forgotten at its keypoints, taken from the target at the target's.

    Keypoint after keypoint, as in the authors' code: where two overlap, the order matters a little.
    """
    check_same_length("source", source, "target", target)
    features = source
    for one, other in zip(source_maps.unbind(1), target_maps.unbind(1), strict=True):
        one, other = one[:, None], other[:, None]
        features = (1 - one) * (1 - other) * features + other * target
    return features


def encoder(channels: int, widths: Sequence[int], norm: Callable[[int], nn.Module]):
    """7×7, then 3×3, the third of which strides."""
    layers = []
    for i, width in enumerate(widths):
        kernel, stride = (7 if i == 0 else 3), (2 if i == 2 else 1)
        layers += norm_relu(nn.Conv2d(channels, width, kernel, stride, kernel // 2), norm)
        channels = width
    return nn.Sequential(*layers)


class Transported(NamedTuple):
    """The target's picture as reconstructed, and the keypoints of both, (y, x) in [-1, 1]."""

    image: Float[Tensor, "batch channels height width"]
    source_keypoints: Float[Tensor, "batch keypoints 2"]
    target_keypoints: Float[Tensor, "batch keypoints 2"]


class Transporter(nn.Module):
    """Two frames (batch, channels, height, width) of one film to the second, and their keypoints.

    Args:
        keypoints: K, how many places may be carried.
        channels: of a frame.
        widths: of the encoder's four convolutions.
        decoder_width: of the decoder's first convolutions; halved after it doubles the size.
        std: of the Gaussians, in units where a map is 2 wide.
        norm: from a channel count to a layer; the authors say that instance or layer norm are
            "quite a lot more stable" than the paper's batch norm.

    The defaults are the authors' notebook: 298,440 parameters. The loss is the mean squared error
    of `image` against the target.

    Raises ValueError for counts below 1, frames of different shape, or an `std` of 0 or less.
    Reference: Kulkarni et al., Unsupervised Learning of Object Keypoints for Perception and
    Control, 2019, arXiv:1906.11883.
    """

    def __init__(
        self,
        keypoints: int = 5,
        *,
        channels: int = 3,
        widths: Sequence[int] = (16, 16, 32, 32),
        decoder_width: int = 128,
        std: float = 0.1,
        norm: Callable[[int], nn.Module] = InstanceNorm,
    ) -> None:
        counts = {"keypoints": keypoints, "channels": channels, "decoder_width": decoder_width}
        for name, value in counts.items():
            check_at_least(name, value)
        if len(widths) < 3:
            raise ValueError(f"widths: expected three or more, the third strides, got {widths}")
        check_positive("std", std)
        super().__init__()
        self.features = encoder(channels, widths, norm)
        self.keypoints = encoder(channels, widths, norm).append(nn.Conv2d(widths[-1], keypoints, 1))
        conv = partial(nn.Conv2d, kernel_size=3, padding=1)
        half = max(1, decoder_width // 2)
        self.decode_small = nn.Sequential(
            *norm_relu(conv(widths[-1], decoder_width), norm),
            *norm_relu(conv(decoder_width, decoder_width), norm),
        )
        self.decode_large = nn.Sequential(
            *norm_relu(conv(decoder_width, half), norm), conv(half, channels)
        )
        self.std = std

    def locate(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch keypoints 2"]:
        return marginal_keypoints(self.keypoints(images))

    def forward(
        self,
        source: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Transported:
        for name, value in (("source", source), ("target", target)):
            check_ndim(name, value, "(batch, channels, height, width)")
        if source.shape != target.shape:
            raise ValueError(
                f"source and target must have one shape, got {tuple(source.shape)} and "
                f"{tuple(target.shape)}"
            )
        with torch.no_grad():
            old, old_places = self.features(source), self.locate(source)
        new, new_places = self.features(target), self.locate(target)
        size = new.shape[2:]
        maps = [keypoint_maps(p, size, std=self.std).to(new) for p in (old_places, new_places)]
        small = self.decode_small(transport(old, new, *maps))
        large = F.interpolate(small, source.shape[2:], mode="bilinear", align_corners=False)
        return Transported(self.decode_large(large), old_places, new_places)
