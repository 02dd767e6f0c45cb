"""Faster R-CNN: propose regions, then look at each (Ren et al. 2015, arXiv:1506.01497), with FPN.

    images ─ ResNet ─ FPN ─┬─ RPN: conv 3×3 ─ objectness, offsets of 3 anchors a place ─ top-n ─ NMS
                           │                                                          proposals ─┐
                           └─ RoIAlign 7×7 of each proposal, on the level that fits its size ────┤
                                   two linear layers ─ class scores, a box for each class ─ NMS ─┘

Names and numbers are torchvision's `fasterrcnn_resnet50_fpn`; see `load_pretrained`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cvcourse.models._blocks import (
    accept_old_names,
    check_at_least,
    conv_norm_act,
    init_convolutions,
    level_channels,
    levels_of,
)
from cvcourse.models.backbones.fpn import ResNetFPN
from cvcourse.models.detection._anchors import check_anchors, pyramid_anchors
from cvcourse.models.detection._dense import flatten_maps
from cvcourse.models.detection._inputs import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ImageBatch,
    ImagePreparation,
    Size,
    check_targets,
    resize_boxes,
)
from cvcourse.ops import (
    batched_nms,
    box_iou,
    clip_boxes,
    decode_boxes,
    encode_boxes,
    match_anchors,
    multiscale_roi_align,
    remove_small_boxes,
)
from cvcourse.ops.match_anchors import BETWEEN


def sample_balanced(
    labels: Int64[Tensor, "n"], count: int, positive_fraction: float
) -> tuple[Int64[Tensor, "positives"], Int64[Tensor, "negatives"]]:
    """Random indices of at most `count * positive_fraction` labels >= 1, filled up with labels 0.

    Both in ascending order. A label of -1 is never chosen.
    """
    positive = (labels >= 1).nonzero().squeeze(1)
    negative = (labels == 0).nonzero().squeeze(1)
    positives = min(len(positive), int(count * positive_fraction))
    negatives = min(len(negative), count - positives)
    chosen = torch.randperm(len(positive), device=labels.device)[:positives]
    others = torch.randperm(len(negative), device=labels.device)[:negatives]
    return positive[chosen.sort().values], negative[others.sort().values]


class RPNHead(nn.Module):
    """Levels (B, C, H, W) to maps of objectness (B, A, H, W) and of offsets (B, 4 A, H, W)."""

    def __init__(self, channels: int, num_anchors: int, *, layers: int = 1) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            *[conv_norm_act(channels, channels, norm=None) for _ in range(layers)]
        )
        self.cls_logits = nn.Conv2d(channels, num_anchors, 1)
        self.bbox_pred = nn.Conv2d(channels, num_anchors * 4, 1)
        init_convolutions(self)
        accept_old_names(self, {"conv": "conv.0.0"})

    def forward(
        self, levels: list[Float[Tensor, "batch _ _ _"]]
    ) -> tuple[list[Float[Tensor, "batch _ _ _"]], list[Float[Tensor, "batch _ _ _"]]]:
        features = [self.conv(level) for level in levels]
        return [self.cls_logits(f) for f in features], [self.bbox_pred(f) for f in features]


class RegionProposalNetwork(nn.Module):
    """The first stage: where is anything at all? Arguments as in `FasterRCNN`, without `rpn_`.

    Gives for each picture its proposals, best first, with their objectness, and while training the
    losses `loss_objectness` and `loss_rpn_box_reg`.
    """

    def __init__(
        self,
        channels: int,
        *,
        anchor_sizes: Sequence[Sequence[int | float]],
        aspect_ratios: Sequence,
        layers: int,
        pre_nms_top_n_train: int,
        pre_nms_top_n_test: int,
        post_nms_top_n_train: int,
        post_nms_top_n_test: int,
        nms_thresh: float,
        score_thresh: int | float,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
    ) -> None:
        super().__init__()
        self.anchor_sizes = anchor_sizes
        self.aspect_ratios, num_anchors = check_anchors(anchor_sizes, aspect_ratios)
        self.head = RPNHead(channels, num_anchors, layers=layers)
        self.top_n_train = pre_nms_top_n_train, post_nms_top_n_train
        self.top_n_test = pre_nms_top_n_test, post_nms_top_n_test
        self.nms_thresh = nms_thresh
        self.score_thresh = score_thresh
        self.match = partial(
            match_anchors,
            high_threshold=fg_iou_thresh,
            low_threshold=bg_iou_thresh,
            allow_low_quality=True,
        )
        self.sample = partial(
            sample_balanced, count=batch_size_per_image, positive_fraction=positive_fraction
        )

    def forward(
        self,
        images: ImageBatch,
        levels: list[Float[Tensor, "batch _ _ _"]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[Tensor], list[Tensor], dict[str, Tensor]]:
        objectness, deltas = self.head(levels)
        anchors, per_level = pyramid_anchors(levels, images, self.anchor_sizes, self.aspect_ratios)
        objectness = flatten_maps(objectness, 1).squeeze(2)  # (B, anchors)
        deltas = flatten_maps(deltas, 4)  # (B, anchors, 4)
        boxes, scores = self.propose(
            objectness.detach(), deltas.detach(), anchors, per_level, images.sizes
        )
        losses = {} if targets is None else self.losses(objectness, deltas, anchors, targets)
        return boxes, scores, losses

    def propose(
        self,
        objectness: Float[Tensor, "batch anchors"],
        deltas: Float[Tensor, "batch anchors 4"],
        anchors: Float[Tensor, "anchors 4"],
        anchors_per_level: list[int],
        sizes: list[Size],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The best of each level, decoded, clipped, less those that overlap a better one."""
        before_nms, after_nms = self.top_n_train if self.training else self.top_n_test
        best, level_of, first = [], [], 0
        for i, level in enumerate(objectness.split(anchors_per_level, dim=1)):
            top = level.topk(min(before_nms, level.shape[1]), dim=1).indices
            best.append(top + first)
            level_of.append(torch.full_like(top[0], i))
            first += level.shape[1]
        best, level_of = torch.cat(best, dim=1), torch.cat(level_of)  # (B, kept), (kept,)
        scores = objectness.gather(1, best).sigmoid()
        boxes = decode_boxes(deltas.gather(1, best[..., None].expand(-1, -1, 4)), anchors[best])

        proposals, proposal_scores = [], []
        for image_boxes, image_scores, size in zip(boxes, scores, sizes, strict=True):
            clipped = clip_boxes(image_boxes, size)
            large = remove_small_boxes(clipped, 1e-3)
            large = large[image_scores[large] >= self.score_thresh]
            keep = large[
                batched_nms(
                    clipped[large],
                    image_scores[large],
                    level_of[large],
                    self.nms_thresh,
                    max_output=after_nms,
                )
            ]
            proposals.append(clipped[keep])
            proposal_scores.append(image_scores[keep])
        return proposals, proposal_scores

    def losses(
        self,
        objectness: Float[Tensor, "batch anchors"],
        deltas: Float[Tensor, "batch anchors 4"],
        anchors: Float[Tensor, "anchors 4"],
        targets: list[dict[str, Tensor]],
    ) -> dict[str, Float[Tensor, ""]]:
        """Over a sample of anchors: cross-entropy of all, smooth L1 of those with an object."""
        positives, negatives, truth = [], [], []
        for i, target in enumerate(targets):
            matched = self.assign(anchors, target["boxes"])
            labels = (matched >= 0).long().where(matched != BETWEEN, -1)
            positive, negative = self.sample(labels)
            truth.append(target["boxes"][matched[positive]])
            positives.append(positive + i * len(anchors))
            negatives.append(negative + i * len(anchors))
        positive, truth = torch.cat(positives), torch.cat(truth)
        chosen = torch.cat([positive, *negatives])
        is_object = (torch.arange(len(chosen), device=chosen.device) < len(positive)).float()
        wanted = encode_boxes(truth, anchors[positive % len(anchors)])
        box_loss = F.smooth_l1_loss(
            deltas.flatten(0, 1)[positive], wanted, beta=1 / 9, reduction="sum"
        )
        return {
            "loss_objectness": F.binary_cross_entropy_with_logits(
                objectness.flatten()[chosen], is_object
            ),
            "loss_rpn_box_reg": box_loss / len(chosen),
        }

    def assign(
        self, anchors: Float[Tensor, "anchors 4"], boxes: Float[Tensor, "boxes 4"]
    ) -> Int64[Tensor, "anchors"]:
        """The object of each anchor; -1: background, -2: undecided."""
        return self.match(box_iou(boxes, anchors))


