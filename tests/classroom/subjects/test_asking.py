"""Sentences about scenes, judged by reading them again, and the regions that a detector gives."""

import re
from collections import Counter
from types import SimpleNamespace

import pytest
import torch

from cvcourse.classroom.subjects import asking
from cvcourse.classroom.subjects.asking import ANSWERS, KINDS, TASKS, WORDS, Thing
from cvcourse.ops import box_iou

SCENES = [asking.things_of(asking.talk_scenes(60, "test", seed=3)[i][1]) for i in range(60)]
FAR = {"leftmost": min, "rightmost": max, "highest": min, "lowest": max}


def made(task, kind):
    return [e for e in asking.examples(task, SCENES, 120, seed=1) if e.kind == kind]


def matching(things, words):
    """Things that a few words name."""
    return [t for t in things if all(w in (t.shape, t.color, "thing") for w in words.split())]


def test_answers_about_one_thing():
    for kind, asked in (("colour", "color"), ("shape", "shape")):
        for example in made("vqa", kind):
            word = re.search(r"is the (\w+)", example.sentences[0]).group(1)
            (thing,) = matching(SCENES[example.scenes[0]], word)
            assert getattr(thing, asked) == ANSWERS[example.answer]


def test_counts():
    told = Counter()
    for example in made("vqa", "count"):
        shape = example.sentences[0].split()[2].removesuffix("s")
        count = len(matching(SCENES[example.scenes[0]], shape))
        assert str(count) == ANSWERS[example.answer]
        told[count] += 1
    assert max(told.values()) < 0.6 * sum(told.values())


def test_where():
    for example in made("vqa", "where"):
        (thing,) = matching(SCENES[example.scenes[0]], example.sentences[0].split()[-1])
        x, y = thing.place
        across, down = "right" if x > 48 else "left", "bottom" if y > 48 else "top"
        assert ANSWERS[example.answer] == f"{down} {across}"


def test_one_caption_of_four_is_true_and_one_has_the_same_words():
    for example in made("retrieval", "which caption"):
        things = SCENES[example.scenes[0]]
        assert len(set(example.scenes)) == 1
        right = example.sentences[example.answer]
        for i, sentence in enumerate(example.sentences):
            names = re.fullmatch(r"(\w+ \w+) and (\w+ \w+)", sentence).groups()
            assert all(matching(things, name) for name in names) == (i == example.answer)
        same = [s for s in example.sentences if sorted(s.split()) == sorted(right.split())]
        assert len(same) == 2


def test_what_is_meant():
    for example in made("grounding", "name"):
        things = SCENES[example.scenes[0]]
        assert matching(things, example.sentences[0][4:]) == [things[example.answer]]
    for example in made("grounding", "outermost"):
        _, word, group = example.sentences[0].split()
        some = matching(SCENES[example.scenes[0]], group)
        axis = 0 if word in ("leftmost", "rightmost") else 1
        best = FAR[word](some, key=lambda thing: thing.place[axis])
        assert len(some) > 1
        assert SCENES[example.scenes[0]][example.answer] == best


def test_statements_about_two_pictures():
    told = []
    for example in asking.examples("verification", SCENES, 200, seed=1):
        left, right = (SCENES[at] for at in example.scenes)
        word = example.sentences[0].split()[-1]
        if example.kind == "both":
            true = bool(matching(left, word)) and bool(matching(right, word))
        else:
            shape = word.removesuffix("s")
            true = len(matching(left, shape)) > len(matching(right, shape))
        assert true == bool(example.answer)
        told.append(true)
    assert 0.4 < sum(told) / 200 < 0.6


def test_all_kinds_come_in_turn_and_all_words_are_known():
    for task in TASKS:
        some = asking.examples(task, SCENES, 100, seed=2)
        assert some == asking.examples(task, SCENES, 100, seed=2)
        assert some != asking.examples(task, SCENES, 100, seed=3)
        assert set(Counter(e.kind for e in some).values()) == {100 // len(KINDS[task])}
        tokens = asking.encode([s for e in some for s in e.sentences])
        assert (tokens[:, 0] == WORDS.index(asking.FIRST)).all()
        assert [WORDS[i] for i in tokens[0] if i][1:] == some[0].sentences[0].split()


def test_hidden_words_are_one_of_each_thing():
    captions = asking.hidden_words(SCENES, 50, seed=5)
    mask = captions.target >= 0
    assert (captions.tokens[mask] == WORDS.index(asking.MASK)).all()
    for row, truth, at in zip(captions.tokens, captions.target, captions.scenes, strict=True):
        hidden = truth >= 0
        said = [WORDS[i] for i in torch.where(hidden, truth, row) if i][1:]
        names = " ".join(said).split(" and ")
        assert sorted(names) == sorted(thing.name for thing in SCENES[at])
        assert hidden.sum() == len(names)


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="'zebra'"):
        asking.encode(["the red zebra"])
    with pytest.raises(ValueError, match="task must be"):
        asking.examples("captioning", SCENES, 1)


def test_a_thing_is_told_by_colour_and_shape():
    assert Thing("disk", "red", (0.0, 0.0)).name == "red disk"


