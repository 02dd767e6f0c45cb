"""What is said of pictures of shapes: questions, captions, names, statements; and their regions.

Four tasks of one form, for lesson 42. Each example has one row or several: a sentence and a scene.

    vqa           1 row    a question                                     an answer of `ANSWERS`
    retrieval     4 rows   four captions of a scene, one of them true     which
    grounding     1 row    "the leftmost star"                            which object
    verification  2 rows   a statement about two scenes, said twice       false or true (0 or 1)

Sentences are made from what the simulator knows; a model sees only what a detector found in the
pixels (`look`).
"""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from operator import attrgetter
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcourse.classroom.device import rehearsal
from cvcourse.classroom.history import History
from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects.detecting import (
    SHAPES,
    SIDE,
    detect,
    shape_scenes,
)
from cvcourse.classroom.subjects.instances import roialign_mask_rcnn
from cvcourse.classroom.training.evaluation import evaluating
from cvcourse.classroom.training.fit import fit, warmup_cosine
from cvcourse.classroom.training.weights import load_shared
from cvcourse.data.captions import plural
from cvcourse.data.captions import words as split
from cvcourse.data.scenes import Scenes
from cvcourse.data.scenes.surfaces import COLORS
from cvcourse.models import MaskRCNN, TwelveInOne
from cvcourse.models.language.twelve_in_one import TaskOutput
from cvcourse.ops import box_iou, nms, roi_align

TASKS = ("vqa", "retrieval", "grounding", "verification")
KINDS = {
    "vqa": ("colour", "shape", "count", "where"),
    "retrieval": ("which caption",),
    "grounding": ("name", "outermost"),
    "verification": ("both", "more"),
}
OUTERMOST = {"leftmost": (0, -1), "rightmost": (0, 1), "highest": (1, -1), "lowest": (1, 1)}
CORNERS = ("top left", "top right", "bottom left", "bottom right")
ANSWERS = (*COLORS, *SHAPES[1:], *"01234", *CORNERS)
FIRST, MASK = "[CLS]", "[MASK]"
_SAID = (
    *COLORS, *SHAPES[1:], *(plural(shape, 2) for shape in SHAPES[1:]), *OUTERMOST,
    "what color shape is the one", "how many are there", "a thing", "both pictures have something",
    "left picture has more things", "where", "and",
)  # fmt: skip
WORDS = ("", FIRST, MASK, *sorted(set(split(" ".join(_SAID)))))
HEAD, CUT = 128, 144  # features of a region, from the detector's head and from its first map
PARTS = 16  # what is left of each
FEATURES = 2 * PARTS
CLEAR = 10.0  # pixels by which the outermost thing is ahead; half of it from a middle line


class Thing(NamedTuple):
    """An object of a scene: its shape and colour in words, and its centre in pixels."""

    shape: str
    color: str
    place: tuple[float, float]

    @property
    def name(self) -> str:
        return f"{self.color} {self.shape}"


class Example(NamedTuple):
    kind: str
    sentences: tuple[str, ...]  # one for each row
    scenes: tuple[int, ...]  # as many
    answer: int


class Examples(NamedTuple):
    """Examples of one task as numbers; words are indices in `WORDS`, 0 where there is none."""

    tokens: Tensor  # (N, rows, words), each beginning with FIRST
    scenes: Tensor  # (N, rows)
    target: Tensor  # (N,); of grounding (N, regions), the IoU of each with the one that is meant
    kinds: list[str]


class Captions(NamedTuple):
    """Captions of which one word of each thing is hidden, for pre-training."""

    tokens: Tensor  # (N, words), with MASK in the place of hidden words
    target: Tensor  # (N, words): the hidden words, -100 elsewhere
    scenes: Tensor  # (N,)


