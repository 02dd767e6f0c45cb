"""Pictures and what is said of them, for lesson 42b: scenes of two shapes, or COCO's captions."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcourse.classroom.device import fewer
from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects.asking import Thing, things_of
from cvcourse.classroom.subjects.detecting import SHAPES, coco_to_learn_from, shape_scenes
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.classroom.training.fit import fit, warmup_cosine
from cvcourse.data.captions import relations, words
from cvcourse.data.real import CocoCaptions
from cvcourse.data.scenes.surfaces import COLORS
from cvcourse.losses.feature_extractor import IMAGENET_MEAN, IMAGENET_STD

MEAN, STD = (torch.tensor(x)[:, None, None] for x in (IMAGENET_MEAN, IMAGENET_STD))
PADDING, START, END, UNKNOWN = "", "<start>", "<end>", "<rare>"
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


class Captioned(NamedTuple):
    """Pictures (N, 3, H, W), captions of each, and what is in each (nothing where nobody knows)."""

    images: Tensor
    captions: list[tuple[str, ...]]
    things: list[list[Thing]]


def captioned(run: Run, split: str, *, seed: int) -> Captioned:
    """Scenes; at scale full COCO's pictures and captions, where they are present.

    split: "train", "val" or "test", of COCO parts of train2017 and val2017.
    """
    sizes = {"train": run.pick(small=3000, full=10_000), "val": 200}
    count = fewer(sizes.get(split, run.pick(small=300, full=1000)), 40)
    if run.scale == "full" and (folder := coco_to_learn_from()):
        return coco_captioned(folder, split, count)
    scenes = captioned_scenes(count, split, seed=seed)
    return with_mirror_images(scenes) if split == "train" else scenes


def with_mirror_images(scenes: Captioned) -> Captioned:
    """Four times as many scenes: as they are, mirrored, upside down, and both; said anew."""
    parts = []
    for flipped in ((), (-1,), (-2,), (-1, -2)):
        side = scenes.images.shape[-1]
        things = [[_moved(thing, flipped, side) for thing in some] for some in scenes.things]
        parts.append(Captioned(scenes.images.flip(flipped), list(map(said, things)), things))
    images, captions, things = zip(*parts, strict=True)
    return Captioned(torch.cat(images), list(chain(*captions)), list(chain(*things)))


def _moved(thing: Thing, flipped: tuple[int, ...], side: int) -> Thing:
    x, y = thing.place
    return thing._replace(
        place=(side - x if -1 in flipped else x, side - y if -2 in flipped else y)
    )


def coco_captioned(folder: Path, split: str, count: int) -> Captioned:
    """`count` of COCO's pictures at most, resized to (3, 64, 64), and their captions in small
    letters; "val" is the first tenth of val2017, "test" the rest."""
    dataset = CocoCaptions(folder, "train2017" if split == "train" else "val2017")
    tenth = -(-len(dataset) // 10)
    start, stop = {"train": (0, None), "val": (0, tenth), "test": (tenth, None)}[split]
    pairs = [dataset[i] for i in range(len(dataset))[start:stop][:count]]
    images = [F.interpolate(image[None], (64, 64), mode="area")[0] for image, _ in pairs]
    captions = [
        tuple(" ".join(words(caption.lower())[:16]) for caption in target["captions"])
        for _, target in pairs
    ]
    return Captioned(torch.stack(images), captions, [[] for _ in pairs])


def captioned_scenes(count: int, split: str = "train", *, seed: int = 0) -> Captioned:
    """Scenes (3, 64, 64) of two shapes that stand apart, each with the captions of `said`.

    Scenes in which there was no room for the second shape are left out.
    """
    options = {"size": 64, "objects": 2, "placement": "apart", "scale": (0.3, 0.45)}
    options |= {"background": "plain", "texture": 0.5}
    scenes = shape_scenes(2 * count + 20, split, seed=seed, **options)
    pairs = list(islice((pair for pair in scenes if len(pair[1]["labels"]) == 2), count))
    things = [things_of(target) for _, target in pairs]
    return Captioned(torch.stack([image for image, _ in pairs]), list(map(said, things)), things)


def said(things: Sequence[Thing]) -> tuple[str, str, str]:
    """Three captions of one fact: where one of two things is, seen from the other.

    They begin with the left one, or, where the two are farther apart in height, with the upper one.
    """
    (x, y), (u, v) = (thing.place for thing in things)
    axis = int(abs(y - v) > abs(x - u))
    first, second = sorted(things, key=lambda thing: thing.place[axis])
    one, relation, other = _a(first.name), ("left of", "above")[axis], _a(second.name)
    to = ("to the left of", "above")[axis]
    return (
        f"{one} {relation} {other}",
        f"there is {one} {to} {other}",
        f"{one} is {relation} {other}",
    )


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


class Fact(NamedTuple):
    """What a caption says: two names, in its order, and the relation of the first to the second."""

    first: str
    relation: str
    second: str


def fact_of(caption: str) -> Fact | None:
    """None where it does not say two colours, two shapes and one relation."""
    told = words(caption)
    colors, shapes = ([word for word in told if word in known] for known in (COLORS, SHAPES[1:]))
    found = [relation for relation in OPPOSITE if f" {relation} " in f" {caption} "]
    if (len(colors), len(shapes), len(found)) != (2, 2, 1):
        return None
    first, second = map(" ".join, zip(colors, shapes, strict=True))
    return Fact(first, found[0], second)


def names_right(caption: str, things: Sequence[Thing]) -> bool:
    """Whether a caption names the two things, whatever it says of where they are."""
    fact = fact_of(caption)
    return fact is not None and sorted([fact.first, fact.second]) == sorted(t.name for t in things)


def facts_right(caption: str, things: Sequence[Thing]) -> bool:
    """Whether all that a caption says is true: both names, and a relation that holds."""
    fact = fact_of(caption)
    if fact is None or not names_right(caption, things):
        return False
    places = [(a, b) for a in things for b in things if a is not b]
    return any(
        fact.relation in relations(*(torch.tensor([thing.place]) for thing in pair))
        for pair in places
        if [thing.name for thing in pair] == [fact.first, fact.second]
    )


def vocabulary_of(captions: Sequence[Sequence[str]], *, least: int = 1) -> tuple[str, ...]:
    """PADDING, START, END, UNKNOWN, and each word that is said `least` times or more, sorted."""
    counts = Counter(word for some in captions for caption in some for word in words(caption))
    kept = sorted(word for word, count in counts.items() if count >= least)
    return (PADDING, START, END, UNKNOWN, *kept)


def encode(captions: Sequence[str], vocabulary: Sequence[str]) -> Tensor:
    """(N, words) indices in a vocabulary: START, the words, END, PADDING up to the longest."""
    place = {word: i for i, word in enumerate(vocabulary)}
    unknown = place[UNKNOWN]
    rows = [
        torch.tensor([place[word] if word in (START, END) else place.get(word, unknown)
                      for word in (START, *words(caption), END)])
        for caption in captions
    ]  # fmt: skip
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=place[PADDING])


def decode(rows: Sequence[Sequence[int]], vocabulary: Sequence[str]) -> list[str]:
    return [" ".join(vocabulary[word] for word in row) for row in rows]


class Cells(nn.Module):
    """A trunk whose last map's cells lie side by side, as channels: an average over cells does not
    say in which cell a thing was.

    Pictures (N, 3, 64, 64) in [0, 1] to one map (N, 64 cells, 1, 1); trunk: of 64 last channels.
    """

    def __init__(self, trunk: nn.Module, cells: int = 16) -> None:
        super().__init__()
        self.trunk, self.out_channels = trunk, (64 * cells,)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.trunk((images - MEAN.to(images)) / STD.to(images))
        return [maps[-1].flatten(1)[..., None, None]]


class Seen(nn.Module):
    """In place of a trunk: for pictures that it has looked at before."""

    def forward(self, features: Tensor) -> list[Tensor]:
        return [features]


class _Last(nn.Module):
    def forward(self, maps: list[Tensor]) -> Tensor:
        return maps[-1]


@torch.no_grad()
def seen_by(trunk: nn.Module, images: Tensor) -> Tensor:
    """The last of a trunk's maps, for each picture."""
    device = next(trunk.parameters()).device
    with evaluating(trunk):
        return torch.cat([trunk(some.to(device))[-1].cpu() for some in images.split(100)])


