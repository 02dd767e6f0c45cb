"""Object or background: grey scenes, and two ways to tell that need no network.

One is a threshold after the slow part of the light is taken off, tuned as far as it goes; the other
is boosted trees that judge each pixel by blurs of what is around it.
"""

from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.classroom.subjects.labelling import filtered
from cvcourse.data._extras import extra
from cvcourse.data.scenes import Scenes, stack

with extra("lessons", "cvcourse.classroom.subjects.foreground"):
    from scipy import ndimage

BLURS, EDGES = (0, 1, 2, 4, 8, 16), (1, 2, 4)  # widths in pixels
LIGHTS, SIDES, ROUNDS = (0, 5, 10, 15, 25), ((1,), (-1,), (1, -1)), (0, 1, 2)
CUTS = (0.3, 0.4, 0.5, 0.6, 0.7)  # of a probability


def grey_scenes(
    count: int,
    split: str,
    *,
    seed: int,
    scale: tuple[float, float] = (0.25, 0.6),
    size: int = 64,
) -> tuple[Float[Tensor, "count 1 size size"], Bool[Tensor, "count size size"]]:
    """Disks and squares under strange light, and where they are; half over photographs, half plain.

    Pictures are grey with a mean of 0. scale: of an object, in sides of the picture. At another
    size objects grow with the picture; noise and sharpness of a pixel stay.
    """
    options = {
        "size": size, "split": split, "seed": seed, "classes": ("background", "disk", "square"),
        "objects": (1, 7), "placement": "apart", "scale": scale,
        "lighting": 3, "texture": 2, "noise": 2,
    }  # fmt: skip
    kinds = [Scenes(count // 2, background=b, **options) for b in ("photograph", "plain")]
    images, targets = stack([kind[i] for kind in kinds for i in range(count // 2)])
    images = images.mean(1, keepdim=True)
    return images - images.mean((1, 2, 3), keepdim=True), targets["semantic"] > 0


def cleaned(mask: np.ndarray, rounds: int) -> np.ndarray:
    """Holes filled; then opened so many times, which drops what is thinner than twice as much."""
    filled = ndimage.binary_fill_holes(mask)
    return ndimage.binary_opening(filled, iterations=rounds) if rounds else filled


def masks_by_threshold(
    images: Float[Tensor, "pictures 1 height width"],
    *,
    blur: float = 0,
    sides: tuple[int, ...] = (1,),
    rounds: int = 0,
) -> Bool[Tensor, "pictures height width"]:
    """What Otsu's threshold parts from the rest of each picture.

    blur: the picture so blurred is subtracted first (0: nothing is). sides: 1 for what is brighter,
        -1 for what is darker; of several, what covers least. rounds: as in `cleaned`.
    """
    from skimage.filters import threshold_otsu

    masks = []
    for image in images[:, 0].numpy():
        flat = image - ndimage.gaussian_filter(image, blur) if blur else image
        found = [cleaned(s * flat > threshold_otsu(s * flat), rounds) for s in sides]
        masks.append(min(found, key=lambda mask: mask.sum()))
    return torch.from_numpy(np.array(masks))


def tuned_threshold(
    images: Float[Tensor, "pictures 1 height width"], masks: Bool[Tensor, "pictures height width"]
) -> dict:
    """The setting of `masks_by_threshold`, of 45, with the highest mean IoU on these pictures."""

    settings = [
        {"blur": blur, "sides": sides, "rounds": rounds}
        for blur, sides, rounds in product(LIGHTS, SIDES, ROUNDS)
    ]
    return max(settings, key=lambda setting: _iou(masks_by_threshold(images, **setting), masks))


def _iou(found: Tensor, masks: Tensor) -> float:
    shared, covered = (found & masks).sum((1, 2)), (found | masks).sum((1, 2))
    return (shared / covered.clamp(min=1)).mean().item()


def surroundings(images: Float[Tensor, "pictures 1 height width"]) -> np.ndarray:
    """(pictures * height * width, 9): each pixel in six blurs, and edges at three widths."""
    filters = [(ndimage.gaussian_filter, width) for width in BLURS]
    filters += [(ndimage.gaussian_gradient_magnitude, width) for width in EDGES]
    return np.concatenate([filtered([image], filters) for image in images[:, 0].numpy()])


def pixel_classifier(
    images: Float[Tensor, "pictures 1 height width"],
    masks: Bool[Tensor, "pictures height width"],
    *,
    tune_on: tuple[Tensor, Tensor] | None = None,
    pixels: int = 60_000,
    seed: int = 0,
) -> Callable[[Tensor], Tensor]:
    """Boosted trees, trained on random pixels of the pictures; gives masks of other pictures.

    tune_on: other pictures and their masks; the cut of the probability and the rounds of `cleaned`,
        of 15 pairs, have the highest mean IoU there. Without, the cut is ½ and nothing is cleaned.
    pixels: how many at most. The result takes images (N, 1, H, W) and gives bool (N, H, W).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    order = torch.randperm(masks.numel(), generator=torch.Generator().manual_seed(seed))
    some = order[:pixels].numpy()
    trees = HistGradientBoostingClassifier(random_state=seed)
    trees.fit(surroundings(images)[some], masks.flatten().numpy()[some])

    def chances(x: Tensor) -> np.ndarray:
        return trees.predict_proba(surroundings(x))[:, 1].reshape(x[:, 0].shape)

    def masks_of(p: np.ndarray, cut: float, rounds: int) -> Tensor:
        return torch.from_numpy(np.array([cleaned(mask, rounds) for mask in p > cut]))

    if tune_on is None:
        return lambda x: torch.from_numpy(chances(x) > 0.5)
    pictures, truth = tune_on
    p = chances(pictures)
    best = max(product(CUTS, ROUNDS), key=lambda pair: _iou(masks_of(p, *pair), truth))
    return lambda x: masks_of(chances(x), *best)