class Regions(NamedTuple):
    """What a detector tells of each scene. The first region is the whole picture."""

    features: Tensor  # (S, regions, HEAD + CUT), in a `World` (S, regions, FEATURES)
    boxes: Tensor  # (S, regions, 5): x1, y1, x2, y2, share of the area, all in 0 to 1
    mask: Tensor  # (S, regions) bool: there is such a region


class World(NamedTuple):
    """Scenes, what a detector found in them, and what is said of them."""

    images: list[Tensor]
    targets: list[dict]
    regions: Regions
    things: list[list[Thing]]
    made: dict[str, list[Example]]
    examples: dict[str, Examples]


class Amounts(NamedTuple):
    """How many scenes and sentences to learn from and to judge by, and how many updates."""

    first_scenes: int  # of pre-training
    captions: int
    first_steps: int
    scenes: int
    examples: int  # of each task
    held_scenes: int
    held_examples: int
    iterations: int
    every: int  # iterations between two looks at the validation scores


def amounts(run: Run) -> Amounts:
    """By the run's scale; a handful in a rehearsal."""
    if rehearsal() == "lines":
        return Amounts(40, 80, 10, 40, 80, 40, 80, 2, 1)
    small = Amounts(2000, 20_000, 1500, 1000, 8000, 400, 500, 400, 20)
    return run.pick(
        small=small, full=Amounts(20_000, 200_000, 30_000, 10_000, 80_000, 2000, 4000, 6000, 200)
    )


def world(split: str, length: int, counts: Mapping[str, int], *, seed: int = 0) -> World:
    """`length` scenes and `counts[task]` examples of each task, seen by lesson 12's detector.

    Of each of the two groups of a region's features, the `PARTS` principal components of 100
    training scenes are left, brought to mean 0 and deviation 1.
    """
    detector, mean, axes = shipped_detector()
    scenes = talk_scenes(length, split, seed=seed)
    pairs = [scenes[i] for i in range(length)]
    images = [image for image, _ in pairs]
    keys = "boxes", "labels", "colors", "poses"
    targets = [{key: target[key] for key in keys} for _, target in pairs]
    regions = look(detector, images)
    features = (regions.features - mean) @ axes * regions.mask[..., None]
    regions = regions._replace(features=features)
    things = [things_of(target) for target in targets]
    made = {task: examples(task, things, count, seed=seed) for task, count in counts.items()}
    numbers = {task: as_numbers(some, targets, regions) for task, some in made.items()}
    return World(images, targets, regions, things, made, numbers)


@cache
def shipped_detector() -> tuple[MaskRCNN, Tensor, Tensor]:
    """Lesson 12's Mask R-CNN (with RoIAlign), and the mean and the principal axes of its features.

    The axes (HEAD + CUT, 2 PARTS) are divided by the deviation along them.
    """
    detector = roialign_mask_rcnn()
    load_shared(detector, "12-roialign")
    scenes = talk_scenes(100)
    regions = look(detector.eval(), [scenes[i][0] for i in range(100)])
    told = regions.features[regions.mask]
    axes = torch.zeros(HEAD + CUT, 2 * PARTS)
    for i, rows in enumerate((slice(0, HEAD), slice(HEAD, None))):
        centred = told[:, rows] - told[:, rows].mean(0)
        _, sizes, directions = torch.linalg.svd(centred, full_matrices=False)
        of_group = slice(i * PARTS, (i + 1) * PARTS)
        axes[rows, of_group] = directions[:PARTS].T / sizes[:PARTS] * len(told) ** 0.5
    return detector, told.mean(0), axes


def talk_scenes(length: int, split: str = "train", *, seed: int = 0) -> Scenes:
    """Scenes of two to four shapes that stand apart, 24 to 38 pixels across."""
    apart = {"placement": "apart", "objects": (2, 4), "scale": (0.25, 0.4)}
    return shape_scenes(length, split, seed=seed, **apart)


