"""What every detector of the course does before and after its network.

Pictures of different sizes come in as a list, are normalised, resized and padded into one batch;
the targets follow; boxes found are scaled back. Sizes and rounding are those of torchvision 0.28.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_tensor, is_binary, what_is_in

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Size = tuple[int, int]


class ImageBatch(NamedTuple):
    """Pictures as the network sees them, zeros at the right and bottom of the smaller ones."""

    tensors: Float[Tensor, "batch channels height width"]
    sizes: list[Size]  # (height, width) of each within its padding
    original_sizes: list[Size]

    @property
    def padded_size(self) -> Size:
        return tuple(self.tensors.shape[-2:])


class ImagePreparation:
    """Normalise, resize, pad.

    Args:
        min_size: length of the shorter side; of several, one is drawn for each picture while
            training and the last one holds otherwise. None leaves pictures as they are.
        max_size: the longer side is never longer.
        mean, std: of each channel, subtracted and divided by. Where they are those of pictures
            between 0 and 1, the first pictures are looked at: 0 to 255 is an error.
        size_divisible: height and width of the batch are padded to multiples of it.
    """

    def __init__(
        self,
        *,
        min_size: int | Sequence[int] | None,
        max_size: int,
        mean: Sequence[float],
        std: Sequence[float],
        size_divisible: int,
    ) -> None:
        self.min_sizes = (min_size,) if isinstance(min_size, int) else min_size
        self.max_size = max_size
        self.mean, self.std = mean, std
        self.size_divisible = size_divisible
        self.looked = max(*mean, *std) > 1  # of pictures that are not between 0 and 1

    def __call__(
        self,
        images: Sequence[Tensor],
        targets: Sequence[dict[str, Tensor]] | None = None,
        *,
        training: bool,
    ) -> tuple[ImageBatch, list[dict[str, Tensor]] | None]:
        check_images(images, channels=len(self.mean))
        if not self.looked:  # at the first pictures alone, since a GPU has to wait for it
            check_range(images)
            self.looked = True
        original_sizes = [tuple(image.shape[-2:]) for image in images]
        sizes = [self._new_size(*size, training) for size in original_sizes]
        mean = images[0].new_tensor(self.mean)[:, None, None]
        std = images[0].new_tensor(self.std)[:, None, None]
        multiple = self.size_divisible
        height, width = (-(-max(side) // multiple) * multiple for side in zip(*sizes, strict=True))
        batch = images[0].new_zeros(len(images), images[0].shape[0], height, width)
        for i, (image, size) in enumerate(zip(images, sizes, strict=True)):
            normalised = (image - mean).div_(std)
            batch[i, :, : size[0], : size[1]] = _resize(normalised[None], size, mode="bilinear")[0]
        prepared = ImageBatch(batch, sizes, original_sizes)
        if targets is None:
            return prepared, None
        return prepared, [
            _resize_target(target, old, new)
            for target, old, new in zip(targets, original_sizes, sizes, strict=True)
        ]

    def _new_size(self, height: int, width: int, training: bool) -> Size:
        if self.min_sizes is None:
            return height, width
        # drawn even from a single size: a seed then means what it does in torchvision
        choice = int(torch.rand(1, device="cpu").item() * len(self.min_sizes)) if training else -1
        scale = min(self.min_sizes[choice] / min(height, width), self.max_size / max(height, width))
        new_height, new_width = int(height * scale), int(width * scale)
        if min(new_height, new_width) == 0:
            raise ValueError(
                f"images: nothing is left of {height}×{width} pixels at max_size={self.max_size}"
            )
        return new_height, new_width


def resize_boxes(
    boxes: Float[Tensor, "boxes 4"], old_size: Size, new_size: Size
) -> Float[Tensor, "boxes 4"]:
    """Boxes of a picture of `old_size` (height, width), in a picture of `new_size`.

    In float32 at least. The two ratios are rounded to float32, as torchvision does even for float64
    boxes.
    """
    (boxes,) = as_float(boxes)
    if old_size == new_size:
        return boxes
    (old_height, old_width), (new_height, new_width) = old_size, new_size
    ratio = torch.tensor([new_width, new_height], dtype=torch.float32, device=boxes.device)
    ratio = ratio / ratio.new_tensor([old_width, old_height])
    return boxes * ratio.repeat(2).to(boxes.dtype)


def check_images(images: Sequence[Tensor], *, channels: int) -> None:
    """Raise a `ValueError` unless images are float tensors (channels, height, width)."""
    if len(images) == 0:
        raise ValueError("images: expected at least one")
    for i, image in enumerate(images):
        check_tensor(f"images[{i}]", image)
        sound = image.ndim == 3 and image.shape[0] == channels and image.numel() > 0
        if not sound or not image.is_floating_point():
            raise ValueError(
                f"images[{i}]: expected floats of shape ({channels}, height, width) between 0 and "
                f"1, got {image.dtype} of shape {tuple(image.shape)}"
            )


def check_range(images: Sequence[Tensor]) -> None:
    """Raise a `ValueError` for pictures that seem to go from 0 to 255."""
    for i, image in enumerate(images):
        if image.amax() > 10:
            raise ValueError(
                f"images[{i}]: expected floats between 0 and 1 for this mean and deviation, "
                f"got {what_is_in(image)}"
            )


def check_targets(
    images: Sequence[Tensor],
    targets: Sequence[dict[str, Tensor]] | None,
    *,
    labels: range,
    masks: bool = False,
) -> None:
    """Raise a `ValueError` that names the picture and the box where training could not go on.

    Shapes and dtypes cost nothing; the values of all boxes and labels are looked at in one go (one
    synchronisation on a GPU), since a bad box would end as a loss of nan without a hint; and those
    of masks that are not bool, since a loss on 255 falls without end.
    """
    if targets is None or len(targets) != len(images):
        raise ValueError(
            f"targets: expected one dictionary for each of {len(images)} images while training, "
            f"got {None if targets is None else len(targets)}"
        )
    for i, (image, target) in enumerate(zip(images, targets, strict=True)):
        missing = {"boxes", "labels", *(["masks"] if masks else [])} - set(target)
        if missing:
            raise ValueError(f"targets[{i}]: no {sorted(missing)} in {sorted(target)}")
        for key in ("boxes", "labels", "masks") if masks else ("boxes", "labels"):
            check_tensor(f"targets[{i}][{key!r}]", target[key])
        boxes = target["boxes"]
        if boxes.ndim != 2 or boxes.shape[1] != 4 or not boxes.is_floating_point():
            raise ValueError(
                f"targets[{i}]['boxes']: expected floats of shape (boxes, 4), (0, 4) where nothing "
                f"is to be found, got {boxes.dtype} of shape {tuple(boxes.shape)}"
            )
        if target["labels"].dtype != torch.int64 or target["labels"].shape != boxes.shape[:1]:
            raise ValueError(
                f"targets[{i}]['labels']: expected int64 of shape ({len(boxes)},), got "
                f"{target['labels'].dtype} of shape {tuple(target['labels'].shape)}"
            )
        if masks and target["masks"].shape != (len(boxes), *image.shape[-2:]):
            raise ValueError(
                f"targets[{i}]['masks']: expected shape {(len(boxes), *image.shape[-2:])}, "
                f"got {tuple(target['masks'].shape)}"
            )
        if masks and not is_binary(target["masks"]):
            raise ValueError(
                f"targets[{i}]['masks']: expected bool, or 0 and 1, "
                f"got {what_is_in(target['masks'])}"
            )
    _check_values(targets, labels)


def _check_values(targets, labels) -> None:
    boxes = torch.cat([target["boxes"] for target in targets])
    classes = torch.cat([target["labels"] for target in targets])
    sound = (boxes[:, 2:] > boxes[:, :2]).all(1) & boxes.isfinite().all(1)
    known = (classes >= labels.start) & (classes < labels.stop)
    if (sound & known).all():
        return
    first = int((sound & known).int().argmin())
    box, label = boxes[first].tolist(), int(classes[first])
    places = [(i, j) for i, target in enumerate(targets) for j in range(len(target["boxes"]))]
    i, j = places[first]
    if label not in labels:
        raise ValueError(
            f"targets[{i}]['labels'][{j}]: expected {labels[0]} to {labels[-1]}, got {label}"
        )
    raise ValueError(f"targets[{i}]['boxes'][{j}]: expected finite x1 < x2 and y1 < y2, got {box}")


def _resize_target(target: dict[str, Tensor], old_size: Size, new_size: Size) -> dict[str, Tensor]:
    resized = {**target, "boxes": resize_boxes(target["boxes"], old_size, new_size)}
    if "masks" in target:
        masks = target["masks"]
        resized["masks"] = _resize(masks[:, None].float(), new_size, mode="nearest")[:, 0]
    return resized


def _resize(maps: Tensor, size: Size, *, mode: str) -> Tensor:
    if tuple(maps.shape[-2:]) == size:
        return maps
    return F.interpolate(maps, size=size, mode=mode)
