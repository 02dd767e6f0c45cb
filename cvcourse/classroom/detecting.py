"""What the lessons on detectors have in common: their scenes, their backbone, their score."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from cvcourse.classroom.shared import load_shared
from cvcourse.data.scenes import Scenes, collate
from cvcourse.metrics import bootstrap_interval, coco_average_precision
from cvcourse.models.fpn import ResNetFPN
from cvcourse.models.resnet import BasicBlock

SHAPES = ("background", "disk", "square", "triangle", "star")
SIDE = 96  # pixels
WIDTH = 16  # channels of the first stage
STRIDES = (4, 8, 16)  # of the pyramid's levels


def shape_scenes(length: int, split: str = "train", **options) -> Scenes:
    """Scenes (3, 96, 96) of one to five disks, squares, triangles and stars that overlap.

    Objects measure 14 to 43 pixels across. options: of `Scenes`, to change or add to these.
    """
    usual = {"size": SIDE, "classes": SHAPES, "objects": (1, 5), "scale": (0.15, 0.45)}
    return Scenes(length, split=split, **{**usual, **options})


class Kept(Dataset):
    """A data set of (image, target), read once and kept in memory; mirrored at random if asked.

    keys: what is kept of each target. mirror: every second time, on average, a picture is given as
    its mirror image, with its boxes and masks.
    """

    def __init__(
        self, dataset: Dataset, *, keys: Sequence[str] = ("boxes", "labels"), mirror: bool = False
    ):
        self.images, self.targets = [], []
        for i in range(len(dataset)):
            image, target = dataset[i]
            self.images.append(image)
            self.targets.append({key: target[key] for key in keys})
        self.mirror = mirror

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        image, target = self.images[index], self.targets[index]
        if self.mirror and torch.rand(()) < 0.5:
            image, target = mirrored(image, target)
        return image, target


def mirrored(image: Tensor, target: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """The mirror image (left is right), with its `boxes` (N, 4) and `masks` (N, H, W), if any."""
    x1, y1, x2, y2 = target["boxes"].unbind(1)
    width = image.shape[-1]
    target = target | {"boxes": torch.stack([width - x2, y1, width - x1, y2], 1)}
    if "masks" in target:
        target["masks"] = target["masks"].flip(-1)
    return image.flip(-1), target


def batches(dataset: Dataset, size: int, *, seed: int) -> DataLoader:
    """A loader of shuffled batches: a list of images and a list of targets, none left over."""
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(
        dataset, size, shuffle=True, drop_last=True, collate_fn=collate, generator=generator
    )


def loss_of(model: nn.Module, batch: tuple[list, list]) -> dict[str, Tensor]:
    """For `fit`: the losses that a detector gives for images and targets."""
    return model(*batch)


def small_backbone(channels: int = 32, *, pretrained: bool = True, **options) -> ResNetFPN:
    """A pyramid at strides 4, 8 and 16 on a trunk of six convolutions that has seen the shapes.

    channels: of each level. pretrained: the trunk starts from weights that classify crops of
        training scenes, as a large detector starts from ImageNet (`data_scripts/small_backbone.py`
        makes them); otherwise from random ones. options: of `ResNetFPN`, such as `extra_levels`.
    """
    usual = {"extra_levels": None, "trainable_layers": 4}
    backbone = ResNetFPN(
        block=BasicBlock,
        depths=(1, 1, 1),
        width=WIDTH,
        levels=(1, 2, 3),
        out_channels=channels,
        norm=nn.BatchNorm2d,
        **{**usual, **options},
    )
    if pretrained:
        load_shared(backbone.body, "backbone")
    return backbone


@torch.no_grad()
def detect(
    model: nn.Module, images: Sequence[Tensor], *, batch_size: int = 50
) -> list[dict[str, Tensor]]:
    """What a detector finds in each image (3, H, W), on the CPU; the model's mode is kept."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    found = []
    for i in range(0, len(images), batch_size):
        answers = model([image.to(device) for image in images[i : i + batch_size]])
        found += [{key: value.cpu() for key, value in answer.items()} for answer in answers]
    model.train(training)
    return found


def average_precision_interval(
    detections: Sequence[dict[str, Tensor]],
    targets: Sequence[dict[str, Tensor]],
    *,
    iou_thresholds: Sequence[float] = (0.5,),
    n: int = 100,
    seed: int = 0,
) -> tuple[float, float, float]:
    """(AP, low, high): average precision, with its 95% bootstrap interval over the pictures.

    iou_thresholds: (0.5,) gives AP50; of several, the mean.
    """

    def score(chosen: Sequence[int]) -> float:
        found, true = [detections[i] for i in chosen], [targets[i] for i in chosen]
        return float(coco_average_precision(found, true, iou_thresholds=iou_thresholds)["map"])

    generator = torch.Generator().manual_seed(seed)
    return bootstrap_interval(range(len(targets)), statistic=score, n=n, generator=generator)


def validation(dataset: Kept) -> Callable[[nn.Module], dict[str, float]]:
    """For `fit`: a function from a detector to its AP and AP50 on a data set."""

    def measure(model: nn.Module) -> dict[str, float]:
        report = coco_average_precision(detect(model, dataset.images), dataset.targets)
        return {"AP": float(report["map"]), "AP50": float(report["map_50"])}

    return measure
