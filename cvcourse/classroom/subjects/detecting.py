"""What the lessons on detectors have in common: their scenes, their backbone, their score."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset, Subset

from cvcourse.classroom.device import fewer, is_first_process
from cvcourse.classroom.printing import say
from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects.gains import quantiles, times_drawn
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.classroom.training.fit import warmup_cosine
from cvcourse.classroom.training.weights import load_shared
from cvcourse.data import real
from cvcourse.data.scenes import Scenes, collate
from cvcourse.metrics import coco_average_precision, match_detections
from cvcourse.metrics._coco_matches import Matches, match_images
from cvcourse.metrics._coco_resampled import average_precision_of_draws
from cvcourse.metrics.coco_average_precision import COCO_IOU_THRESHOLDS
from cvcourse.models.backbones.fpn import ResNetFPN
from cvcourse.models.backbones.resnet import BasicBlock
from cvcourse.models.detection._inputs import resize_boxes
from cvcourse.models.detection.faster_rcnn import FasterRCNN, restore_boxes
from cvcourse.models.detection.retinanet import RetinaNet
from cvcourse.models.pretrained import TORCHVISION_WEIGHTS, load_pretrained

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

    Each picture is read when it is first asked for. (The workers of a loader keep what each of them
    was asked for; what was read before they start, as by `images`, they share.) keys: what is kept
    of each target. mirror: every second time, on average, a picture is given as its mirror image,
    with its boxes and masks.
    """

    def __init__(
        self, dataset: Dataset, *, keys: Sequence[str] = ("boxes", "labels"), mirror: bool = False
    ):
        self.dataset, self.keys, self.mirror = dataset, keys, mirror
        self._pairs: list[tuple[Tensor, dict[str, Tensor]] | None] = [None] * len(dataset)

    @cached_property
    def images(self) -> list[Tensor]:
        return [self._pair(i)[0] for i in range(len(self))]

    @cached_property
    def targets(self) -> list[dict[str, Tensor]]:
        return [self._pair(i)[1] for i in range(len(self))]

    def _pair(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        index = range(len(self))[index]  # from 0, or IndexError
        if self._pairs[index] is None:
            image, target = self.dataset[index]
            self._pairs[index] = image, {key: target[key] for key in self.keys}
        return self._pairs[index]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        image, target = self._pair(index)
        return mirrored_at_random(image, target) if self.mirror else (image, target)


class Photographs(Dataset):
    """Pictures of a real data set, read from its files each time, as detectors want them.

    train: crowds and objects marked as difficult are left out, and half of the pictures mirrored;
        otherwise those objects have `iscrowd` 1, so that they neither count nor harm.
    masks: targets have them, too.
    """

    def __init__(self, dataset: Dataset, *, train: bool, masks: bool = False):
        self.dataset = dataset
        self.train = train
        self.keys = ("boxes", "labels", "masks") if masks else ("boxes", "labels")

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        image, target = self.dataset[index]
        apart = target["iscrowd"].bool()
        if "difficult" in target:
            apart = apart | target["difficult"]
        kept = {key: target[key] for key in self.keys}
        if not self.train:
            return image, kept | {"iscrowd": apart.long()}
        return mirrored_at_random(image, {key: value[~apart] for key, value in kept.items()})


def mirrored_at_random(
    image: Tensor, target: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The picture or its mirror image, with equal chances."""
    return mirrored(image, target) if torch.rand(()) < 0.5 else (image, target)


def mirrored(image: Tensor, target: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """The mirror image (left is right), with its `boxes` (N, 4) and `masks` (N, H, W), if any."""
    x1, y1, x2, y2 = target["boxes"].unbind(1)
    width = image.shape[-1]
    target = target | {"boxes": torch.stack([width - x2, y1, width - x1, y2], 1)}
    if "masks" in target:
        target["masks"] = target["masks"].flip(-1)
    return image.flip(-1), target


def batches(dataset: Dataset, size: int, *, seed: int, workers: int = 0) -> DataLoader:
    """A loader of shuffled batches: a list of images and a list of targets, none left over."""
    if workers and isinstance(dataset, Kept):
        dataset.images  # noqa: B018 (read once, before there are workers)
    return DataLoader(
        dataset,
        size,
        shuffle=True,
        drop_last=True,
        collate_fn=collate,
        generator=torch.Generator().manual_seed(seed),
        num_workers=workers,
    )


@dataclass(frozen=True)
class DetectionData:
    """Pictures to train and test a detector, and how long and how fast it learns from them.

    name: to be told. classes: names, background first. train: mirrored at random. test: kept in
    memory. photographs: whether the pictures are of a real data set; a detector for these is of the
    paper's size (`imagenet_backbone`), for scenes a small one (`small_backbone`).
    """

    name: str
    classes: tuple[str, ...]
    train: Dataset
    test: Kept
    photographs: bool
    longer: int = 1

    def loader(self, *, seed: int) -> DataLoader:
        """Batches of 16 scenes, or of 8 photographs that 8 workers read; of 2 in a rehearsal."""
        size, workers = (8, 8) if self.photographs else (16, 0)
        return batches(self.train, fewer(size, 2), seed=seed, workers=fewer(workers, 2))

    def recipe(self, *, steps: int) -> dict:
        """For `fit(..., **recipe)`: AdamW for `steps`, or the usual 12 epochs of SGD."""
        if self.photographs:
            sgd = partial(torch.optim.SGD, momentum=0.9, weight_decay=1e-4)
            return {"optimizer": sgd, "lr": 0.005, "epochs": 12, "scheduler": warmup_steps}
        recipe = {"steps": steps * self.longer, "lr": 2e-3, "scheduler": warmup_cosine}
        return {**recipe, "gradient_clip": 5.0}


def detection_data(
    run: Run, *, train: int, test: int, masks: bool = False, **options
) -> DetectionData:
    """What a lesson on detectors learns from; a line says what it is.

    At scale small `train` and `test` scenes of shapes. At scale full Pascal VOC 2012 or else COCO,
    where `data_scripts/` has fetched them, with 500 held-out photographs; where neither is there,
    ten times the scenes and the steps. masks: targets have them (of VOC, the pictures with
    segmentations). options: of `Scenes`, as for `shape_scenes`.
    """
    keys = ("boxes", "labels", "masks") if masks else ("boxes", "labels")
    data = None if run.scale == "small" else _photographs(keys)
    if data is None:
        times = run.pick(small=1, full=10)
        data = scene_data(train * times, test, run.seed, keys=keys, longer=times, **options)
    if is_first_process():
        say(f"data: {data.name}, {len(data.train):,} pictures to train, {len(data.test)} to test")
    return data


def scene_data(
    train: int,
    test: int,
    seed: int,
    *,
    keys: Sequence[str] = ("boxes", "labels"),
    longer: int = 1,
    **options,
) -> DetectionData:
    """Scenes of shapes of this seed, so many to train and to test. options: of `shape_scenes`."""
    return DetectionData(
        "simulated scenes",
        SHAPES,
        Kept(shape_scenes(train, seed=seed, **options), keys=tuple(keys), mirror=True),
        Kept(shape_scenes(test, "test", seed=seed, **options), keys=tuple(keys)),
        photographs=False,
        longer=longer,
    )


def coco_to_learn_from() -> Path | None:
    """COCO's folder, if its training pictures are there as well."""
    folder = real.find("coco")
    return folder if folder and (folder / "train2017").is_dir() else None


def _photographs(keys: tuple[str, ...], held_out: int = 500) -> DetectionData | None:
    """Pascal VOC or COCO, if there."""
    masks = "masks" in keys
    if voc := real.find("pascal_voc"):
        folder = voc / "VOCdevkit" / "VOC2012"
        reader = real.VocSegmentation if masks else real.VocDetection
        name, train, test = "Pascal VOC 2012", reader(folder, "train"), reader(folder, "val")
    elif coco := coco_to_learn_from():
        name, train, test = "COCO 2017", real.Coco(coco, "train2017"), real.Coco(coco, "val2017")
    else:
        return None
    some = Subset(test, range(min(held_out, len(test))))
    return DetectionData(
        name,
        train.classes,
        Photographs(train, train=True, masks=masks),
        Kept(Photographs(some, train=False, masks=masks), keys=(*keys, "iscrowd")),
        photographs=True,
    )


def warmup_steps(optimizer: torch.optim.Optimizer, total_steps: int) -> LambdaLR:
    """The usual schedule of detectors: up in a line, then a tenth from 2/3 and again from 11/12."""
    rising = min(500, max(1, total_steps // 20))

    def factor(step: int) -> float:
        drops = (step >= total_steps * 2 / 3) + (step >= total_steps * 11 / 12)
        return min(1, (step + 1) / rising) * 0.1**drops

    return LambdaLR(optimizer, factor)


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


def imagenet_backbone(**options) -> ResNetFPN:
    """ResNet-50 with a pyramid, from torchvision's ImageNet weights, as in the papers.

    Where the weights can neither be found nor fetched, it says so, and all layers start at random
    and are trained, with batch normalisation. options: of `ResNetFPN`.
    """
    backbone = ResNetFPN(**options)
    try:
        load_pretrained(backbone.body, TORCHVISION_WEIGHTS["resnet50"], drop=["fc"])
        return backbone
    except ConnectionError as error:
        if is_first_process():
            say(f"the backbone starts from random weights ({error})")
        return ResNetFPN(**{**options, "norm": nn.BatchNorm2d, "trainable_layers": 5})


def detect(
    model: nn.Module, images: Sequence[Tensor], *, batch_size: int | None = None
) -> list[dict[str, Tensor]]:
    """What a detector finds in each image (3, H, W), on the CPU; the model's mode is kept.

    batch_size: None is 50 scenes, or 8 pictures as large as photographs.
    """
    return _ask(model, model, images, batch_size)


def propose(
    model: nn.Module, images: Sequence[Tensor], *, batch_size: int | None = None
) -> list[dict[str, Tensor]]:
    """What the first stage of a two-stage detector finds; otherwise as `detect`."""
    return _ask(model, model.propose, images, batch_size)


def second_look(
    model: FasterRCNN, images: Sequence[Tensor], boxes: Sequence[Tensor], *, batch_size: int = 10
) -> list[dict[str, Tensor]]:
    """What the second stage finds where it is told to look; otherwise as `detect`.

    boxes: for each image (n, 4), in its pixels, in the place of proposals.
    """
    device = next(model.parameters()).device
    found = []
    with evaluating(model):
        for i in range(0, len(images), batch_size):
            some = [image.to(device) for image in images[i : i + batch_size]]
            batch, _ = model.prepare(some, training=False)
            given = [
                resize_boxes(b.to(device), old, new)
                for b, old, new in zip(
                    boxes[i : i + batch_size], batch.original_sizes, batch.sizes, strict=True
                )
            ]
            answers = model.roi_detections(model.backbone(batch.tensors), given, batch.sizes)
            for answer in restore_boxes(answers, batch):
                found.append({key: value.cpu() for key, value in answer.items()})
    return found


def _ask(
    model: nn.Module, question: Callable, images: Sequence[Tensor], batch_size: int | None
) -> list[dict[str, Tensor]]:
    if batch_size is None:
        batch_size = 50 if all(max(image.shape[1:]) <= 256 for image in images) else 8
    device = next(model.parameters()).device
    found = []
    with evaluating(model):
        for i in range(0, len(images), batch_size):
            answers = question([image.to(device) for image in images[i : i + batch_size]])
            found += [{key: value.cpu() for key, value in answer.items()} for answer in answers]
    return found


def average_precision_interval(
    detections: Sequence[dict[str, Tensor]],
    targets: Sequence[dict[str, Tensor]],
    *,
    iou_thresholds: Sequence[float] = (0.5,),
    iou_type: str = "bbox",
    together: int = 1,
    n: int = 1000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """(AP, low, high): average precision, with its 95 % bootstrap interval over the pictures.

    It tells how the AP of these weights could have come out on other pictures. iou_thresholds:
    (0.5,) gives AP50; of several, the mean. iou_type: "segm" compares `masks`. together: so many
    pictures in a row are not independent (of one scene, say), and are drawn together. n: draws.
    """
    matches = _matches(detections, targets, iou_type, iou_thresholds)
    statistics = average_precision_of_draws(matches, _times(len(targets), together, n, seed))
    return _average_precision(matches), *quantiles(statistics)


def average_precision_gain(
    detections: Sequence[dict[str, Tensor]],
    others: Sequence[dict[str, Tensor]],
    targets: Sequence[dict[str, Tensor]],
    *,
    iou_thresholds: Sequence[float] = COCO_IOU_THRESHOLDS,
    iou_type: str = "bbox",
    together: int = 1,
    n: int = 1000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """(gain, low, high): how much higher the AP of `detections` is than that of `others`.

    The 95 % bootstrap interval is paired: each time, both are scored on the same drawn pictures.
    Where 0 is outside it, these weights are better than those on pictures of this kind; whether the
    *method* is better is for several trainings to tell (`repeated`). iou_thresholds: (0.5,)
    compares AP50; default COCO's ten, for AP. iou_type: "segm" compares `masks`. together, n: as in
    `average_precision_interval`.
    """
    times = _times(len(targets), together, n, seed)
    both = [_matches(found, targets, iou_type, iou_thresholds) for found in (detections, others)]
    ours, theirs = (average_precision_of_draws(matches, times) for matches in both)
    gain = _average_precision(both[0]) - _average_precision(both[1])
    return gain, *quantiles(ours - theirs)


def _matches(detections, targets, iou_type, iou_thresholds) -> Matches:
    if not len(targets):
        raise ValueError("targets must be of one picture at least, got none")
    return match_images(
        detections, targets, iou_type=iou_type, iou_thresholds=iou_thresholds, limit=100
    )


def _times(pictures: int, together: int, n: int, seed: int) -> np.ndarray:
    if together < 1 or pictures % together:
        raise ValueError(f"together must divide the {pictures} pictures, but is {together}")
    return times_drawn(pictures // together, n, seed).repeat(together, axis=1)


def _average_precision(matches: Matches) -> float:
    """Of each picture once."""
    once = np.ones((1, matches.images), dtype=np.int64)
    return average_precision_of_draws(matches, once).item()


def mistakes(
    found: dict[str, Tensor], target: dict[str, Tensor], *, least: float = 0.5
) -> tuple[int, int]:
    """(missed, false) of a picture: objects not found, and boxes without an object of their class.

    found: `boxes`, `scores`, `labels`. least: boxes with a lower score are not reported.
    """
    missed = false = 0
    for label in torch.cat([found["labels"], target["labels"]]).unique():
        reported = (found["labels"] == label) & (found["scores"] >= least)
        true = target["boxes"][target["labels"] == label]
        claimed = match_detections(found["boxes"][reported], found["scores"][reported], true) >= 0
        missed, false = missed + len(true) - int(claimed.sum()), false + int((~claimed).sum())
    return missed, false


def best_and_worst(
    found: Sequence[dict], targets: Sequence[dict], count: int, *, least: float = 0.5
) -> tuple[list[int], list[str]]:
    """Which `count` pictures have no or few `mistakes`, which `count` the most; with titles.

    First those without, crowded ones before others; then those with most, the worst last.
    """
    wrong = [mistakes(*pair, least=least) for pair in zip(found, targets, strict=True)]
    order = sorted(range(len(wrong)), key=lambda i: (sum(wrong[i]), -len(targets[i]["boxes"])))
    chosen = [*order[:count], *order[-count:]]
    titles = [
        f"{len(targets[i]['boxes'])} objects: {wrong[i][0]} missed, {wrong[i][1]} false"
        for i in chosen
    ]
    return chosen, titles


@torch.no_grad()
def anchor_answers(
    model: RetinaNet, images: Sequence[Tensor], targets: Sequence[dict[str, Tensor]]
) -> list[tuple[Tensor, Tensor]]:
    """(logits, one-hot truth), both (anchors, classes), of each picture's decided anchors.

    They are what the model's `classification_loss` is called with; on the CPU.
    """
    told, loss = [], model.classification_loss

    def record(logits: Tensor, truth: Tensor, reduction: str) -> Tensor:
        told.append((logits.cpu(), truth.cpu()))
        return loss(logits, truth, reduction=reduction)

    device = next(model.parameters()).device
    with evaluating(model):
        model.classification_loss = record
        model.training = True  # asks for losses; its parts stay in evaluation mode
        try:
            for image, target in zip(images, targets, strict=True):
                on_device = {key: value.to(device) for key, value in target.items()}
                model([image.to(device)], [on_device])
        finally:
            model.classification_loss = loss
    return told


def validation(dataset: Kept) -> Callable[[nn.Module], dict[str, float]]:
    """For `fit`: a function from a detector to its AP and AP50 on a data set."""

    def measure(model: nn.Module) -> dict[str, float]:
        report = coco_average_precision(detect(model, dataset.images), dataset.targets)
        return {"AP": float(report["map"]), "AP50": float(report["map_50"])}

    return measure