class BoxHead(nn.Module):
    """Pooled features (n, C, s, s) to vectors (n, hidden)."""

    def __init__(self, in_features: int, hidden: int) -> None:
        super().__init__()
        self.fc6 = nn.Linear(in_features, hidden)
        self.fc7 = nn.Linear(hidden, hidden)

    def forward(self, x: Float[Tensor, "n _ _ _"]) -> Float[Tensor, "n hidden"]:
        return F.relu(self.fc7(F.relu(self.fc6(x.flatten(1)))))


class BoxPredictor(nn.Module):
    """Vectors to class logits (n, K), background first, and offsets (n, 4 K), four a class."""

    def __init__(self, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(hidden, num_classes)
        self.bbox_pred = nn.Linear(hidden, num_classes * 4)

    def forward(
        self, x: Float[Tensor, "n hidden"]
    ) -> tuple[Float[Tensor, "n classes"], Float[Tensor, "n offsets"]]:
        return self.cls_score(x), self.bbox_pred(x)


class RegionSample(NamedTuple):
    """Proposals of one picture to learn from, and what there is to learn."""

    boxes: Float[Tensor, "n 4"]
    labels: Int64[Tensor, "n"]  # 0: background
    objects: Int64[Tensor, "n"]  # index into `truth`, where the label is not 0
    truth: Float[Tensor, "objects 4"]


class RoIHeads(nn.Module):
    """The second stage: what is it, and where exactly? Arguments as in `FasterRCNN`."""

    def __init__(
        self,
        channels: int,
        num_classes: int,
        *,
        roi_levels: Sequence[str],
        roi_canonical_size: int | float,
        roi_pooling: Callable[..., Tensor],
        pool_size: int,
        representation_size: int,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
        reg_weights: Sequence[int | float],
        score_thresh: int | float,
        nms_thresh: float,
        detections_per_img: int,
    ) -> None:
        super().__init__()
        self.box_head = BoxHead(channels * pool_size**2, representation_size)
        self.box_predictor = BoxPredictor(representation_size, num_classes)
        self.roi_levels = roi_levels
        self.roi_canonical_size = float(roi_canonical_size)
        self.roi_pooling = roi_pooling
        self.pool_size = pool_size
        self.match = partial(
            match_anchors, high_threshold=fg_iou_thresh, low_threshold=bg_iou_thresh
        )
        self.sample = partial(
            sample_balanced, count=batch_size_per_image, positive_fraction=positive_fraction
        )
        self.reg_weights = reg_weights
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = detections_per_img

    def pool(
        self,
        levels: dict[str, Float[Tensor, "batch _ _ _"]],
        boxes: list[Float[Tensor, "_ 4"]],
        sizes: list[Size],
        pool_size: int,
    ) -> Float[Tensor, "boxes channels {pool_size} {pool_size}"]:
        """Features of each box, from the level that fits its size."""
        chosen = [levels[name] for name in self.roi_levels if name in levels]
        return self.roi_pooling(
            chosen, boxes, sizes, pool_size, canonical_size=self.roi_canonical_size
        )

    def forward(
        self,
        levels: dict[str, Float[Tensor, "batch _ _ _"]],
        boxes: list[Float[Tensor, "_ 4"]],
        sizes: list[Size],
    ) -> tuple[Float[Tensor, "boxes classes"], Float[Tensor, "boxes offsets"]]:
        return self.box_predictor(self.box_head(self.pool(levels, boxes, sizes, self.pool_size)))

    def sample_regions(
        self, proposals: list[Float[Tensor, "_ 4"]], targets: list[dict[str, Tensor]]
    ) -> list[RegionSample]:
        """A balanced choice of proposals and true boxes, with their labels and offsets."""
        samples = []
        for boxes, target in zip(proposals, targets, strict=True):
            truth = target["boxes"].to(boxes.dtype)
            boxes = torch.cat([boxes, truth])
            objects = self.match(box_iou(truth, boxes))
            labels = torch.zeros_like(objects)
            labels[objects >= 0] = target["labels"][objects[objects >= 0]]
            labels[objects == BETWEEN] = -1
            chosen = torch.cat(self.sample(labels)).sort().values
            samples.append(RegionSample(boxes[chosen], labels[chosen], objects[chosen], truth))
        return samples

    def losses(
        self,
        logits: Float[Tensor, "boxes classes"],
        offsets: Float[Tensor, "boxes offsets"],
        samples: list[RegionSample],
    ) -> dict[str, Float[Tensor, ""]]:
        """Cross-entropy of all samples; smooth L1 of the true class's offsets of the positives."""
        labels = torch.cat([sample.labels for sample in samples])
        positive = (labels > 0).nonzero().squeeze(1)
        predicted = offsets.unflatten(1, (-1, 4))[positive, labels[positive]]
        boxes = torch.cat([sample.boxes for sample in samples])[positive]
        truth = torch.cat([s.truth[s.objects[s.labels > 0]] for s in samples])
        wanted = encode_boxes(truth, boxes, weights=self.reg_weights)
        box_loss = F.smooth_l1_loss(predicted, wanted, beta=1 / 9, reduction="sum")
        return {
            "loss_classifier": F.cross_entropy(logits, labels),
            "loss_box_reg": box_loss / len(labels),
        }

    def detect(
        self,
        logits: Float[Tensor, "boxes classes"],
        offsets: Float[Tensor, "boxes offsets"],
        proposals: list[Float[Tensor, "_ 4"]],
        sizes: list[Size],
    ) -> list[dict[str, Tensor]]:
        """The best boxes of each picture, at the network's size."""
        counts = [len(boxes) for boxes in proposals]
        scores = logits.softmax(1)[:, 1:].split(counts)  # without background
        offsets = offsets.unflatten(1, (-1, 4))[:, 1:].split(counts)  # (n, K - 1, 4)
        detections = []
        for image_scores, image_offsets, boxes, size in zip(
            scores, offsets, proposals, sizes, strict=True
        ):
            region, label = (image_scores > self.score_thresh).nonzero(as_tuple=True)
            found = decode_boxes(
                image_offsets[region, label], boxes[region], weights=self.reg_weights
            )
            found = clip_boxes(found, size)
            large = remove_small_boxes(found, 1e-2)
            best = image_scores[region, label][large]
            keep = batched_nms(
                found[large],
                best,
                label[large],
                self.nms_thresh,
                max_output=self.detections_per_img,
            )
            detections.append(
                {
                    "boxes": found[large][keep],
                    "labels": label[large][keep] + 1,
                    "scores": best[keep],
                }
            )
        return detections


class FasterRCNN(nn.Module):
    """Images and targets to losses while training; images to detections in eval mode.

    Args:
        num_classes: classes and the background, which is 0: labels go from 1 to `num_classes - 1`.
        backbone: from images (B, 3, H, W) to a dictionary of levels of `backbone.out_channels`.
            None: ResNet-50 with FPN, frozen batch norms, three trainable layers.
        min_size, max_size, image_mean, image_std, size_divisible: see `ImagePreparation`.
        anchor_sizes: in pixels, one sequence a level. aspect_ratios: height / width, for all levels
            or one sequence a level.
        rpn_layers: convolutions of the proposal network.
        rpn_pre_nms_top_n_*, rpn_post_nms_top_n_*: proposals kept, of each level before suppression
            and of each picture after it. rpn_nms_thresh, rpn_score_thresh: those that are dropped.
        rpn_fg_iou_thresh, rpn_bg_iou_thresh: an anchor from the one on has an object, below the
            other none, between them it is left out; the best ones of each object always have it.
        rpn_batch_size_per_image, rpn_positive_fraction: anchors to learn from, positives of them.
        roi_levels: names of the levels that proposals are pooled from; those missing are skipped.
        roi_canonical_size: boxes of this side are pooled at stride 16, smaller ones at finer ones.
        roi_pooling: called as `multiscale_roi_align` is, on the levels of `roi_levels`.
        box_pool_size: side of the pooled features. box_representation_size: hidden width.
        box_fg_iou_thresh, box_bg_iou_thresh, box_batch_size_per_image, box_positive_fraction: the
            same of proposals.
        bbox_reg_weights: of the offsets of x, y, width and height.
        box_score_thresh, box_nms_thresh, box_detections_per_img: what becomes a detection.

    **Conventions**: `forward(images, targets)` takes lists of images (3, H, W) in [0, 1] and of
    dictionaries: `boxes` (n, 4) as x1, y1, x2, y2 in pixels, int64 `labels` (n,); n may be 0.
    Losses `loss_classifier`, `loss_box_reg`, `loss_objectness`, `loss_rpn_box_reg` are means over
    all that was sampled. Detections are dictionaries with `boxes`, `labels`, `scores`, best first.
    RoIAlign is torchvision's older kind (`aligned=False`, 2×2 samples).
    Raises `ValueError` for images or targets that cannot be used, naming picture and box.

    Reference: Ren et al., Faster R-CNN, 2015, arXiv:1506.01497; Lin et al., 2016, arXiv:1612.03144.
    """

    def __init__(
        self,
        num_classes: int = 91,
        *,
        backbone: nn.Module | None = None,
        min_size: int | Sequence[int] | None = 800,
        max_size: int = 1333,
        image_mean: Sequence[float] = IMAGENET_MEAN,
        image_std: Sequence[float] = IMAGENET_STD,
        size_divisible: int = 32,
        anchor_sizes: Sequence[Sequence[int | float]] = ((32,), (64,), (128,), (256,), (512,)),
        aspect_ratios: Sequence = (0.5, 1.0, 2.0),
        rpn_layers: int = 1,
        rpn_pre_nms_top_n_train: int = 2000,
        rpn_pre_nms_top_n_test: int = 1000,
        rpn_post_nms_top_n_train: int = 2000,
        rpn_post_nms_top_n_test: int = 1000,
        rpn_nms_thresh: float = 0.7,
        rpn_score_thresh: int | float = 0.0,
        rpn_fg_iou_thresh: float = 0.7,
        rpn_bg_iou_thresh: float = 0.3,
        rpn_batch_size_per_image: int = 256,
        rpn_positive_fraction: float = 0.5,
        roi_levels: Sequence[str] = ("0", "1", "2", "3"),
        roi_canonical_size: int | float = 224.0,
        roi_pooling: Callable[..., Tensor] = multiscale_roi_align,
        box_pool_size: int = 7,
        box_representation_size: int = 1024,
        box_fg_iou_thresh: float = 0.5,
        box_bg_iou_thresh: float = 0.5,
        box_batch_size_per_image: int = 512,
        box_positive_fraction: float = 0.25,
        bbox_reg_weights: Sequence[int | float] = (10.0, 10.0, 5.0, 5.0),
        box_score_thresh: int | float = 0.05,
        box_nms_thresh: float = 0.5,
        box_detections_per_img: int = 100,
    ) -> None:
        super().__init__()
        self.backbone = ResNetFPN() if backbone is None else backbone
        check_at_least("num_classes", num_classes, 2)  # the background and one class
        channels = level_channels(self.backbone)
        self.num_classes = num_classes
        self.prepare = ImagePreparation(
            min_size=min_size,
            max_size=max_size,
            mean=image_mean,
            std=image_std,
            size_divisible=size_divisible,
        )
        self.rpn = RegionProposalNetwork(
            channels,
            anchor_sizes=anchor_sizes,
            aspect_ratios=aspect_ratios,
            layers=rpn_layers,
            pre_nms_top_n_train=rpn_pre_nms_top_n_train,
            pre_nms_top_n_test=rpn_pre_nms_top_n_test,
            post_nms_top_n_train=rpn_post_nms_top_n_train,
            post_nms_top_n_test=rpn_post_nms_top_n_test,
            nms_thresh=rpn_nms_thresh,
            score_thresh=rpn_score_thresh,
            fg_iou_thresh=rpn_fg_iou_thresh,
            bg_iou_thresh=rpn_bg_iou_thresh,
            batch_size_per_image=rpn_batch_size_per_image,
            positive_fraction=rpn_positive_fraction,
        )
        self.roi_heads = RoIHeads(
            channels,
            num_classes,
            roi_levels=roi_levels,
            roi_canonical_size=roi_canonical_size,
            roi_pooling=roi_pooling,
            pool_size=box_pool_size,
            representation_size=box_representation_size,
            fg_iou_thresh=box_fg_iou_thresh,
            bg_iou_thresh=box_bg_iou_thresh,
            batch_size_per_image=box_batch_size_per_image,
            positive_fraction=box_positive_fraction,
            reg_weights=bbox_reg_weights,
            score_thresh=box_score_thresh,
            nms_thresh=box_nms_thresh,
            detections_per_img=box_detections_per_img,
        )

    def forward(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        return self.losses(images, targets) if self.training else self.detect(images)

    def losses(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None
    ) -> dict[str, Float[Tensor, ""]]:
        check_targets(images, targets, labels=range(1, self.num_classes))
        batch, targets = self.prepare(images, targets, training=self.training)
        levels = levels_of(self.backbone, batch.tensors)
        proposals, _, rpn_losses = self.rpn(batch, list(levels.values()), targets)
        samples = self.roi_heads.sample_regions(proposals, targets)
        return {**self.roi_losses(levels, samples, targets, batch.sizes), **rpn_losses}

    def detect(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        batch, _ = self.prepare(images, training=self.training)
        levels = levels_of(self.backbone, batch.tensors)
        proposals, _, _ = self.rpn(batch, list(levels.values()))
        return restore_boxes(self.roi_detections(levels, proposals, batch.sizes), batch)

    def propose(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        """What the first stage alone finds: `boxes` of anything and their `scores`, best first."""
        batch, _ = self.prepare(images, training=self.training)
        boxes, scores, _ = self.rpn(batch, list(levels_of(self.backbone, batch.tensors).values()))
        found = [{"boxes": b, "scores": s} for b, s in zip(boxes, scores, strict=True)]
        return restore_boxes(found, batch)

    def roi_losses(
        self,
        levels: dict[str, Float[Tensor, "batch _ _ _"]],
        samples: list[RegionSample],
        targets: list[dict[str, Tensor]],
        sizes: list[Size],
    ) -> dict[str, Float[Tensor, ""]]:
        """Losses of the second stage."""
        logits, offsets = self.roi_heads(levels, [s.boxes for s in samples], sizes)
        return self.roi_heads.losses(logits, offsets, samples)

    def roi_detections(
        self,
        levels: dict[str, Float[Tensor, "batch _ _ _"]],
        proposals: list[Float[Tensor, "_ 4"]],
        sizes: list[Size],
    ) -> list[dict[str, Tensor]]:
        """What the second stage finds, at the network's size."""
        logits, offsets = self.roi_heads(levels, proposals, sizes)
        return self.roi_heads.detect(logits, offsets, proposals, sizes)


def restore_boxes(
    detections: list[dict[str, Tensor]], images: ImageBatch
) -> list[dict[str, Tensor]]:
    """The same detections, boxes in the original size of their pictures."""
    return [
        {**found, "boxes": resize_boxes(found["boxes"], size, original_size)}
        for found, size, original_size in zip(
            detections, images.sizes, images.original_sizes, strict=True
        )
    ]
