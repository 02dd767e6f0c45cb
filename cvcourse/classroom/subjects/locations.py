"""Locations of a pyramid and what a detector without anchors says there: for the lesson on FCOS."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float, Int64
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.overlays import draw_boxes
from cvcourse.classroom.figures.pictures import draw_image
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.models.detection._anchors import pyramid_anchors
from cvcourse.models.detection.fcos import FCOS, boxes_from_distances, centerness_of
from cvcourse.ops import box_iou


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
        draw_boxes(axes, target["boxes"], target["labels"], named=False)
        axes.scatter(*where[owner < 0].T, s=3, color="0.4")
        learning = owner >= 0
        colours = [style.colour_of(i) for i in target["labels"][owner[learning]].tolist()]
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
