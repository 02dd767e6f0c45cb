"""Scenes with few objects to learn from, and large ones with many to be tested on."""

from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.data.scenes import Scenes, stack

CLASSES = ("background", "coin", "horse")


def coins_and_horses(
    split: str, count: int, *, side: int = 96, seed: int = 0
) -> tuple[
    Float[Tensor, "images 3 height width"],
    Int64[Tensor, "images height width"],
]:
    """Pictures and, for each pixel, the number of its class in `CLASSES`.

    split: "test" for pictures of four times the side with 14 to 28 objects; anything else for
        pictures of the side with one to three. Objects are of the same size in pixels, and coins
        are other ones in testing than in training.
    """
    kind = {"size": side, "objects": (1, 3), "scale": (0.5, 0.95), "split": "train"}
    if split == "test":
        kind = {"size": 4 * side, "objects": (14, 28), "scale": (0.125, 0.24), "split": "test"}
    kind |= {"classes": CLASSES, "rotation": 30, "background": "plain"}
    drawn = Scenes(count, seed=seed, **kind)
    images, target = stack([drawn[i] for i in range(count)])
    return images, target["semantic"]