def things_of(target: dict) -> list[Thing]:
    places = target["poses"][:, :2].tolist()
    kinds = zip(target["labels"].tolist(), target["colors"].tolist(), places, strict=True)
    return [Thing(SHAPES[label], COLORS[color], tuple(place)) for label, color, place in kinds]


@torch.no_grad()
def look(
    detector: MaskRCNN, images: Sequence[Tensor], *, most: int = 6, least: float = 0.2
) -> Regions:
    """The regions that a detector finds in pictures, and what its layers say there.

    Of boxes that overlap by an IoU of more than a half the surest stays, whatever its class; then
    the `most` surest, each with a score of `least` or more. The features: 128 numbers of the second
    stage's last hidden layer, and 3 × 3 × 16 cut from the trunk's first map by RoIAlign.
    """
    device = next(detector.parameters()).device
    features = torch.zeros(len(images), most + 1, HEAD + CUT)
    boxes, mask = torch.zeros(len(images), most + 1, 5), torch.zeros(len(images), most + 1).bool()
    whole, scale = torch.tensor([[0.0, 0, SIDE, SIDE]]), torch.tensor([SIDE] * 4)
    for i in range(0, len(images), 50):
        some, kept = [image.to(device) for image in images[i : i + 50]], []
        for found in detect(detector, some):
            sure = found["scores"] >= least
            given, scores = found["boxes"][sure], found["scores"][sure]
            kept.append(torch.cat([whole, given[nms(given, scores, 0.5)[:most]]]).to(device))
        with evaluating(detector):
            batch, _ = detector.prepare(some, training=False)
            trunk = detector.backbone.body(batch.tensors)
            levels, heads = detector.backbone.fpn(trunk), detector.roi_heads
            cut = heads.pool(levels, kept, batch.sizes, heads.pool_size)
            first = roi_align(trunk[0], kept, 3, spatial_scale=0.25, sampling_ratio=2)
            told = torch.cat([heads.box_head(cut), first.flatten(1)], 1).cpu()
        for j, (box, row) in enumerate(
            zip(kept, told.split([len(b) for b in kept]), strict=True), i
        ):
            n, unit = len(box), box.cpu() / scale
            area = (unit[:, 2:] - unit[:, :2]).prod(1, keepdim=True)
            features[j, :n], boxes[j, :n], mask[j, :n] = row, torch.cat([unit, area], 1), True
    return Regions(features, boxes, mask)


def examples(
    task: str, scenes: Sequence[list[Thing]], count: int, *, seed: int = 0
) -> list[Example]:
    """`count` examples of a task about these scenes; of its kinds in turn.

    Answers are balanced where they can be: as many statements are true as false, and of the counts
    that a scene has for its four shapes each is as likely.
    """
    if task not in KINDS:
        raise ValueError(f"task must be one of {TASKS}, got {task!r}")
    draw, made = random.Random(f"{task} {seed}"), []
    makers = [_MAKERS[kind] for kind in KINDS[task]]
    while len(made) < count:
        found = makers[len(made) % len(makers)](draw, scenes)
        if found is not None:
            made.append(Example(KINDS[task][len(made) % len(makers)], *found))
    return made


def _one(draw: random.Random, scenes) -> tuple[int, list[Thing]]:
    at = draw.randrange(len(scenes))
    return at, scenes[at]


def _unique(things: list[Thing], key: Callable[[Thing], str]) -> list[Thing]:
    keys = [key(thing) for thing in things]
    return [thing for thing, one in zip(things, keys, strict=True) if keys.count(one) == 1]


def _property(draw, scenes, *, question: str, known: str, wanted: str):
    """Of the one thing whose `known` property no other has."""
    at, things = _one(draw, scenes)
    if some := _unique(things, attrgetter(known)):
        asked = draw.choice(some)
        said = question.format(getattr(asked, known))
        return (said,), (at,), ANSWERS.index(getattr(asked, wanted))
    return None


