"""Boxes that could hold an object, made without learning, and what such boxes are worth."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.classroom.subjects import detecting
from cvcourse.data._extras import extra
from cvcourse.metrics import coco_average_precision
from cvcourse.models.detection.faster_rcnn import FasterRCNN
from cvcourse.ops import box_iou, nms


def random_boxes(
    count: int,
    generator: torch.Generator,
    height: int = detecting.SIDE,
    width: int = detecting.SIDE,
) -> Float[Tensor, "count 4"]:
    """Square boxes inside a picture, of a side from 14/96 to 44/96 of its shorter one.

    Those are the sizes of the objects of `detecting.shape_scenes`.
    """
    side = 14 + 30 * torch.rand(count, 1, generator=generator)
    side = side * min(height, width) / detecting.SIDE
    corner = torch.rand(count, 2, generator=generator) * (torch.tensor([width, height]) - side)
    return torch.cat([corner, corner + side], 1)


def covered(
    proposals: Sequence[Tensor], targets: Sequence[dict[str, Tensor]], k: int, iou: float = 0.5
) -> Int64[Tensor, "pictures 2"]:
    """(objects that one of the first k boxes covers, objects) of each picture.

    proposals: for each picture (n, 4), best first. Covered: at an IoU of `iou` or more. The sums of
    the columns make recall at k; for its interval over pictures see `gain_of_sum`.
    """
    counts = []
    for boxes, target in zip(proposals, targets, strict=True):
        hit = (box_iou(target["boxes"], boxes[:k]) >= iou).any(1)
        counts.append([int(hit.sum()), len(hit)])
    return torch.tensor(counts).reshape(-1, 2)


def covered_of_neighbours(
    proposals: Sequence[Tensor], targets: Sequence[dict[str, Tensor]], k: int
) -> dict[str, float]:
    """Recall at k of objects that overlap another one (IoU above 0.1), and of those apart."""
    groups = {"together": [], "apart": []}
    for target in targets:
        overlap = box_iou(target["boxes"], target["boxes"]).fill_diagonal_(0)
        near = (overlap > 0.1).any(1)
        groups["together"].append({"boxes": target["boxes"][near]})
        groups["apart"].append({"boxes": target["boxes"][~near]})
    sums = {name: covered(proposals, some, k).sum(0) for name, some in groups.items()}
    return {name: (hits / objects).item() for name, (hits, objects) in sums.items()}


def inexact_in_samples(model: FasterRCNN) -> list[float]:
    """A list that grows at each training step: boxes of objects in stage two's sample, a picture.

    Only those are counted that are not the object's own box (IoU of 0.999 or less), and so have
    offsets to learn. The model's `roi_heads` are changed to count.
    """
    counts, draw_sample = [], model.roi_heads.sample_regions

    def counted(proposals: list[Tensor], targets: list[dict[str, Tensor]]) -> list:
        samples = draw_sample(proposals, targets)
        exact = [(box_iou(s.boxes[s.labels > 0], s.truth) > 0.999).any(1) for s in samples]
        counts.append(sum(int((~of_one).sum()) for of_one in exact) / len(exact))
        return samples

    model.roi_heads.sample_regions = counted
    return counts


def look_again(
    model: FasterRCNN,
    images: Sequence[Tensor],
    targets: Sequence[dict[str, Tensor]],
    looks: int = 3,
) -> list[dict[str, float]]:
    """AP, AP50 and AP75 after the first look of the second stage, the second, and so on.

    Each look is given the boxes that the one before it reported, the first one the proposals.
    """
    boxes = [p["boxes"] for p in detecting.propose(model, images)]
    reports = []
    for _ in range(looks):
        found = detecting.second_look(model, images, boxes)
        report = coco_average_precision(found, targets)
        names = {"AP": "map", "AP50": "map_50", "AP75": "map_75"}
        reports.append({name: float(report[key]) for name, key in names.items()})
        boxes = [f["boxes"] for f in found]
    return reports


def segment_boxes(
    image: Float[Tensor, "3 height width"],
    generator: torch.Generator | None = None,
    *,
    scales: tuple[float, ...] = (100, 300),
    sigma: float = 0.8,
    min_size: int = 60,
    least: float = 0,
    most: float = torch.inf,
) -> Float[Tensor, "boxes 4"]:
    """Boxes (n, 4) around regions of like colour, and around pairs of neighbouring regions.

    A simple relative of selective search (Uijlings et al. 2013), which merges such regions further.
    The segmentation is Felzenszwalb and Huttenlocher's (IJCV 2004), from scikit-image.

    image: in [0, 1]. generator: for the order, as a region has no score; None is PyTorch's own.
    scales: of the segmentation, one after another; a larger one gives larger regions. sigma,
        min_size: its blur and its smallest region, in pixels.
    least, most: boxes with a side outside of these, in pixels, are left out.

    **Conventions**: of boxes that overlap by an IoU of more than 0.8, the first one stays.
    """
    with extra("lessons", "cvcourse.classroom.subjects.regions"):
        from scipy.ndimage import find_objects
        from skimage.segmentation import felzenszwalb

    pixels = image.detach().cpu().permute(1, 2, 0).double().numpy()
    found = []
    for scale in scales:
        of = felzenszwalb(pixels, scale, sigma=sigma, min_size=min_size)
        corners = [(x.start, y.start, x.stop, y.stop) for y, x in find_objects(of + 1)]
        region, of = torch.tensor(corners).float(), torch.from_numpy(of)
        beside = [(of[:, :-1], of[:, 1:]), (of[:-1], of[1:])]
        pairs = torch.cat([torch.stack([a.flatten(), b.flatten()]) for a, b in beside], dim=1)
        a, b = region[pairs.unique(dim=1)]  # most pixels lie beside one of their own region
        found.append(torch.cat([a[:, :2].minimum(b[:, :2]), a[:, 2:].maximum(b[:, 2:])], dim=1))
    boxes = torch.cat(found).unique(dim=0)
    sides = boxes[:, 2:] - boxes[:, :2]
    boxes = boxes[((sides >= least) & (sides <= most)).all(1)]
    order = torch.rand(len(boxes), generator=generator)
    return boxes[nms(boxes, order, 0.8)]
