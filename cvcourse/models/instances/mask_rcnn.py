"""Mask R-CNN: Faster R-CNN and a mask for each detection (He et al. 2017, arXiv:1703.06870).

    the boxes of Faster R-CNN ─ RoIAlign 14×14 ─ 4 × conv 3×3 ─ deconv ×2 ─ 28×28 mask of each class

The classes do not compete for a pixel: each has a mask of its own, and that of the box's class is
taken. RoIAlign rounds no coordinate, so a mask lies where the object is. In training the mask
branch sees the proposals with an object, at test time the boxes that were found.
Names and numbers are torchvision's `maskrcnn_resnet50_fpn`; see `load_pretrained`.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import accept_old_names, conv_norm_act, levels_of
from cvcourse.models.detection._inputs import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Size,
    check_targets,
    resize_boxes,
)
from cvcourse.models.detection.faster_rcnn import FasterRCNN, RegionSample
from cvcourse.ops import crop_masks, multiscale_roi_align, paste_masks
from cvcourse.ops._checks import check_boxes


class MaskHead(nn.Sequential):
    """3×3 convolutions of the given widths on pooled features."""

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        inputs = [channels, *widths[:-1]]
        super().__init__(
            *[conv_norm_act(i, o, norm=None) for i, o in zip(inputs, widths, strict=True)]
        )
        for block in self:
            nn.init.kaiming_normal_(block[0].weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(block[0].bias)
        accept_old_names(self, {f"mask_fcn{i + 1}": f"{i}.0" for i in range(len(widths))})


class MaskPredictor(nn.Module):
    """Features (n, C, s, s) to logits (n, num_classes, 2 s, 2 s)."""

    def __init__(self, channels: int, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.conv5_mask = nn.ConvTranspose2d(channels, hidden, 2, 2)
        self.mask_fcn_logits = nn.Conv2d(hidden, num_classes, 1)
        for layer in (self.conv5_mask, self.mask_fcn_logits):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Float[Tensor, "n _ _ _"]) -> Float[Tensor, "n classes _ _"]:
        return self.mask_fcn_logits(F.relu(self.conv5_mask(x)))


class MaskRCNN(FasterRCNN):
    """As `FasterRCNN`, with masks.

    Args: those of `FasterRCNN`, and
        mask_widths: of the convolutions of the mask branch, and of its hidden layer the last one.
        mask_pool_size: side of the features pooled for it; masks are twice as large.
        mask_cropping: called as `crop_masks` is, which shifts by half a pixel as torchvision does.

    **Conventions**: targets also have `masks` (n, H, W), bool or uint8 of 0 and 1, and the losses
    `loss_mask`: binary cross-entropy, mean over the pixels of the samples with an object, 0 without
    any. Detections also have `masks` (n, 1, H, W): probabilities in the picture's original size, 0
    outside the box; `> 0.5` is the object.

    Reference: He et al., Mask R-CNN, 2017, arXiv:1703.06870.
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
        mask_widths: Sequence[int] = (256, 256, 256, 256),
        mask_pool_size: int = 14,
        mask_cropping: Callable[..., Tensor] = crop_masks,
    ) -> None:
        super().__init__(
            num_classes,
            backbone=backbone,
            min_size=min_size,
            max_size=max_size,
            image_mean=image_mean,
            image_std=image_std,
            size_divisible=size_divisible,
            anchor_sizes=anchor_sizes,
            aspect_ratios=aspect_ratios,
            rpn_layers=rpn_layers,
            rpn_pre_nms_top_n_train=rpn_pre_nms_top_n_train,
            rpn_pre_nms_top_n_test=rpn_pre_nms_top_n_test,
            rpn_post_nms_top_n_train=rpn_post_nms_top_n_train,
            rpn_post_nms_top_n_test=rpn_post_nms_top_n_test,
            rpn_nms_thresh=rpn_nms_thresh,
            rpn_score_thresh=rpn_score_thresh,
            rpn_fg_iou_thresh=rpn_fg_iou_thresh,
            rpn_bg_iou_thresh=rpn_bg_iou_thresh,
            rpn_batch_size_per_image=rpn_batch_size_per_image,
            rpn_positive_fraction=rpn_positive_fraction,
            roi_levels=roi_levels,
            roi_canonical_size=roi_canonical_size,
            roi_pooling=roi_pooling,
            box_pool_size=box_pool_size,
            box_representation_size=box_representation_size,
            box_fg_iou_thresh=box_fg_iou_thresh,
            box_bg_iou_thresh=box_bg_iou_thresh,
            box_batch_size_per_image=box_batch_size_per_image,
            box_positive_fraction=box_positive_fraction,
            bbox_reg_weights=bbox_reg_weights,
            box_score_thresh=box_score_thresh,
            box_nms_thresh=box_nms_thresh,
            box_detections_per_img=box_detections_per_img,
        )
        self.mask_pool_size = mask_pool_size
        self.mask_cropping = mask_cropping
        # inside roi_heads, where torchvision has them too
        self.roi_heads.mask_head = MaskHead(self.backbone.out_channels, mask_widths)
        self.roi_heads.mask_predictor = MaskPredictor(mask_widths[-1], mask_widths[-1], num_classes)

    def losses(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None
    ) -> dict[str, Float[Tensor, ""]]:
        check_targets(images, targets, labels=range(1, self.num_classes), masks=True)
        return super().losses(images, targets)

    def detect(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        detections = super().detect(images)
        for found, image in zip(detections, images, strict=True):
            size = tuple(image.shape[-2:])
            found["masks"] = paste_masks(found["masks"], found["boxes"], size)[:, None]
        return detections

    @torch.no_grad()
    def segment(
        self, images: list[Tensor], boxes: list[Float[Tensor, "_ 4"]]
    ) -> list[dict[str, Tensor]]:
        """What is in the given boxes of each image, such as those that a person has drawn.

        As detections, one for each box and in their order: `boxes` as given, the likeliest of the
        `labels` besides the background, its `scores`, and `masks`.
        """
        for i, of_image in enumerate(boxes):
            check_boxes(f"boxes[{i}]", of_image, "(n, 4)")
        batch, _ = self.prepare(images, training=self.training)
        levels = levels_of(self.backbone, batch.tensors)
        resized = [
            resize_boxes(of_image.to(image.device), original_size, size)
            for image, of_image, size, original_size in zip(
                images, boxes, batch.sizes, batch.original_sizes, strict=True
            )
        ]
        logits, _ = self.roi_heads(levels, resized, batch.sizes)
        scores, labels = logits.softmax(1)[:, 1:].max(1)
        labels = labels + 1
        logits = self.mask_logits(levels, resized, batch.sizes)
        masks = logits[torch.arange(len(labels), device=labels.device), labels].sigmoid()
        counts = [len(of_image) for of_image in boxes]
        sizes = [tuple(image.shape[-2:]) for image in images]
        split = (each.split(counts) for each in (labels, scores, masks))
        return [
            {
                "boxes": of_image,
                "labels": label,
                "scores": score,
                "masks": paste_masks(mask, of_image.to(mask.device), size)[:, None],
            }
            for size, of_image, label, score, mask in zip(sizes, boxes, *split, strict=True)
        ]

    def roi_losses(
        self,
        levels: dict[str, Float[Tensor, "batch _ _ _"]],
        samples: list[RegionSample],
        targets: list[dict[str, Tensor]],
        sizes: list[Size],
    ) -> dict[str, Float[Tensor, ""]]:
        losses = super().roi_losses(levels, samples, targets, sizes)
        positives = [sample.labels > 0 for sample in samples]
        boxes = [s.boxes[positive] for s, positive in zip(samples, positives, strict=True)]
        labels = torch.cat(
            [s.labels[positive] for s, positive in zip(samples, positives, strict=True)]
        )
        logits = self.mask_logits(levels, boxes, sizes)  # (n, K, 28, 28)
        logits = logits[torch.arange(len(labels), device=labels.device), labels]
        wanted = [
            self.mask_cropping(
                target["masks"], image_boxes, sample.objects[positive], logits.shape[-1]
            )
            for target, sample, positive, image_boxes in zip(
                targets, samples, positives, boxes, strict=True
            )
        ]
        total = F.binary_cross_entropy_with_logits(logits, torch.cat(wanted), reduction="sum")
        return {**losses, "loss_mask": total / max(1, logits.numel())}

    def roi_detections(
        self,
        levels: dict[str, Float[Tensor, "batch _ _ _"]],
        proposals: list[Float[Tensor, "_ 4"]],
        sizes: list[Size],
    ) -> list[dict[str, Tensor]]:
        detections = super().roi_detections(levels, proposals, sizes)
        boxes = [found["boxes"] for found in detections]
        labels = torch.cat([found["labels"] for found in detections])
        logits = self.mask_logits(levels, boxes, sizes)
        masks = logits[torch.arange(len(labels), device=labels.device), labels].sigmoid()
        for found, mask in zip(detections, masks.split([len(b) for b in boxes]), strict=True):
            found["masks"] = mask  # (n, 28, 28)
        return detections

    def mask_logits(
        self,
        levels: dict[str, Float[Tensor, "batch _ _ _"]],
        boxes: list[Float[Tensor, "_ 4"]],
        sizes: list[Size],
    ) -> Float[Tensor, "n classes side side"]:
        """A mask of every class for each box."""
        heads = self.roi_heads
        pooled = heads.pool(levels, boxes, sizes, self.mask_pool_size)  # (n, C, 14, 14)
        return heads.mask_predictor(heads.mask_head(pooled))