_colour = partial(_property, question="what color is the {}", known="shape", wanted="color")
_shape = partial(_property, question="what shape is the {} one", known="color", wanted="shape")


def _count(draw, scenes):
    at, things = _one(draw, scenes)
    counts = {shape: sum(thing.shape == shape for thing in things) for shape in SHAPES[1:]}
    wanted = draw.choice(sorted(set(counts.values())))
    shape = draw.choice([shape for shape, count in counts.items() if count == wanted])
    return (f"how many {plural(shape, 2)} are there",), (at,), ANSWERS.index(str(wanted))


def _where(draw, scenes):
    at, things = _one(draw, scenes)
    if some := _unique(things, attrgetter("shape")):
        asked = draw.choice(some)
        x, y = (place - SIDE / 2 for place in asked.place)
        if min(abs(x), abs(y)) > CLEAR / 2:
            corner = f"{'top' if y < 0 else 'bottom'} {'left' if x < 0 else 'right'}"
            return (f"where is the {asked.shape}",), (at,), ANSWERS.index(corner)
    return None


def _caption(draw, scenes):
    """One true caption and three false ones: shapes exchanged, another colour, another shape."""
    at, things = _one(draw, scenes)
    names = {thing.name for thing in things}
    first, second = draw.sample(things, 2)
    exchanged = first._replace(shape=second.shape), second._replace(shape=first.shape)
    if all(thing.name in names for thing in exchanged):
        return None

    def changed(field: str, choices: tuple[str, ...]) -> tuple[Thing, Thing]:
        one = draw.randrange(2)
        others = [(first, second)[one]._replace(**{field: choice}) for choice in choices]
        other = draw.choice([other for other in others if other.name not in names])
        return (other, second) if one == 0 else (first, other)

    pairs = [(first, second), exchanged, changed("color", COLORS), changed("shape", SHAPES[1:])]
    options = [f"{one.name} and {other.name}" for one, other in pairs]
    order = draw.sample(range(4), 4)
    return tuple(options[i] for i in order), (at,) * 4, order.index(0)


def _name(draw, scenes):
    at, things = _one(draw, scenes)
    if some := _unique(things, attrgetter("name")):
        meant = draw.choice(some)
        return (f"the {meant.name}",), (at,), things.index(meant)
    return None


def _outermost(draw, scenes):
    at, things = _one(draw, scenes)
    shapes = [thing.shape for thing in things]
    groups = ["thing", *sorted({shape for shape in shapes if shapes.count(shape) > 1})]
    word, group = draw.choice(sorted(OUTERMOST)), draw.choice(groups)
    axis, sign = OUTERMOST[word]
    some = [thing for thing in things if group in ("thing", thing.shape)]
    some.sort(key=lambda thing: -sign * thing.place[axis])
    if abs(some[0].place[axis] - some[1].place[axis]) > CLEAR:
        return (f"the {word} {group}",), (at,), things.index(some[0])
    return None


def _both(draw, scenes):
    """False where one of the two pictures has it, either one."""
    field = draw.choice(("shape", "color"))
    value = draw.choice(SHAPES[1:] if field == "shape" else COLORS)
    true, pair = draw.random() < 0.5, []
    for wanted in (True, true):
        while True:
            at, things = _one(draw, scenes)
            if wanted == any(getattr(thing, field) == value for thing in things):
                break
        pair.append(at)
    draw.shuffle(pair)
    said = f"both pictures have {'a ' + value if field == 'shape' else 'something ' + value}"
    return (said,) * 2, tuple(pair), int(true)


def _more(draw, scenes):
    shape = draw.choice(SHAPES[1:])
    pair = [_one(draw, scenes) for _ in range(2)]
    counts = [sum(thing.shape == shape for thing in things) for _, things in pair]
    if counts[0] != counts[1]:
        said = f"the left picture has more {plural(shape, 2)}"
        return (said,) * 2, tuple(at for at, _ in pair), int(counts[0] > counts[1])
    return None


