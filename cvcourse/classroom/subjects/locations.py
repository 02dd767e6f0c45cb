"""Locations of a pyramid and what a detector without anchors says there: for the lesson on FCOS."""

import copy
from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.overlays import draw_boxes
from cvcourse.classroom.figures.pictures import draw_image
from cvcourse.classroom.subjects.detecting import DetectionData
from cvcourse.classroom.subjects.detections import average_precisions
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.losses import generalized_box_iou_loss
from cvcourse.models.detection._anchors import pyramid_anchors
from cvcourse.models.detection.fcos import FCOS, boxes_from_distances, centerness_of
from cvcourse.models.detection.retinanet import RetinaNet
from cvcourse.ops import box_iou, decode_boxes


def show_learners(
    image: Float[Tensor, "3 height width"],
    target: dict[str, Tensor],
    centers: Float[Tensor, "locations 2"],
    owners: Int64[Tensor, "locations"],
    per_level: Sequence[int],
    strides: Sequence[int],
    *,
    title: str,
) -> Figure:
    """Which locations learn an object, a panel for each level: large dots in the object's colour.

    owners: the object of each location, -1 where it learns that there is none. per_level: how many
        locations each level has, in order.
    """
    figure, panels = plt.subplots(1, len(strides), figsize=(style.WIDTH, 3.3), squeeze=False)
    parts = zip(panels[0], strides, centers.split(per_level), owners.split(per_level), strict=True)
    told = []
    for axes, stride, where, owner in parts:
        draw_image(axes, 0.5 + 0.5 * image)
        for i, box in enumerate(target["boxes"]):
            draw_boxes(axes, box[None], colour=style.colour_of(i + 1))
        axes.scatter(*where[owner < 0].T, s=3, color="0.4")
        learning = owner >= 0
        colours = [style.colour_of(i + 1) for i in owner[learning].tolist()]
        axes.scatter(*where[learning].T, s=30, c=colours, edgecolors="black", linewidths=0.7)
        told.append(f"stride {stride}: {len(colours)} of {len(where)} learn one")
        axes.set_title(told[-1], fontsize=9.5)
    figure.suptitle(title)
    return style.describe(figure, f"{title}. Locations, {', '.join(told)}.")


@torch.no_grad()
def answers_inside(
    model: FCOS, image: Float[Tensor, "3 height width"], target: dict[str, Tensor]
) -> dict[str, Tensor]:
    """What `model` says at each location that owns an object (by `model.assign`), on the CPU.

    Each (n,): `object`, its index; `score`, the probability of its class; `centerness`, as
    predicted, and `true`, as it is; `iou` of the predicted box with the object's.
    """
    with evaluating(model):
        device = next(model.parameters()).device
        on_device = {key: target[key].to(device) for key in ("boxes", "labels")}
        batch, (target,) = model.prepare([image.to(device)], [on_device], training=False)
        levels = list(model.backbone(batch.tensors).values())
        outputs = {key: value[0] for key, value in model.head(levels).items()}
    ratios = [(1.0,)] * len(levels)
    cells, per_level = pyramid_anchors(levels, batch, model.anchor_sizes, ratios)
    centers, units = (cells[:, :2] + cells[:, 2:]) / 2, cells[:, 2] - cells[:, 0]
    owners = model.assign(centers, units, per_level, target["boxes"])
    mine = owners >= 0
    owned = owners[mine]
    boxes, labels = target["boxes"][owned], target["labels"][owned]
    said = boxes_from_distances(centers[mine], outputs["bbox_regression"][mine], units[mine])
    answers = {
        "object": owned,
        "score": outputs["cls_logits"][mine].sigmoid().gather(1, labels[:, None])[:, 0],
        "centerness": outputs["bbox_ctrness"][mine, 0].sigmoid(),
        "true": centerness_of(centers[mine], boxes),
        "iou": box_iou(said, boxes).diagonal(),
    }
    return {key: value.cpu() for key, value in answers.items()}


