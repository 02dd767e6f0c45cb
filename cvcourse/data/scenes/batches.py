"""From samples to batches, for a DataLoader's `collate_fn`."""

import torch
from torch import Tensor


def collate(batch: list[tuple[Tensor, dict]]) -> tuple[list[Tensor], list[dict]]:
    """For detection: a list of images and a list of targets, as torchvision's detectors take."""
    images, targets = zip(*batch, strict=True)
    return list(images), list(targets)


def stack(batch: list[tuple[Tensor, dict]]) -> tuple[Tensor, dict[str, Tensor]]:
    """For dense tasks: images (B, 3, H, W), and of the targets what has one shape in every scene.

    That is semantic, depth, normals, light, image_id and dense extras; of clips also flow,
    occluded, camera and action. What differs with the number of objects is left out.
    """
    images, targets = zip(*batch, strict=True)
    per_object = {"boxes", "labels", "masks", "area", "iscrowd", "full_boxes", "visibility",
                  "colors", "poses", "object_depth", "full_masks"}  # fmt: skip
    dense = [name for name in targets[0] if name not in per_object]
    columns = {name: [torch.as_tensor(target[name]) for target in targets] for name in dense}
    return torch.stack(images), {name: torch.stack(column) for name, column in columns.items()}