_MAKERS = {
    "colour": _colour, "shape": _shape, "count": _count, "where": _where,
    "which caption": _caption, "name": _name, "outermost": _outermost, "both": _both, "more": _more,
}  # fmt: skip


def encode(given: Sequence[str]) -> Tensor:
    """(N, words) indices in `WORDS`: FIRST, the words, 0 up to the longest sentence.

    Raises ValueError for a word that is not in WORDS.
    """
    place, rows = {word: i for i, word in enumerate(WORDS)}, []
    for sentence in given:
        said = split(sentence)
        if unknown := [word for word in said if word not in place]:
            raise ValueError(f"sentences must be of known words, got {unknown[0]!r}")
        rows.append(torch.tensor([place[FIRST], *(place[word] for word in said)]))
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)


def as_numbers(made: Sequence[Example], targets: Sequence[dict], regions: Regions) -> Examples:
    """Examples of one task as numbers, for regions and targets of the same scenes."""
    rows = len(made[0].scenes)
    tokens = encode([sentence for example in made for sentence in example.sentences])
    scenes = torch.tensor([example.scenes for example in made])
    target = torch.tensor([example.answer for example in made])
    if made[0].kind in KINDS["grounding"]:
        target = torch.stack([
            box_iou(regions.boxes[at, :, :4] * SIDE, targets[at]["boxes"][i : i + 1])[:, 0]
            * regions.mask[at]
            for at, i in zip(scenes[:, 0].tolist(), target.tolist(), strict=True)
        ])  # fmt: skip
        target[:, 0] = 0  # the whole picture is no answer
    return Examples(tokens.view(len(made), rows, -1), scenes, target, [e.kind for e in made])


def hidden_words(scenes: Sequence[list[Thing]], count: int, *, seed: int = 0) -> Captions:
    """`count` captions that name all things of a scene, "red disk and teal star", in any order.

    Of each thing the colour or the shape is hidden, so that a look at the picture must tell it.
    """
    draw = random.Random(f"captions {seed}")
    full, hidden, chosen = [], [], []
    for _ in range(count):
        at, things = _one(draw, scenes)
        things = draw.sample(things, len(things))
        full.append(" and ".join(thing.name for thing in things))
        hidden.append([1 + 3 * i + draw.randrange(2) for i in range(len(things))])
        chosen.append(at)
    words = encode(full)  # FIRST, colour, shape, "and", colour, shape, ...
    mask = torch.zeros_like(words, dtype=torch.bool)
    for row, places in zip(mask, hidden, strict=True):
        row[places] = True
    tokens = words.masked_fill(mask, WORDS.index(MASK))
    return Captions(tokens, words.masked_fill(~mask, -100), torch.tensor(chosen))


def panel(world: World, task: str, i: int, out) -> tuple[Tensor, dict, dict, str]:
    """For `show_boxes`: a picture, the box that is meant, the one pointed at, and what is said.

    Of example i of "vqa" or "grounding"; out: what a model says to it alone, `vqa` or `regions`.
    """
    example, none = world.made[task][i], {"boxes": torch.zeros(0, 4)}
    at, said = example.scenes[0], example.sentences[0]
    if task == "vqa":
        told = ANSWERS[int(out.vqa.argmax())]
        return world.images[at], none, none, f"{said}\n{told} (true: {ANSWERS[example.answer]})"
    pointed = world.regions.boxes[at, out.regions[0].argmax(), :4] * SIDE
    meant = world.targets[at]["boxes"][example.answer]
    return world.images[at], {"boxes": meant[None]}, {"boxes": pointed[None]}, said


