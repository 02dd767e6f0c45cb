"""Object or background: grey scenes, and two ways to tell that need no network.

One is a threshold after the slow part of the light is taken off, tuned as far as it goes; the other
is trees that judge each pixel by what is around it.
"""

from collections.abc import Sequence
from itertools import islice, product

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.classroom.device import rehearsal
from cvcourse.data._extras import extra
from cvcourse.data.scenes import Scenes, stack

with extra("lessons", "cvcourse.classroom.subjects.foreground"):
    from scipy import ndimage

SCALE = (0.25, 0.6)  # of the circle around an object, in sides of the picture
SPREADS, EXTREMES, DISTANCES = (2, 4, 8, 16), (7, 15, 31), (6, 12, 24)  # in pixels
LEAF_PIXELS, LEAVES = (5, 50), (15, 63)  # of a forest at least, of a boosted tree at most
LIGHTS, SIDES, ROUNDS = (0, 5, 10, 15, 25), ((1,), (-1,), (1, -1)), (0, 1, 2)
CUTS, OPENINGS = (0.1, 0.2, 0.3, 0.4, 0.5), (0, 1, 2, 3)  # of a chance; rounds of opening


def grey_scenes(
    count: int,
    split: str,
    *,
    seed: int,
    scale: tuple[float, float] = SCALE,
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


def halves_by_contrast(
    images: Float[Tensor, "count 1 height width"],
    masks: Bool[Tensor, "count height width"],
    values: Float[Tensor, "count"],
) -> dict[str, Tensor]:
    """`values` of the faint scenes and of the strong ones: two halves, parted at the median.

    The contrast of a scene is the mean of its object pixels less the mean of the others.
    """
    pairs = zip(images[:, 0], masks, strict=True)
    contrast = torch.stack(
        [image[mask].mean() - image[~mask].mean() for image, mask in pairs]
    ).abs()
    strong = contrast > contrast.median()
    return {"faint": values[~strong], "strong": values[strong]}


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


def surroundings(images: Float[Tensor, "pictures 1 height width"]) -> list[np.ndarray]:
    """Of each picture (height * width, 62): what a pixel and its surroundings are like.

    24 of scikit-image's trainable segmentation (blurs, edges and the two curvatures at six widths),
    the spread at four widths, least and largest at three, how much the blurred picture differs in
    eight directions at three distances; place and rank in the picture, and the picture's contrast.
    """
    return [_surroundings(image) for image in images[:, 0].numpy()]


def _surroundings(image: np.ndarray) -> np.ndarray:
    from skimage.feature import multiscale_basic_features

    height, width = image.shape
    known = list(np.moveaxis(multiscale_basic_features(image, sigma_max=16), 2, 0))
    for wide in SPREADS:
        square = ndimage.gaussian_filter(image**2, wide)
        known.append(np.sqrt((square - ndimage.gaussian_filter(image, wide) ** 2).clip(0)))
    for wide in EXTREMES:
        known += [ndimage.minimum_filter(image, wide), ndimage.maximum_filter(image, wide)]
    soft = ndimage.gaussian_filter(image, 2)
    for far in DISTANCES:
        padded = np.pad(soft, far, mode="symmetric")
        for down, right in product((0, far, 2 * far), repeat=2):
            if (down, right) != (far, far):
                known.append(padded[down : down + height, right : right + width] - soft)
    known += list(np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j])
    known.append(image.ravel().argsort().argsort().reshape(image.shape) / image.size)
    known.append(np.full_like(image, image.std()))
    return np.stack(known, axis=-1).reshape(height * width, -1).astype(np.float32)


class PixelClassifier:
    """Masks by trees that judge one pixel at a time; images (N, 1, H, W) to bool (N, H, W).

    trees: of scikit-learn, fitted to `surroundings`. stage: how many rounds of boosted trees are
        asked (None: all there are). setting: the cut of the chance, and the rounds of `cleaned`;
        `tune` chooses it, and notes its mean IoU as `tuned_iou`.
    """

    def __init__(self, trees, stage: int | None = None, setting: tuple[float, int] = (0.5, 0)):
        self.trees, self.stage, self.setting = trees, stage, setting

    def __call__(
        self, images: Float[Tensor, "pictures 1 height width"]
    ) -> Bool[Tensor, "pictures height width"]:
        return _masks_of(self.chances(surroundings(images), images[0, 0].shape), *self.setting)

    def chances(self, known: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
        """(pictures, height, width): how likely each pixel is an object's, from `surroundings`."""
        pixels = np.concatenate(known)
        if self.stage is None:
            chances = self.trees.predict_proba(pixels)
        else:
            chances = next(islice(self.trees.staged_predict_proba(pixels), self.stage - 1, None))
        return chances[:, 1].reshape(len(known), *shape)

    def tune(self, known: Sequence[np.ndarray], masks: Tensor) -> "PixelClassifier":
        """Take the setting, of 20, with the highest mean IoU on these pictures, and note both."""
        chances = self.chances(known, masks[0].shape)
        scores = {pair: _iou(_masks_of(chances, *pair), masks) for pair in product(CUTS, OPENINGS)}
        self.setting = max(scores, key=scores.get)
        self.tuned_iou = scores[self.setting]
        return self


def _masks_of(chances: np.ndarray, cut: float, rounds: int) -> Tensor:
    return torch.from_numpy(np.array([cleaned(mask, rounds) for mask in chances > cut]))


def pixel_classifiers(
    images: Float[Tensor, "pictures 1 height width"],
    masks: Bool[Tensor, "pictures height width"],
    *,
    tune_on: tuple[Tensor, Tensor],
    pixels: int = 100_000,
    stages: Sequence[int] = (50, 150, 300),
    seed: int = 0,
) -> dict[str, PixelClassifier]:
    """Random forests and boosted trees of several sizes, by what they are.

    pixels: how many, drawn from all pictures, they learn from; forests from two in five of them.
    tune_on: other pictures and their masks, on which each is tuned. stages: rounds of boosting.
    A rehearsal of lines learns little.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    if rehearsal() == "lines":
        pixels, stages = 600, (1, 2)
    chosen = np.random.default_rng(seed).permutation(masks.numel())[:pixels]
    of_picture, pixel = np.divmod(chosen, masks[0].numel())
    known = np.empty((len(chosen), 62), np.float32)
    for i in np.unique(of_picture):
        known[of_picture == i] = surroundings(images[i : i + 1])[0][pixel[of_picture == i]]
    names = masks.flatten().numpy()[chosen]
    some = slice(len(chosen) * 2 // 5)
    found = {}
    for leaf in LEAF_PIXELS:
        forest = RandomForestClassifier(20, min_samples_leaf=leaf, random_state=seed)
        forest.fit(known[some], names[some])
        found[f"forest, {leaf} pixels a leaf"] = PixelClassifier(forest)
    for leaves in LEAVES:
        trees = HistGradientBoostingClassifier(
            max_iter=max(stages), learning_rate=0.2, max_leaf_nodes=leaves,
            early_stopping=False, random_state=seed,
        ).fit(known, names)  # fmt: skip
        for stage in stages:
            found[f"boosted, {leaves} leaves, {stage} rounds"] = PixelClassifier(trees, stage)
    others = surroundings(tune_on[0])
    return {name: classifier.tune(others, tune_on[1]) for name, classifier in found.items()}
