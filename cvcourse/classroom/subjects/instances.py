"""What the lesson on instances has around its subject: small models, given boxes, a gallery."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from cvcourse.classroom.device import fewer
from cvcourse.classroom.figures import describe, draw_image, show_masks
from cvcourse.classroom.subjects.detecting import (
    SHAPES,
    STRIDES,
    DetectionData,
    imagenet_backbone,
    small_backbone,
)
from cvcourse.classroom.subjects.outlines import mask_iou
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.classroom.training.fit import fit, warmup_cosine
from cvcourse.classroom.widgets.annotate import draw_outline
from cvcourse.classroom.widgets.polygon_editor import Outline
from cvcourse.models import LastLevelP6P7, MaskRCNN, PolarMask
from cvcourse.models._blocks import levels_of
from cvcourse.models.instances.polarmask import (
    centres_of_mass,
    masks_to_rays,
    rays_to_polygons,
)
from cvcourse.ops import paste_masks, roi_align
from cvcourse.ops.polygons_to_masks import polygons_to_masks

SMALL_MASK_RCNN = {
    "min_size": None,
    "anchor_sizes": ((16,), (24,), (36,)),
    "rpn_pre_nms_top_n_train": 200,
    "rpn_post_nms_top_n_train": 100,
    "rpn_pre_nms_top_n_test": 200,
    "rpn_post_nms_top_n_test": 50,
    "rpn_batch_size_per_image": 64,
    "box_pool_size": 5,
    "box_batch_size_per_image": 32,
    "box_representation_size": 128,
    "box_detections_per_img": 30,
    "mask_widths": (32, 32),
    "mask_pool_size": 7,
}


def mask_rcnn(data: DetectionData, *, seed: int, **options) -> MaskRCNN:
    """Of the paper's size for photographs, a small one for scenes; equal starts for equal seeds.

    options: of `MaskRCNN`.
    """
    torch.manual_seed(seed)
    backbone = imagenet_backbone() if data.photographs else small_backbone()
    usual = {"min_size": fewer(800, 160)} if data.photographs else SMALL_MASK_RCNN
    return MaskRCNN(len(data.classes), backbone=backbone, **{**usual, **options})


def roialign_mask_rcnn() -> MaskRCNN:
    """The network of the weights 12-roialign: small, and asks one level of the pyramid."""
    pooling = on_one_level(partial(roi_align, sampling_ratio=2, aligned=True), 8)
    one = {"roi_levels": ("1",), "roi_pooling": pooling}
    return MaskRCNN(len(SHAPES), backbone=small_backbone(), **SMALL_MASK_RCNN, **one)


def polar_mask(data: DetectionData, *, seed: int) -> PolarMask:
    """Of the paper's size for photographs, a small one for scenes."""
    torch.manual_seed(seed)
    if data.photographs:
        backbone = imagenet_backbone(levels=(2, 3, 4), extra_levels=LastLevelP6P7())
        return PolarMask(len(data.classes), backbone=backbone, min_size=fewer(800, 160))
    return PolarMask(
        len(data.classes),
        backbone=small_backbone(),
        strides=STRIDES,
        head_layers=2,
        head_norm=lambda channels: nn.GroupNorm(8, channels),
        min_size=None,
        detections_per_img=30,
    )


def on_one_level(pool: Callable[..., Tensor], stride: int) -> Callable[..., Tensor]:
    """A pooling for `MaskRCNN(roi_levels=(one,), roi_pooling=...)`.

    pool: called as `ops.roi_pool` is, with maps, boxes, cells and scale. stride: of the level.
    """

    def pooled(levels, boxes, sizes, output_size, *, canonical_size):
        (level,) = levels
        return pool(level, boxes, output_size, 1 / stride)

    return pooled


