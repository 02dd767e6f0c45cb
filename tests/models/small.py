"""Detectors small enough to train in a test: 64 pixels, levels at strides 4, 8 and 16."""

import torch
from torch import nn

from cvcourse.models.backbones.fpn import ResNetFPN
from cvcourse.models.backbones.resnet import BasicBlock

SIZES = ((8,), (16,), (32,))
OPTIONS = {
    "FasterRCNN": {
        "anchor_sizes": SIZES,
        "box_pool_size": 4,
        "box_representation_size": 32,
        "rpn_post_nms_top_n_train": 100,
        "rpn_post_nms_top_n_test": 50,
    },
    "RetinaNet": {"anchor_sizes": SIZES, "head_layers": 1},
    "FCOS": {
        "anchor_sizes": (4, 8, 16),
        "head_layers": 1,
        "head_norm": lambda channels: nn.GroupNorm(4, channels),
    },
}
OPTIONS["EfficientDet"] = {
    "channels": 16,
    "bifpn_layers": 1,
    "head_layers": 1,
    "levels": 3,
    "norm": nn.BatchNorm2d,
    "size_divisible": 16,
    "anchor_scale": 2.0,
}
OPTIONS["MaskRCNN"] = {**OPTIONS["FasterRCNN"], "mask_widths": (16,), "mask_pool_size": 7}


def small_backbone() -> ResNetFPN:
    return ResNetFPN(
        block=BasicBlock,
        depths=(1, 1, 1),
        width=8,
        levels=(1, 2, 3),
        out_channels=16,
        extra_levels=None,
        norm=nn.BatchNorm2d,
        trainable_layers=4,
    )


def small_detector(detector: type[nn.Module], num_classes: int = 3, **options) -> nn.Module:
    torch.manual_seed(0)
    backbone = small_backbone()
    if detector.__name__ == "EfficientDet":
        backbone = backbone.body  # it has a pyramid of its own
    own = {**OPTIONS[detector.__name__], "backbone": backbone, "min_size": None, **options}
    return detector(num_classes, **own)


def small_batch(masks: bool = False) -> tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]:
    """Two dark pictures with bright rectangles, of class 1 if wide and 2 if high."""
    images, targets = [], []
    for size, boxes in (
        ((64, 64), [[8, 8, 40, 24], [44, 20, 56, 60]]),
        ((48, 64), [[4, 4, 20, 44]]),
    ):
        image, layers = 0.1 * torch.rand(3, *size), torch.zeros(len(boxes), *size, dtype=torch.bool)
        for layer, (x1, y1, x2, y2) in zip(layers, boxes, strict=True):
            layer[y1:y2, x1:x2] = True
        image[:, layers.any(0)] += 0.8
        boxes = torch.tensor(boxes, dtype=torch.float32)
        width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(1)
        target = {"boxes": boxes, "labels": torch.where(width > height, 1, 2)}
        images.append(image)
        targets.append({**target, "masks": layers} if masks else target)
    return images, targets