def without_a_look(world: World, task: str, kind: str) -> float:
    """The best share of right answers of one kind without a look at any picture.

    The answer that is most frequent in these very examples; in "grounding", one of the detector's
    boxes at random.
    """
    some = world.examples[task]
    which = torch.tensor([of_one == kind for of_one in some.kinds])
    if task == "grounding":
        boxes = world.regions.mask[some.scenes[which, 0], 1:].sum(1)
        return ((some.target[which] >= 0.5).sum(1) / boxes.clamp(min=1)).mean().item()
    told = some.target[which]
    return (told.bincount().max() / len(told)).item()


def shuffled(world: World, seed: int = 0) -> World:
    """The same with the words of each sentence in another order; FIRST stays in front."""
    g, changed = torch.Generator().manual_seed(seed), {}
    for task, some in world.examples.items():
        key = torch.rand(some.tokens.shape, generator=g)
        key[some.tokens == 0] = 2.0  # where no word is, none comes
        key[..., 0] = -1.0
        changed[task] = some._replace(tokens=some.tokens.gather(-1, key.argsort(-1)))
    return world._replace(examples=changed)


def fill_gaps(
    model: TwelveInOne, regions: Regions, captions: Captions, which: Tensor
) -> tuple[Tensor, Tensor]:
    """Logits (hidden words, WORDS) and truth of the words that are hidden in some captions."""
    device = next(model.parameters()).device
    tokens, at = captions.tokens[which], captions.scenes[which]
    seen, there = (regions.features[at], regions.boxes[at]), regions.mask[at]
    given = tokens, *seen, torch.full_like(at, len(TASKS)), tokens > 0, there
    out = model(*(x.to(device) for x in given)).pretraining.words[:, 2:]  # not FIRST, not the task
    truth = captions.target[which, 1:].to(device)
    return out[truth >= 0], truth[truth >= 0]


def pretrain(model: TwelveInOne, amounts: Amounts) -> History:
    """Train `model` to fill the gaps in captions of training scenes; it has a task more."""
    scenes = world("train", amounts.first_scenes, {}, seed=100)
    captions = hidden_words(scenes.things, amounts.captions)
    g = torch.Generator().manual_seed(0)
    batches = [
        torch.randint(amounts.captions, (64,), generator=g) for _ in range(amounts.first_steps)
    ]

    def loss(model: TwelveInOne, which: Tensor) -> Tensor:
        return F.cross_entropy(*fill_gaps(model, scenes.regions, captions, which))

    return fit(
        model, batches, loss, steps=amounts.first_steps, lr=3e-3, scheduler=warmup_cosine,
        gradient_clip=1.0, live=False,
    )  # fmt: skip


class BagOfWords(nn.Module):
    """Called as `TwelveInOne`: each region is looked at alone, with the counts of the words.

    Then the regions are added up, and one more layer answers. No order of words, no attention.
    """

    def __init__(self, seed: int, width: int = 128) -> None:
        torch.manual_seed(seed)
        super().__init__()
        first = nn.Linear(len(WORDS) + FEATURES + 5, width)
        self.each = nn.Sequential(first, nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.mix = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.regions, self.fit = nn.Linear(width, 1), nn.Linear(width, 1)
        self.vqa = nn.Linear(width, len(ANSWERS))
        self.pair = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(
        self,
        tokens: Tensor,
        regions: Tensor,
        boxes: Tensor,
        tasks: Tensor,
        there: Tensor,
        region_there: Tensor,
    ) -> TaskOutput:
        bag = 2 * (F.one_hot(tokens, len(WORDS)) * there[..., None]).sum(1).float()
        seen = torch.cat([regions, 4 * boxes], 2)
        x = self.each(torch.cat([bag[:, None].expand(-1, seen.shape[1], -1), seen], 2))
        scores = self.regions(x)[..., 0] - 1e4 * (~region_there)
        whole = self.mix((x * region_there[..., None]).sum(1) / 3)
        pair = self.pair(whole.view(-1, 2 * whole.shape[1])) if len(whole) % 2 == 0 else None
        return TaskOutput(self.vqa(whole), None, self.fit(whole), None, pair, scores, None, None)