def by_class_alone(model: FCOS) -> FCOS:
    """The same network, whose boxes rank by the class alone: its centre-ness is 1 everywhere."""
    blind = copy.deepcopy(model)

    def sure(_, levels, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return outputs | {"bbox_ctrness": torch.full_like(outputs["bbox_ctrness"], 20.0)}

    blind.head.register_forward_hook(sure)  # sigmoid(20) is 1
    return blind


def scores(model: torch.nn.Module, pictures: DetectionData) -> dict[str, float]:
    """AP and AP75 on held-out pictures, AP in training; of FCOS also its "AP75 by class" alone."""
    numbers = average_precisions(model, pictures, {"AP": "map", "AP75": "map_75"})
    if isinstance(model, FCOS):
        blind, name = by_class_alone(model), "AP75 by class"
        numbers[name] = average_precisions(blind, pictures, {name: "map_75"}, seen=1)[name]
    return numbers


def mean_of_each(
    values: Float[Tensor, "locations"], group: Int64[Tensor, "locations"]
) -> Float[Tensor, "objects"]:
    """The mean of each object's locations. group: the object of each, 0 to objects - 1."""
    count = group.bincount()
    return torch.zeros(len(count)).index_add(0, group, values) / count


def surest(
    rank: Float[Tensor, "locations"], group: Int64[Tensor, "locations"]
) -> Int64[Tensor, "objects"]:
    """Of each object the location with the highest rank. group: as in `mean_of_each`."""
    order = rank.argsort()
    last = dict(zip(group[order].tolist(), order.tolist(), strict=True))
    return torch.tensor([last[i] for i in range(len(last))])


class OverlapFCOS(FCOS):
    """FCOS whose third output learns the IoU of its own box in the place of centre-ness.

    As IoU-aware detectors do (Wu et al. 2020, arXiv:1912.05992). `bbox_ctrness` is the binary
    cross-entropy with the IoU of the predicted box and its object, which has no gradient.
    """

    def losses(
        self,
        logits: Float[Tensor, "batch places classes"],
        distances: Float[Tensor, "batch places 4"],
        centerness: Float[Tensor, "batch places 1"],
        centers: Float[Tensor, "places 2"],
        units: Float[Tensor, "places"],
        assigned: list[Int64[Tensor, "places"]],
        targets: list[dict[str, Tensor]],
    ) -> dict[str, Float[Tensor, ""]]:
        parts = super().losses(logits, distances, centerness, centers, units, assigned, targets)
        image, place, true = _with_an_object(assigned, targets)
        said = boxes_from_distances(centers[place], distances[image, place].detach(), units[place])
        overlaps = box_iou(said, true).diagonal()
        parts["bbox_ctrness"] = F.binary_cross_entropy_with_logits(
            centerness[image, place, 0], overlaps, reduction="sum"
        ) / max(1, len(place))
        return parts


class OverlapRetinaNet(RetinaNet):
    """RetinaNet whose decoded boxes learn by 1 - GIoU, a mean over the anchors with an object."""

    def losses(
        self,
        logits: Float[Tensor, "batch anchors classes"],
        deltas: Float[Tensor, "batch anchors 4"],
        anchors: Float[Tensor, "anchors 4"],
        targets: list[dict[str, Tensor]],
    ) -> dict[str, Float[Tensor, ""]]:
        owners = [self.assign(anchors, target["boxes"]) for target in targets]
        image, anchor, true = _with_an_object(owners, targets)
        said = decode_boxes(deltas[image, anchor], anchors[anchor])
        boxes = generalized_box_iou_loss(said, true, reduction="sum") / max(1, len(image))
        return super().losses(logits, deltas, anchors, targets) | {"bbox_regression": boxes}


def _with_an_object(
    owners: list[Int64[Tensor, "places"]], targets: list[dict[str, Tensor]]
) -> tuple[Tensor, Tensor, Tensor]:
    """Picture and place of all that learn an object, and its true box, (n,), (n,) and (n, 4)."""
    image, place = (torch.stack(owners) >= 0).nonzero(as_tuple=True)
    pairs = zip(targets, owners, strict=True)
    return image, place, torch.cat([t["boxes"][owner[owner >= 0]] for t, owner in pairs])
