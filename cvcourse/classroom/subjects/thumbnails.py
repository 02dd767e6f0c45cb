"""STL-10's photographs as thumbnails: to learn from without names, and to be read by a probe.

What lessons 28, 29 and 31 add at scale full, where the data are there.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from cvcourse.classroom.printing import say
from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects import probing
from cvcourse.data import real


class Thumbnails(NamedTuple):
    """Pictures (N, 3, side, side) in [0, 1]; of all but `unnamed` with their kinds (N,), 0 to 9.

    train, val: four fifths and one fifth of the labelled training photographs.
    """

    unnamed: Tensor
    train: probing.Split
    val: probing.Split
    test: probing.Split


def find(run: Run, *, side: int = 24, margin: int = 0, most: int = 100_000) -> Thumbnails | None:
    """The photographs, shrunk by the means of areas, at scale full; None elsewhere, or without.

    margin: pixels that the unnamed ones have besides on each side, where a view may look.
    most: of the unnamed ones, the first so many.
    """
    folder = real.find("stl10") if run.scale == "full" else None
    say(f"photographs of STL-10: {folder or 'none; they belong to scale full'}")
    if folder is None:
        return None

    def shrunk(split: str) -> probing.Split:
        data = real.Stl10(folder / "stl10_binary", split)
        count = min(len(data), most) if split == "unlabeled" else len(data)
        loader = DataLoader(Subset(data, range(count)), 250)
        parts = [F.interpolate(x, size=side + 2 * margin, mode="area") for x, _ in loader]
        return torch.cat(parts), data.labels[:count]

    (unnamed, _), train, (images, labels) = map(shrunk, ("unlabeled", "train", "test"))
    x, y = middle(train[0], side), train[1]
    fifth = torch.arange(len(x)) % 5 == 0
    return Thumbnails(
        unnamed, (x[~fifth], y[~fifth]), (x[fifth], y[fifth]), (middle(images, side), labels)
    )


def middle(images: Tensor, side: int) -> Tensor:
    """The middle of pictures (N, C, H, W): (N, C, side, side)."""
    top, left = ((size - side) // 2 for size in images.shape[2:])
    return images[:, :, top : top + side, left : left + side]


class Drawn:
    """A loader of `steps` batches (images, labels), drawn with replacement; of each the middle.

    labels: -1 for all unless given. Iterated twice, it gives the same batches. The other loaders
    of the lessons (`painted.Painted`, `missing.HuedDigits`) are called alike.
    """

    def __init__(
        self,
        steps: int,
        batch: int = 64,
        *,
        images: Tensor,
        labels: Tensor | None = None,
        side: int = 24,
        seed: int = 0,
    ) -> None:
        self.steps, self.batch, self.seed = steps, batch, seed
        self.images = middle(images, side)
        self.labels = torch.full((len(images),), -1) if labels is None else labels

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.steps):
            chosen = torch.randint(len(self.images), (self.batch,), generator=generator)
            yield self.images[chosen], self.labels[chosen]


def print_read(
    make: Callable[[], nn.Sequential],
    ways: Mapping[str, Callable[[nn.Sequential, int], object]],
    photos: Thumbnails,
    seed: int,
    *,
    numbers: int = 300,
) -> dict[str, list[float]]:
    """Train a trunk in each way, from the same first weights, and print how well its blocks read.

    make: a new trunk, from PyTorch's generator. ways: each trains a trunk in place, with a `seed`.

    Returns, by way, for each block the share of the test's kinds that a linear probe reads.
    """
    scores = {}
    for name, way in ways.items():
        torch.manual_seed(seed)
        trunk = make()
        way(trunk, seed=seed)
        splits = photos.train, photos.val, photos.test
        features = [probing.block_features(trunk, x, numbers=numbers) for x, _ in splits]
        labels = [y for _, y in splits]
        scores[name] = [
            probing.probe(*zip(of_block, labels, strict=True))["linear"]
            for of_block in zip(*features, strict=True)
        ]
        read = "".join(f"{share:9.3f}" for share in scores[name])
        say(f"{name:24s} kinds read by a linear probe, block by block: {read}")
    say("guessed 0.1; one training each")
    return scores