def test_a_world_is_made_of_what_the_detector_saw():
    world = asking.world("test", 12, dict.fromkeys(TASKS, 8), seed=1)
    regions = world.regions
    assert regions.features.shape == (12, 7, asking.FEATURES)
    assert regions.boxes[:, 0].tolist() == [[0, 0, 1, 1, 1]] * 12
    assert regions.mask[:, 0].all()
    assert (regions.features[~regions.mask] == 0).all()
    sides = regions.boxes[..., 2:4] - regions.boxes[..., :2]
    torch.testing.assert_close(sides.prod(2), regions.boxes[..., 4])
    meant = world.examples["grounding"].target
    assert meant.shape == (8, 7)
    assert (meant[:, 0] == 0).all()
    assert (meant.amax(1) > 0.5).float().mean() > 0.5
    assert world.examples["retrieval"].tokens.shape[:2] == (8, 4)
    assert world.examples["verification"].scenes.shape == (8, 2)


def test_a_panel_shows_what_is_said_and_pointed_at():
    world = asking.world("test", 12, dict.fromkeys(TASKS, 8), seed=1)
    example = world.made["vqa"][0]
    out = SimpleNamespace(vqa=torch.eye(len(ANSWERS))[[example.answer]])
    image, meant, pointed, said = asking.panel(world, "vqa", 0, out)
    assert image is world.images[example.scenes[0]]
    assert len(meant["boxes"]) == len(pointed["boxes"]) == 0
    answer = ANSWERS[example.answer]
    assert said == f"{example.sentences[0]}\n{answer} (true: {answer})"
    overlap = world.examples["grounding"].target
    i = int(overlap.amax(1).argmax())
    _, meant, pointed, _ = asking.panel(
        world, "grounding", i, SimpleNamespace(regions=overlap[[i]])
    )
    torch.testing.assert_close(
        box_iou(meant["boxes"], pointed["boxes"]), overlap[i].amax().view(1, 1)
    )


@pytest.fixture(scope="module")
def small_world():
    return asking.world("test", 12, dict.fromkeys(TASKS, 40), seed=1)


def test_without_a_look(small_world):
    told = Counter(e.answer for e in small_world.made["vqa"] if e.kind == "count")
    share = max(told.values()) / sum(told.values())
    assert asking.without_a_look(small_world, "vqa", "count") == pytest.approx(share)
    shares = []
    for i, example in enumerate(small_world.made["grounding"]):
        if example.kind == "name":
            there = small_world.regions.mask[example.scenes[0]][1:]
            right = small_world.examples["grounding"].target[i, 1:][there] >= 0.5
            shares.append(right.float().mean().item())
    share = sum(shares) / len(shares)
    assert asking.without_a_look(small_world, "grounding", "name") == pytest.approx(share)


def test_shuffled_sentences_have_the_same_words(small_world):
    again, moved = asking.shuffled(small_world, 3), 0
    for task in TASKS:
        old, new = small_world.examples[task].tokens, again.examples[task].tokens
        assert (new[..., 0] == WORDS.index("[CLS]")).all()
        torch.testing.assert_close(old.sort(-1).values, new.sort(-1).values)
        assert torch.equal(old > 0, new > 0)
        moved += int((old != new).sum())
    assert moved > 100


def test_a_bag_of_words_knows_no_order_and_no_region_that_is_not_there(small_world):
    some = small_world.examples["verification"]
    tokens, at = some.tokens.flatten(0, 1), some.scenes.flatten()
    features, boxes, there = (x[at] for x in small_world.regions)
    model = asking.BagOfWords(0).eval()
    out = model(tokens, features, boxes, at, tokens > 0, there)
    other = tokens.flip(1)
    moved = features.masked_fill(~there[..., None], 9.0)
    again = model(other, moved, boxes, at, other > 0, there)
    for name in ("vqa", "fit", "pair"):
        torch.testing.assert_close(getattr(out, name), getattr(again, name))
    assert out.pair.shape == (40, 2)
    assert (out.regions[~there] < -9000).all()
    first = torch.cat([torch.zeros(len(WORDS)), features[0, 0], 4 * boxes[0, 0]])
    for word in tokens[0][tokens[0] > 0].tolist():
        first[word] += 2
    assert model.regions(model.each(first)).item() == pytest.approx(
        out.regions[0, 0].item(), abs=1e-5
    )


def test_gaps_are_asked_where_words_are_hidden():
    class Copies(torch.nn.Module):  # says the word that stands at each place
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, tokens, *_):
            with_task = torch.cat([tokens[:, :1], tokens[:, :1], tokens[:, 1:]], 1)
            words = torch.nn.functional.one_hot(with_task, len(WORDS)).float() * self.scale
            return SimpleNamespace(pretraining=SimpleNamespace(words=words))

    captions = asking.hidden_words(SCENES, 20, seed=2)
    regions = asking.Regions(torch.zeros(60, 7, 32), torch.zeros(60, 7, 5), torch.ones(60, 7) > 0)
    logits, truth = asking.fill_gaps(Copies(), regions, captions, torch.arange(20))
    assert torch.equal(truth, captions.target[captions.target >= 0])
    assert (logits.argmax(1) == WORDS.index(asking.MASK)).all()
