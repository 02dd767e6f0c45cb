"""What lesson 24b learns from and with: clips with one labelled frame, streets, a small network."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from cvcourse.classroom.device import fewer
from cvcourse.data import real
from cvcourse.data.scenes import Clips, stack
from cvcourse.methods import compose_flows, propagate

CLASSES = ("background", "coin", "horse", "star")
LAST = 3  # the labelled frame of a clip


class Videos(NamedTuple):
    """Clips of four frames. A lesson may look at the labels of the last ones only."""

    frames: Float[Tensor, "clips 4 3 size size"]
    labels: Int64[Tensor, "clips 4 size size"]
    flow: Float[Tensor, "clips 3 2 size size"]  # from each frame to the next
    occluded: Bool[Tensor, "clips 3 size size"]  # what the next frame does not show


def labelled_videos(count: int, split: str, seed: int, *, size: int) -> Videos:
    """Coins, horses and stars on their own ways before plain walls, seen by a moving camera.

    A rehearsal gets four clips at most.
    """
    count = fewer(count, 4)
    drawn = Clips(
        count, frames=LAST + 1, size=size, split=split, seed=seed, classes=CLASSES,
        objects=(2, 3), scale=(0.45, 0.8), rotation=40, background="plain",
        actions=("wander",), speed=2.5, camera=2.0,
    )  # fmt: skip
    frames, target = stack([drawn[i] for i in range(count)])
    return Videos(frames, target["semantic"].long(), target["flow"], target["occluded"])


def earlier(of: Tensor) -> Tensor:
    """(N, 4, ...) -> (3, N, ...): what is one, two and three frames before the labelled one."""
    return torch.stack([of[:, LAST - k] for k in (1, 2, 3)])


def true_motion(
    flow: Float[Tensor, "clips 3 2 height width"], occluded: Bool[Tensor, "clips 3 height width"]
) -> tuple[
    Float[Tensor, "3 clips 2 height width"],
    Bool[Tensor, "3 clips height width"],
]:
    """From one, two and three frames before to the labelled one, and what is still seen there.

    What a frame between hides counts as not seen.
    """
    motions, seen = [flow[:, LAST - 1]], [~occluded[:, LAST - 1]]
    for t in (LAST - 2, LAST - 3):
        step = flow[:, t]
        later = propagate(step, seen[-1].long(), step)[1] == 1  # seen from there on
        seen.append(later & ~occluded[:, t])
        motions.append(compose_flows(step, motions[-1]))
    return torch.stack(motions), torch.stack(seen)


def streets(
    folder: Path, split: str, most: int, *, around: int = 0, size: tuple[int, int] = (180, 240)
) -> tuple[
    Float[Tensor, "drives frames 3 height width"],
    Int64[Tensor, "drives height width"],
]:
    """At most so many labelled frames of CamVid, evenly chosen, made smaller.

    around: neighbours on each side, from `films` in the folder; the labelled frame is the middle.
    """
    drives = real.CamVid(folder, split, around=around, films=folder / "films")
    chosen = np.linspace(0, len(drives) - 1, min(most, len(drives))).astype(int)
    clips, targets = zip(*(drives[i] for i in chosen), strict=True)
    clips = [F.interpolate(c.view(-1, *c.shape[-3:]), size, mode="area") for c in clips]
    maps = torch.stack([target["semantic"] for target in targets])[:, None].double()
    return torch.stack(clips), F.interpolate(maps, size, mode="nearest-exact")[:, 0].long()


class Segmenter(nn.Module):
    """An encoder to stride 8 and a decoder with skips to stride 2; its scores are enlarged."""

    def __init__(self, classes: int, widths: tuple[int, int, int] = (16, 32, 64)):
        super().__init__()
        a, b, c = widths
        self.at_half = _block(3, a, 2)
        self.at_quarter = nn.Sequential(_block(a, b, 2), _block(b, b))
        self.at_eighth = nn.Sequential(_block(b, c, 2), _block(c, c, dilation=2))
        self.up = nn.ModuleList([_block(c + b, 3 * a), _block(3 * a + a, b)])
        self.head = nn.Conv2d(b, classes, 1)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes height width"]:
        fine = self.at_half(images - 0.5)  # (B, a, H/2, W/2)
        middle = self.at_quarter(fine)
        x = self.at_eighth(middle)  # (B, c, H/8, W/8)
        for up, skip in zip(self.up, (middle, fine), strict=True):
            x = F.interpolate(x, skip.shape[-2:], mode="bilinear")
            x = up(torch.cat((x, skip), 1))
        return F.interpolate(self.head(x), images.shape[-2:], mode="bilinear")


def _block(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
