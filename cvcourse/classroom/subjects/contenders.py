"""Ways to learn from pictures, old and plain, that newer ones are compared with.

Each gives a model on a trunk, and its loss of a batch (images, their numbers): `fit` does the rest.
A trunk is as in `probing`, an `nn.Sequential` of blocks; `look` makes other views of a batch.
"""

import copy
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvcourse import methods
from cvcourse.classroom.device import choose_device
from cvcourse.classroom.subjects.pretexts import Loss, loss_of_answers
from cvcourse.classroom.subjects.probing import block_features
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.data.augmentations import augmentation
from cvcourse.metrics import confusion_matrix, mean_iou

View = Callable[[Tensor], Tensor]
Learner = tuple[nn.Module, Loss]
ORDERS, TILE = 24, 7  # of a jigsaw: how many orders of its nine tiles, and their side in pixels
CLUSTERS = 50


class Look(nn.Module):
    """A chain of SimCLR's augmentations on square images (B, 3, size, size), drawn anew each time.

    names: of `cvcourse.data.augmentations`; none leaves images as they are. "crop" keeps half of
        the area or more, so that something is left of a small thing.
    """

    def __init__(self, *names: str, size: int = 24) -> None:
        from kornia.augmentation import RandomResizedCrop

        super().__init__()
        crop = RandomResizedCrop((size, size), (0.5, 1.0), resample="bilinear")
        self.parts = nn.Sequential(
            *(crop if name == "crop" else augmentation(name, size) for name in names)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.parts(images)


def pooled(trunk: nn.Sequential) -> nn.Sequential:
    """Images to the means of the trunk's last maps (B, channels)."""
    return nn.Sequential(trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def tells_turns(trunk: nn.Sequential, look: View, *, channels: int) -> Learner:
    """By how many quarters is each view turned? All four turns of each are asked (RotNet)."""
    model = nn.Sequential(pooled(trunk), nn.Linear(channels, 4))
    return model, loss_of_answers(lambda images, _: methods.rotate(look(images)))


def tells_labels(
    trunk: nn.Sequential,
    look: View,
    images: Tensor,
    labels: Tensor,
    only: Tensor | None = None,
    *,
    channels: int,
) -> Learner:
    """Which label has each view? only: numbers of the pictures whose labels are known.

    The few are drawn anew for each batch, as many as it has.
    """
    model = nn.Sequential(pooled(trunk), nn.Linear(channels, int(labels.max()) + 1))

    def ask(_: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        if only is not None:
            numbers = only[torch.randint(len(only), (len(numbers),))]
        return look(images[numbers]), labels[numbers]

    return model, loss_of_answers(ask)


class Puzzle(nn.Module):
    """Nine tiles (B, 9, C, h, w), each through the trunk alone, to logits of their orders."""

    def __init__(self, trunk: nn.Sequential, *, channels: int) -> None:
        super().__init__()
        self.tile = nn.Sequential(pooled(trunk), nn.Linear(channels, 32), nn.ReLU())
        self.order = nn.Sequential(nn.Linear(9 * 32, 64), nn.ReLU(), nn.Linear(64, ORDERS))

    def forward(self, tiles: Tensor) -> Tensor:
        each = self.tile(tiles.flatten(0, 1)).unflatten(0, tiles.shape[:2])
        return self.order(each.flatten(1))


def solves_puzzles(trunk: nn.Sequential, look: View, *, channels: int) -> Learner:
    """In which of 24 orders do the nine tiles of each view come? (Jigsaw)"""
    model = Puzzle(trunk, channels=channels)
    orders = methods.jigsaw_permutations(ORDERS, 9, "max_min")
    return model, loss_of_answers(
        lambda images, _: methods.make_puzzles(look(images), orders, TILE)
    )


def tells_clusters(
    trunk: nn.Sequential,
    look: View,
    images: Tensor,
    cluster: Callable[[nn.Sequential, int], Tensor],
    *,
    channels: int,
    every: int | None,
) -> Learner:
    """In which of 50 clusters is each view's picture? DeepCluster; with `every` None, ClusterFit.

    cluster: from the trunk, on the CPU, and the number of the step to a label for each of `images`.
    every: so many steps, the labels are made anew and the classifier begins again.

    A label counts in inverse proportion to its pictures, as if clusters were drawn evenly.
    """
    head = nn.Linear(channels, CLUSTERS)
    model, found, step = nn.Sequential(pooled(trunk), head), torch.empty(0), 0

    def loss(net: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        nonlocal found, step
        if step == 0 or (every and step % every == 0):
            found = cluster(copy.deepcopy(trunk).cpu(), step)
            methods.reset_classifier(head)
        step += 1
        even = len(images) / CLUSTERS / found.bincount(minlength=CLUSTERS).clamp(1)
        x, y = look(batch[0].cpu()), found[batch[1].cpu()]
        return F.cross_entropy(
            *(part.to(choose_device()) for part in (net(x.to(choose_device())), y, even))
        )

    return model, loss


def last_features(trunk: nn.Sequential, images: Tensor) -> Tensor:
    """(N, at most about 300) of the last block, as the lessons' probes see them."""
    return block_features(trunk, images, numbers=300)[-1]


def _of_pixels(trunk: nn.Sequential, images: Tensor) -> Tensor:
    """(pixels, 1 + channels of all blocks), float64: 1, and what each block says at a pixel."""
    found, x = [torch.ones(len(images), 1, *images.shape[2:])], images
    with evaluating(trunk):
        for block in trunk:
            x = block(x)
            found.append(F.interpolate(x, images.shape[2:], mode="bilinear"))
    return torch.cat(found, 1).permute(0, 2, 3, 1).flatten(0, 2).double()


def segment_linearly(
    trunk: nn.Sequential,
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    num_classes: int,
) -> float:
    """mIoU on `test` of a linear map from a frozen trunk's blocks, at each pixel, to classes.

    train, test: images (N, C, H, W) and labels of pixels (N, H, W). Least squares with a small
    ridge, in which all classes of `train` count alike.
    """
    f, labels = _of_pixels(trunk, train[0]), train[1].flatten()
    target = F.one_hot(labels, num_classes).double()
    weight = (1 / target.sum(0))[labels, None]
    square = f.T @ (weight * f)
    ridge = 1e-4 * square.trace() / len(square) * torch.eye(len(square), dtype=f.dtype)
    answer = torch.linalg.solve(square + ridge, f.T @ (weight * target))
    found = (_of_pixels(trunk, test[0]) @ answer).argmax(1).view_as(test[1])
    return float(mean_iou(confusion_matrix(found, test[1], num_classes)))
