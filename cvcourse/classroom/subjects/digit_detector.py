"""A detector of two stages that is small enough to be read: one digit among scraps, in 40 x 40.

    picture ─ four convolutions ─ map, stride 4 ─┬─ 1×1 conv: at which of 100 places, and its shift
                                                 └─ RoIAlign of the best eight boxes ─ which digit

Its pictures are those of `cvcourse.data.cluttered_digits`; its boxes are 20 pixels wide.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.ops import box_iou, roi_align

STRIDE, SIDE, BOX = 4, 10, 20  # pixels, places, pixels
PROPOSALS = 8


class DigitDetector(nn.Module):
    """Pictures (B, 1, 40, 40) to a map (B, 2 width, 10, 10), to proposals, to scores of digits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [1, width, 2 * width, 2 * width, 2 * width]
        layers: list[nn.Module] = []
        for a, b, stride in zip(channels, channels[1:], (2, 2, 1, 1), strict=False):
            layers += [nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.rpn = nn.Conv2d(2 * width, 3, 1)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(25 * 2 * width, 10))
        at = STRIDE * (torch.arange(SIDE) + 0.5)
        self.register_buffer("places", torch.cartesian_prod(at, at).flip(1))  # (100, 2): x, y

    def stage_one(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the places (B, 100), and how far a digit's centre is from each (B, 100, 2)."""
        scores, *shifts = self.rpn(maps).flatten(2).unbind(1)
        return scores, STRIDE * torch.stack(shifts, 2)

    def propose(self, scores: Tensor, shifts: Tensor, count: int = PROPOSALS) -> Tensor:
        """The `count` best boxes of each picture (B, count, 4), best first, without a gradient."""
        best = scores.topk(count, 1).indices
        centres = self.places[best] + shifts.gather(1, best[..., None].expand(-1, -1, 2))
        return box_around(centres).detach()

    def stage_two(self, maps: Tensor, boxes: Tensor) -> Tensor:
        """Logits of the digits (B * count, 10) in boxes (B, count, 4)."""
        return self.head(roi_align(maps, list(boxes), 5, 1 / STRIDE, 1, aligned=True))


def box_around(centres: Tensor) -> Tensor:
    """(..., 2) to (..., 4): a box of 20 x 20 pixels around each centre."""
    return torch.cat([centres - BOX / 2, centres + BOX / 2], -1)


def detector_losses(
    net: DigitDetector, maps: Tensor, labels: Tensor, centres: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """What the labels (B,) and the true centres (B, 2), in pixels, say; and the proposals.

    "where": cross-entropy of the true place among 100. "shift": smooth L1 there. "what":
    cross-entropy of the digit in proposals that overlap it by an IoU of 0.5, and in the true box.
    """
    scores, shifts = net.stage_one(maps)
    place, row = torch.cdist(centres, net.places).argmin(1), torch.arange(len(maps))
    losses = {"where": F.cross_entropy(scores, place)}
    losses["shift"] = F.smooth_l1_loss(shifts[row, place], centres - net.places[place])
    proposals, truth = net.propose(scores, shifts), box_around(centres)[:, None]
    boxes = torch.cat([truth, proposals], 1)
    hits = torch.cat([box_iou(t, b)[0] >= 0.5 for t, b in zip(truth, boxes, strict=True)])
    read = net.stage_two(maps, boxes)[hits]
    losses["what"] = F.cross_entropy(read, labels.repeat_interleave(boxes.shape[1])[hits])
    return losses, proposals


class Found(NamedTuple):
    """For each picture: its best box, the digit that was read there, and whether both are right."""

    boxes: Tensor
    digits: Tensor
    right: Tensor


@torch.no_grad()
def found_and_read(net: DigitDetector, images: Tensor, labels: Tensor, centres: Tensor) -> Found:
    """Right is a box with an IoU of 0.5 or more with the true one, and the right digit."""
    with evaluating(net):
        maps = net.trunk(images.to(net.places.device))
        boxes = net.propose(*net.stage_one(maps), count=1)
        digits = net.stage_two(maps, boxes).argmax(1).cpu()
    boxes = boxes[:, 0].cpu()
    hits = box_iou(boxes, box_around(centres)).diagonal() >= 0.5
    return Found(boxes, digits, hits & (digits == labels))
