"""What the lessons that name every pixel share: label maps, their scores, a rival."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cvcourse.classroom.device import choose_device
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.metrics import boundary_iou, confusion_matrix, mean_iou
from cvcourse.ops import box_area

VOID = 255  # a label that is not judged


@torch.no_grad()
def label_maps(
    model: nn.Module,
    images: Float[Tensor, "images channels height width"],
    *,
    logits_of: Callable[[nn.Module, Tensor], Tensor] = lambda model, images: model(images),
    batch: int = 50,
) -> Int64[Tensor, "images height width"]:
    """The likeliest class of each pixel, on the CPU; the model is moved to the course's device.

    logits_of: from model and pictures to logits (B, classes, H, W).
    """
    device = choose_device()
    model.to(device)
    with evaluating(model):
        parts = [logits_of(model, part.to(device)).argmax(1).cpu() for part in images.split(batch)]
    return torch.cat(parts)


def matrices(
    maps: Int64[Tensor, "images height width"],
    labels: Int64[Tensor, "images height width"],
    classes: int,
) -> Int64[Tensor, "images classes classes"]:
    """One confusion matrix for each picture, true classes in rows; VOID pixels are left out."""
    return torch.stack(
        [
            confusion_matrix(m, t, classes, ignore_index=VOID)
            for m, t in zip(maps, labels, strict=True)
        ]
    )


def outlines(
    maps: Int64[Tensor, "images height width"],
    labels: Int64[Tensor, "images height width"],
    classes: int,
    *,
    dilation_ratio: float = 0.02,
) -> Float[Tensor, " images"]:
    """Boundary IoU of each picture, the mean over the classes but background that occur in it.

    dilation_ratio: as for `boundary_iou`. nan where neither map nor truth has an object.
    """
    maps = maps.masked_fill(labels == VOID, VOID)
    each = [
        boundary_iou(maps == c, labels == c, dilation_ratio=dilation_ratio)
        for c in range(1, classes)
    ]
    return torch.stack(each, 1).nanmean(1)


def area_score(
    maps: Int64[Tensor, "images height width"],
    labels: Int64[Tensor, "images height width"],
    classes: int,
) -> float:
    """Mean IoU over all pixels that are not VOID."""
    return mean_iou(matrices(maps, labels, classes).sum(0)).item()


def label_scores(
    maps: Int64[Tensor, "images height width"],
    labels: Int64[Tensor, "images height width"],
    names: Sequence[str],
) -> dict[str, float]:
    """ "mIoU", "edges" (the mean of `outlines`), and the IoU of each class but background by name.

    names: of all classes, background first.
    """
    each = mean_iou(matrices(maps, labels, len(names)).sum(0), average="none")
    edges = outlines(maps, labels, len(names)).nanmean()
    values = each.nanmean(), edges, *each[1:]
    return dict(zip(("mIoU", "edges", *names[1:]), map(float, values), strict=True))


def filled_boxes(target: Mapping[str, Tensor], side: int) -> Int64[Tensor, "side side"]:
    """The labels of a perfect detector: every box filled with its class, large ones first.

    target: "boxes" (N, 4), and "labels" (N,) on from 1; what is in no box is 0.
    """
    filled = torch.zeros(side, side, dtype=torch.int64)
    for i in box_area(target["boxes"]).argsort(descending=True).tolist():
        left, top, right, bottom = target["boxes"][i].long().tolist()
        filled[top:bottom, left:right] = target["labels"][i]
    return filled


def print_scores(rows: Mapping[str, Mapping[str, float]]) -> None:
    """A line for each method, and a column for each score; all rows have the first row's scores."""
    keys = list(next(iter(rows.values())))
    width = max(map(len, rows)) + 1
    print(" " * width + "".join(f"{key:>11s}" for key in keys))
    for name, scores in rows.items():
        print(f"{name:{width}s}" + "".join(f"{scores[key]:11.3f}" for key in keys))


def filtered(
    channels: Sequence[np.ndarray], filters: Sequence[tuple[Callable, float]]
) -> np.ndarray:
    """(pixels, channels * filters): what each pixel of a picture has around it.

    channels: (H, W) each. filters: of `scipy.ndimage`, each with its width in pixels.
    """
    planes = [apply(channel, width).ravel() for channel in channels for apply, width in filters]
    return np.stack(planes, axis=1)


class Forest:
    """A random forest that labels each pixel by filtered colours around it.

    Its channels are the brightness and the chromaticity (red's and green's share of the sum)
    beside the picture's medians; each is blurred at five scales, with its slope and its Laplacian.

    images, labels: (N, 3, H, W) and (N, H, W), of which `pixels` a picture are drawn to learn from.
    trees, seed: of the forest; the seed also draws the pixels.
    """

    SCALES = (0.5, 1, 2, 4, 8)

    def __init__(
        self,
        images: Float[Tensor, "images 3 height width"],
        labels: Int64[Tensor, "images height width"],
        *,
        pixels: int = 100,
        trees: int = 30,
        seed: int = 0,
    ):
        from sklearn.ensemble import RandomForestClassifier

        draw = np.random.default_rng(seed)
        known, names = [], []
        for image, truth in zip(images, labels, strict=True):
            chosen = draw.choice(np.flatnonzero(truth.numpy() != VOID), pixels)
            known.append(self._features(image)[chosen])
            names.append(truth.flatten().numpy()[chosen])
        self._forest = RandomForestClassifier(trees, min_samples_leaf=5, random_state=seed)
        self._forest.fit(np.concatenate(known), np.concatenate(names))

    def __call__(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> Int64[Tensor, "images height width"]:
        names = [self._forest.predict(self._features(image)) for image in images]
        return torch.from_numpy(np.stack(names)).reshape(len(images), *images.shape[2:])

    def _features(self, image: Tensor) -> np.ndarray:
        """(H W, 45)."""
        from scipy import ndimage

        total = image.sum(0).clamp(min=1e-3)
        channels = torch.stack([total / 3, image[0] / total, image[1] / total])
        channels = channels - channels.flatten(1).median(1).values[:, None, None]
        kinds = (
            ndimage.gaussian_filter,
            ndimage.gaussian_gradient_magnitude,
            ndimage.gaussian_laplace,
        )
        return filtered(channels.numpy(), [(kind, s) for s in self.SCALES for kind in kinds])