def segment(model: MaskRCNN, image: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities (N, H, W) and labels (N,) of what is in given boxes (N, 4); on the CPU."""
    device = next(model.parameters()).device
    (answer,) = model.eval().segment([image.to(device)], [boxes])
    return answer["masks"][:, 0].cpu(), answer["labels"].cpu()


def frozen(model: nn.Module, images: Sequence[Tensor], level: str) -> Tensor:
    """One level of a trained detector's pyramid for pictures of one size: (B, C, h, w), CPU."""
    device = next(model.parameters()).device
    with evaluating(model):
        batch, _ = model.prepare([image.to(device) for image in images], training=False)
        parts = [levels_of(model.backbone, part)[level].cpu() for part in batch.tensors.split(50)]
    return torch.cat(parts)


def learn_masks(
    branch: nn.Module, regions: Tensor, labels: Tensor, grids: Tensor, *, steps: int
) -> None:
    """Train a mask branch on regions (N, C, s, s) that stay as they are.

    labels (N,); grids (N, 2 s, 2 s): the true masks. Cross-entropy of the true class's mask.
    """

    def loss(branch, batch):
        regions, labels, wanted = batch
        logits = branch(regions)[torch.arange(len(labels)), labels]
        return F.binary_cross_entropy_with_logits(logits, wanted)

    data = TensorDataset(regions, labels, grids)
    loader = DataLoader(data, batch_size=64, shuffle=True)
    fit(branch, loader, loss, steps=steps, lr=4e-3, scheduler=warmup_cosine, live=False)


@torch.no_grad()
def asked_masks(
    branch: nn.Module, regions: Tensor, targets: Sequence[dict[str, Tensor]]
) -> list[Tensor]:
    """For each picture the masks (N, H, W) that the branch gives its true boxes and classes."""
    labels = torch.cat([target["labels"] for target in targets])
    logits = branch.cpu()(regions)[torch.arange(len(labels)), labels]
    parts = logits.sigmoid().split([len(target["labels"]) for target in targets])
    return [
        paste_masks(part, target["boxes"], tuple(target["masks"].shape[1:])) > 0.5
        for part, target in zip(parts, targets, strict=True)
    ]


def matched(masks: Tensor, truth: Tensor, *, least: float = 0.1) -> tuple[Tensor, float]:
    """Which true object each mask overlaps most, and the mean over objects of their best IoU.

    masks (N, H, W), truth (M, H, W): bool. Gives (N,) numbers below M; from M on, a different one
    for each mask that overlaps none by `least`. No mask at all overlaps by 0.
    """
    if not len(masks):
        return torch.zeros(0, dtype=torch.int64), 0.0
    overlaps = mask_iou(masks[:, None], truth[None])  # (N, M)
    best, owner = overlaps.max(1)
    others = len(truth) + torch.arange(len(masks))
    return owner.where(best >= least, others), overlaps.max(0).values.mean().item()


def grey(image: Tensor) -> Tensor:
    """A picture (3, H, W) without its colours."""
    return image.mean(0, keepdim=True).expand_as(image)


def compare_masks(
    images: Sequence[Tensor],
    targets: Sequence[dict[str, Tensor]],
    answers: Mapping[str, Sequence[dict[str, Tensor]]],
    chosen: Sequence[int],
    *,
    title: str,
    least: float = 0.5,
) -> Figure:
    """The chosen pictures with their true masks, and a row below for each model's answers.

    The photographs are grey, so that all colour is of masks; an object has one colour in all rows.
    The number is the mean over true objects of the best IoU. least: masks with a lower score are
    not shown.
    """
    panels, images = [], {i: grey(images[i]) for i in chosen}
    for i in chosen:
        truth = targets[i]["masks"].bool()
        panels.append((images[i], truth, f"truth, picture {i}", torch.arange(len(truth))))
    for name, of_all in answers.items():
        for i in chosen:
            masks = of_all[i]["masks"][of_all[i]["scores"] > least]
            ids, overlap = matched(masks, targets[i]["masks"].bool())
            panels.append((images[i], masks, f"{name}: {overlap:.2f}", ids))
    pictures, masks, titles, ids = zip(*panels, strict=True)
    return show_masks(pictures, masks, titles, ids=ids, title=title, columns=len(chosen))


def perfect_rays(targets: Sequence[dict[str, Tensor]], rays: int) -> list[dict[str, Tensor]]:
    """The targets as detections of score 1, whose masks are drawn by their own true rays."""
    answers = []
    for target in targets:
        masks = target["masks"]
        centres = centres_of_mass(masks)
        ends = rays_to_polygons(centres, masks_to_rays(masks, centres, rays))
        drawn = polygons_to_masks(ends, tuple(masks.shape[1:]))
        answers.append({**target, "masks": drawn, "scores": torch.ones(len(masks))})
    return answers


def show_notations(
    image: Tensor,
    titles: Mapping[str, float],
    grid: Tensor,
    box: Tensor,
    centre: Tensor,
    ends: Tensor,
    outline: np.ndarray,
) -> Figure:
    """One object as a grid in its box, as rays, and as a polygon.

    titles: for each of the three what it is, and its IoU. grid (M, M) bool, box (4,), centre (2,),
    ends (rays, 2), outline (corners, 2).
    """
    figure, panels = plt.subplots(1, 3, figsize=(8.2, 3.3))
    for axes, (name, iou) in zip(panels, titles.items(), strict=True):
        draw_image(axes, image)
        axes.set_title(f"{name}\nIoU {iou:.3f}", fontsize=10)
    x1, y1, x2, y2 = box.tolist()
    panels[0].imshow(grid, extent=(x1, x2, y2, y1), cmap="gray", alpha=0.75)
    panels[0].set(xlim=(0, image.shape[2]), ylim=(image.shape[1], 0))
    for end in ends:
        panels[1].plot(*torch.stack([centre, end], 1), color="white", linewidth=0.9)
    for axes, corners in ((panels[1], ends.numpy()), (panels[2], outline)):
        draw_outline(axes, Outline(corners, 0))
    figure.suptitle("One object, written down in three ways")
    told = ", ".join(f"{name} with IoU {iou:.3f}" for name, iou in titles.items())
    return describe(figure, f"One object under {told}.")


def draw_rays(axes: Axes, image: Tensor, centres: Tensor, distances: Tensor) -> None:
    """A picture with rays from each centre (N, 2), of distances (N, n), and the outline of all."""
    draw_image(axes, image)
    for centre, ends in zip(centres, rays_to_polygons(centres, distances), strict=True):
        for end in ends:
            axes.plot(*torch.stack([centre, end], 1), color="white", linewidth=0.9)
        axes.fill(*ends.T, fill=False, edgecolor="#F0E442", linewidth=1.8)


def show_places(
    image: Tensor, places: Tensor, quality: Tensor, best: Sequence[int], distances: Tensor
) -> Figure:
    """Places (N, 2) on a picture, coloured by centre-ness (N,), and the rays (N, n) of the best."""
    figure, panels = plt.subplots(1, 2, figsize=(8.2, 4.1))
    draw_image(panels[0], image)
    look = {"s": 36, "cmap": "viridis", "edgecolor": "white", "vmin": 0, "vmax": 1}
    dots = panels[0].scatter(*places.T, c=quality, **look)
    figure.colorbar(dots, ax=panels[0], label="polar centre-ness", shrink=0.8)
    panels[0].set_title("places that learn an object", fontsize=10)
    draw_rays(panels[1], image, places[best], distances[best])
    told = f"the best place of each, and its {distances.shape[1]} rays"
    panels[1].set_title(told, fontsize=10)
    figure.suptitle("What PolarMask learns: where to stand, and how far the outline is")
    return describe(figure, f"{len(places)} places in objects, coloured by centre-ness; {told}.")
