"""What lesson 38b asks of pictures of sprites: drawings of them, boxes around them, and scissors
that are told a box and nothing else.

Pictures are (n, 3, side, side) in [-1, 1], masks (n, 1, side, side) in [0, 1].
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from scipy.ndimage import binary_erosion, binary_fill_holes
from torch import Tensor

from cvcourse.ops import masks_to_boxes

_PERIOD = 4  # pixels, of a ground's stripes
_COVERED = 0.15  # of a colour's range of 2: what differs more from the ground is a sprite
_LINE = 0.5  # of a line's darkness, 0 to 1


def edges(pictures: Tensor) -> Float[Tensor, "n 1 side side"]:
    """Twice Sobel's slope of the colour that changes most, cut at 1."""
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    both = torch.stack([across, across.T])[:, None].to(pictures)
    planes = F.pad(pictures, (1, 1, 1, 1), mode="replicate").flatten(0, 1)[:, None]
    slopes = F.conv2d(planes, both).norm(dim=1).unflatten(0, pictures.shape[:2])
    return (2 * slopes.amax(1, keepdim=True)).clamp(max=1)


def drawn(pictures: Tensor) -> Float[Tensor, "n 3 side side"]:
    """Dark lines on white where the picture has edges, those of its ground too."""
    return (1 - 2 * edges(pictures)).expand(-1, 3, -1, -1)


def outlined(masks: Tensor) -> Float[Tensor, "n 3 side side"]:
    """As somebody draws who knows what is sprite: dark lines along the rim, and nothing else."""
    return drawn((2 * masks - 1).expand(-1, 3, -1, -1))


def cartoon(pictures: Tensor) -> Float[Tensor, "n 3 side side"]:
    """Three levels of each colour, and black along the edges."""
    levels = ((pictures + 1) / 2 * 3).floor().clamp(0, 2) - 1
    return torch.lerp(levels, -torch.ones_like(levels), edges(pictures))


def boxes_of(masks: Float[Tensor, "n 1 side side"]) -> Float[Tensor, "n 4"]:
    """x1, y1, x2, y2 in pixels around all that is covered by more than a fiftieth; else zeros."""
    return masks_to_boxes(masks[:, 0] > 0.02, inclusive=False)


def cut_by_box(
    pictures: Tensor, boxes: Float[Tensor, "n 4"]
) -> tuple[Float[Tensor, "n 3 side side"], Float[Tensor, "n 1 side side"]]:
    """Ground and mask that a box alone allows.

    The ground is what is outside the box, repeated every four pixels (a place of the stripes that
    is never outside: the mean of what is). Covered is what is inside and differs from the ground.
    """
    side = pictures.shape[-1]
    inside = _inside(boxes, side)[:, None].to(pictures.dtype)
    shown, seen = (
        _stripes(x).sum((2, 4), keepdim=True) for x in (pictures * (1 - inside), 1 - inside)
    )
    mean = shown.sum((3, 5), keepdim=True) / seen.sum((3, 5), keepdim=True).clamp(min=1)
    tile = torch.where(seen > 0, shown / seen.clamp(min=1), mean)
    times = side // _PERIOD
    ground = tile.flatten(1).unflatten(1, (3, _PERIOD, _PERIOD)).repeat(1, 1, times, times)
    apart = (pictures - ground).abs().amax(1, keepdim=True)
    return ground, (apart > _COVERED).to(pictures.dtype) * inside


def filled(drawing: Tensor, boxes: Float[Tensor, "n 4"]) -> Float[Tensor, "n 1 side side"]:
    """Masks: a drawing's lines inside the box with all that they surround, less its rim of one
    pixel, since lines lie half outside.
    """
    lines = ((1 - drawing.mean(1)) / 2 > _LINE) & _inside(boxes, drawing.shape[-1])
    whole = [torch.from_numpy(binary_erosion(binary_fill_holes(x.cpu().numpy()))) for x in lines]
    return torch.stack(whole)[:, None].to(drawing)


def paste(
    boxes: Float[Tensor, "n 4"],
    ground: Tensor,
    outline: Sequence[Tensor],
    paint: Sequence[Tensor],
) -> Float[Tensor, "n 3 side side"]:
    """A picture of four sources: where and how large, on what, which outline, painted how.

    outline: a mask, and its box. paint: a picture, its mask, and its box. Both are moved and made
    larger or smaller until their box is as large as `boxes` (area), and in its place; a pixel that
    the paint does not reach takes the nearest that it does. Nothing is turned.
    """
    mask = _moved(outline[0], outline[1], boxes)
    picture, own, box = paint
    found = _moved(torch.cat([picture * own, own], 1), box, boxes)
    there = found[:, 3:] > 0.5
    colours = found[:, :3] / found[:, 3:].clamp(min=0.5)
    side = picture.shape[-1]
    places = torch.cartesian_prod(*[torch.arange(side, dtype=torch.float32)] * 2).to(picture)
    far = torch.cdist(places, places) + 1e3 * ~there.flatten(1)[:, None]
    nearest = far.argmin(2)[:, None].expand(-1, 3, -1)
    colours = colours.flatten(2).gather(2, nearest).view_as(ground)
    return mask * colours + (1 - mask) * ground


def _inside(boxes: Tensor, side: int) -> Bool[Tensor, "n side side"]:
    place = torch.arange(side, device=boxes.device)
    within = (place >= boxes[:, :2, None]) & (place < boxes[:, 2:, None])
    return within[:, 1, :, None] & within[:, 0, None, :]


def _stripes(x: Tensor) -> Tensor:
    """(n, c, side, side) to (n, c, times, period, times, period)."""
    return x.unflatten(3, (-1, _PERIOD)).unflatten(2, (-1, _PERIOD))


def _moved(x: Tensor, box: Tensor, to: Tensor) -> Tensor:
    """The maps resampled so that what is in `box` comes to be in `to`, without changing ratios."""
    area = [((b[:, 2:] - b[:, :2]).prod(1)).clamp(min=1).sqrt() for b in (box, to)]
    scale = area[0] / area[1]
    middle = [(b[:, :2] + b[:, 2:]) / x.shape[-1] - 1 for b in (box, to)]
    shift = middle[0] - scale[:, None] * middle[1]
    theta = torch.zeros(len(x), 2, 3).to(x)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = shift
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)
