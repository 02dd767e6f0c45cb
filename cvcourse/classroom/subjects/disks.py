"""Touching disks, a photograph of coins, and two classical ways to put boxes around them."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.data import pictures
from cvcourse.data.scenes import Scenes, stack
from cvcourse.metrics import coco_average_precision
from cvcourse.ops import masks_to_boxes, nms

DISKS = ("background", "disk")
SIDE = 96  # pixels
RADII = np.arange(6, 25)  # pixels, of circles that are looked for


def disk_pictures(
    count: int, split: str, *, seed: int = 0
) -> tuple[Float[Tensor, "count 1 96 96"], list[dict[str, Tensor]]]:
    """Grey pictures of two to nine touching disks, their mean removed, and their targets.

    Every second one is before a photograph, the others before a plain wall; count is even.
    """
    options = {
        "size": SIDE,
        "split": split,
        "seed": seed,
        "classes": DISKS,
        "objects": (2, 9),
        "placement": "touching",
        "scale": (0.15, 0.45),
        "lighting": 2,
        "texture": 2,
        "noise": 2,
    }
    kinds = [Scenes(count // 2, background=b, **options) for b in ("photograph", "plain")]
    samples = [kind[i] for i in range(count // 2) for kind in kinds]
    images = stack(samples)[0].mean(1, keepdim=True)
    return images - images.mean((1, 2, 3), keepdim=True), [target for _, target in samples]


def coins(
    height: int = 303, width: int = 384
) -> tuple[Float[Tensor, "height width"], Float[Tensor, "24 4"], Bool[Tensor, "24 height width"]]:
    """The photograph of 24 coins at this size, with their boxes (xyxy) and masks.

    Boxes and masks come from the photograph itself, by lesson 00's way: the lamp's light removed,
    one threshold, holes filled, specks dropped. A person checked that each piece is one coin.
    """
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    original = pictures.load("coins")[:1]
    flat = original[0].numpy() - ndimage.gaussian_filter(original[0].numpy(), 40)
    filled = ndimage.binary_fill_holes(flat > threshold_otsu(flat))
    pieces, count = ndimage.label(ndimage.binary_opening(filled, iterations=3))
    masks = torch.stack([torch.from_numpy(pieces == i) for i in range(1, count + 1)])
    size = (height, width)
    if size != original.shape[1:]:
        resize = torch.nn.functional.interpolate
        original = resize(original[None], size, mode="bilinear", antialias=True)[0]
        masks = resize(masks[None].float(), size, mode="bilinear", antialias=True)[0] >= 0.5
    return original[0], masks_to_boxes(masks, inclusive=False), masks


def components(
    image: Float[Tensor, "height width"], blur: float, opening: int
) -> dict[str, Tensor]:
    """Lesson 00's way: what is brighter than its surroundings, in connected pieces; large is sure.

    blur: standard deviation, in pixels, of what counts as surroundings. opening: thinner than
    twice this is dropped. Gives `boxes`, `scores` (areas) and `labels` (1).
    """
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    flat = image.numpy() - ndimage.gaussian_filter(image.numpy(), blur)
    bright = ndimage.binary_fill_holes(flat > threshold_otsu(flat))
    pieces, _ = ndimage.label(ndimage.binary_opening(bright, iterations=opening))
    slices = ndimage.find_objects(pieces)
    boxes = torch.tensor([[x.start, y.start, x.stop, y.stop] for y, x in slices]).float()
    boxes = boxes.reshape(-1, 4)
    return _found(boxes, (boxes[:, 2:] - boxes[:, :2]).prod(1))


def circles(
    image: Float[Tensor, "height width"], sigma: float, overlap: float
) -> dict[str, Tensor]:
    """The circular Hough transform: each edge pixel votes for all circles that it may lie on.

    sigma: blur, in pixels, before edges are looked for (Canny). overlap: at and below this IoU two
    circles may stay. Gives `boxes`, `scores` (share of the circle with votes) and `labels` (1).

    Reference: Duda & Hart 1972, "Use of the Hough transformation to detect lines and curves in
    pictures"; the transform is scikit-image's.
    """
    from scipy import ndimage
    from skimage.feature import canny
    from skimage.transform import hough_circle

    votes = hough_circle(canny(image.numpy(), sigma=sigma), RADII)  # (radii, height, width)
    peaks = (votes == ndimage.maximum_filter(votes, size=(3, 5, 5))) & (votes > 0.2)
    radius, y, x = peaks.nonzero()
    r = RADII[radius]
    boxes = torch.tensor(np.stack([x - r, y - r, x + r + 1, y + r + 1], 1)).float()
    boxes[:, 0::2] = boxes[:, 0::2].clamp(0, image.shape[1])
    boxes[:, 1::2] = boxes[:, 1::2].clamp(0, image.shape[0])
    scores = torch.tensor(votes[peaks]).float()
    kept = nms(boxes, scores, overlap)[:100]
    return _found(boxes[kept], scores[kept])


def tuned(
    method: Callable[..., dict[str, Tensor]],
    images: Float[Tensor, "count 1 height width"],
    targets: Sequence[dict[str, Tensor]],
    **choices: Sequence,
) -> dict:
    """The setting of `method(image, **setting)` with the highest AP50 on these pictures.

    choices: for each argument the values to try; all combinations are.
    """
    settings = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]

    def score(setting: dict) -> float:
        found = [method(image[0], **setting) for image in images]
        return float(coco_average_precision(found, targets, iou_thresholds=[0.5])["map"])

    return max(settings, key=score)


def _found(boxes: Tensor, scores: Tensor) -> dict[str, Tensor]:
    return {"boxes": boxes, "scores": scores, "labels": torch.ones(len(boxes), dtype=torch.int64)}
