"""What the lessons that name every pixel share: label maps, their scores by picture, a rival."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from cvcourse.classroom.device import choose_device
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.metrics import boundary_iou, confusion_matrix

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


class Rules:
    """Coins and horses on a plain wall without learning: by colour, then by shape.

    What differs from the picture's usual colour by more than `different` times Otsu's threshold is
    an object; a piece whose area is more than `compact` of its convex hull's is a coin (1), any
    other a horse (2). Holes are filled; pieces of fewer than 30 pixels are background.
    """

    DIFFERENT = (0.6, 0.8, 1.0)
    COMPACT = (0.7, 0.8, 0.85, 0.9)

    def __init__(self, different: float, compact: float):
        self.different, self.compact = different, compact

    @classmethod
    def chosen_on(
        cls,
        images: Float[Tensor, "images 3 height width"],
        labels: Int64[Tensor, "images height width"],
        score: Callable[[Tensor, Tensor], float],
    ) -> "Rules":
        """The best of twelve pairs of settings by `score(maps, labels)`, the higher the better."""
        rated = {}
        for different in cls.DIFFERENT:
            pieces = [_pieces(image, different) for image in images]
            for compact in cls.COMPACT:
                maps = torch.stack([_named(*found, compact) for found in pieces])
                rated[different, compact] = score(maps, labels)
        return cls(*max(rated, key=rated.get))

    def __call__(
        self, images: Float[Tensor, "images 3 height width"]
    ) -> Int64[Tensor, "images height width"]:
        pieces = (_pieces(image, self.different) for image in images)
        return torch.stack([_named(*found, self.compact) for found in pieces])


def _pieces(image: Tensor, different: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbered pieces (H, W), and the solidity of each number; 0 is for what is no object."""
    from scipy import ndimage
    from skimage.filters import threshold_otsu
    from skimage.measure import regionprops

    usual = image.flatten(1).median(1).values[:, None, None]
    unusual = (image - usual).norm(dim=0).numpy()
    mask = ndimage.gaussian_filter(unusual, 1) > different * threshold_otsu(unusual)
    numbered, count = ndimage.label(ndimage.binary_fill_holes(ndimage.binary_opening(mask)))
    solidity = np.zeros(count + 1)
    for piece in regionprops(numbered):
        if piece.area >= 30:
            solidity[piece.label] = piece.solidity
    return numbered, solidity


def _named(numbered: np.ndarray, solidity: np.ndarray, compact: float) -> Tensor:
    names = np.where(solidity > compact, 1, 2) * (solidity > 0)
    return torch.from_numpy(names[numbered]).long()