def learn_words(
    trunk: nn.Module,
    data: Captioned,
    vocabulary: Sequence[str],
    steps: int,
    generator: torch.Generator,
) -> None:
    """Train a trunk to tell which words will be said of a picture, and which neighbours of words
    ("red disk") that are in one of a hundred captions or more; in no order: a classification.

    trunk: images to maps, of which the last is (N, channels, 1, 1).
    """
    device, place = next(trunk.parameters()).device, _features_of(data, vocabulary)
    bags = torch.zeros(len(data.captions), len(place))
    for bag, some in zip(bags, data.captions, strict=True):
        bag[[place[key] for caption in some for key in _keys(caption) if key in place]] = 1.0
    head = nn.Linear(trunk.out_channels[-1], len(place))
    model = nn.Sequential(trunk, _Last(), nn.Flatten(), head.to(device))

    def loss(model: nn.Module, some: Tensor) -> Tensor:
        told = model(data.images[some.cpu()].to(device))
        return F.binary_cross_entropy_with_logits(told, bags[some.cpu()].to(device))

    chosen = [torch.randint(len(bags), (32,), generator=generator) for _ in range(steps)]
    fit(model, chosen, loss, steps=steps, lr=3e-3, scheduler=warmup_cosine, live=False)


def _keys(caption: str) -> list[tuple[str, ...]]:
    told = words(caption)
    return [(word,) for word in told] + list(pairwise(told))


def _features_of(data: Captioned, vocabulary: Sequence[str]) -> dict[tuple[str, ...], int]:
    counts = Counter(key for some in data.captions for caption in some for key in _keys(caption))
    least = sum(map(len, data.captions)) / 100
    kept = sorted(
        key
        for key, count in counts.items()
        if (count >= least if len(key) == 2 else key[0] in vocabulary)
    )
    return {key: i for i, key in enumerate(kept)}
