"""What is said of two shapes is true, and a false word is noticed."""

import pytest
import torch
from torch import nn

from cvcourse.classroom.subjects import captioning
from cvcourse.classroom.subjects.asking import Thing
from cvcourse.classroom.subjects.captioning import Fact
from tests.data.tiny import write_coco, write_coco_captions

RED, TEAL = Thing("disk", "red", (10.0, 30.0)), Thing("star", "teal", (40.0, 34.0))


def test_three_captions_of_one_fact():
    expected = (
        "a red disk left of a teal star",
        "there is a red disk to the left of a teal star",
        "a red disk is left of a teal star",
    )
    assert captioning.said([RED, TEAL]) == captioning.said([TEAL, RED]) == expected
    orange = Thing("square", "orange", (12.0, 60.0))
    assert captioning.said([orange, RED])[0] == "a red disk above an orange square"
    assert captioning.said([orange, RED])[1] == "there is a red disk above an orange square"


def test_facts():
    fact = captioning.fact_of("there is a red disk to the left of a teal star")
    assert fact == Fact("red disk", "left of", "teal star")
    for nothing in ("", "a red disk", "a red disk left of a star", "a red disk and a teal star"):
        assert captioning.fact_of(nothing) is None


@pytest.mark.parametrize(
    ("caption", "names", "facts"),
    [
        ("a red disk left of a teal star", True, True),
        ("a red disk above a teal star", True, True),  # holds, though not said
        ("right of a red disk", False, False),
        ("a red disk right of a teal star", True, False),
        ("a teal disk left of a red star", False, False),
        ("a teal star left of a red disk", True, False),
    ],
)
def test_what_is_right(caption, names, facts):
    assert captioning.names_right(caption, [RED, TEAL]) == names
    assert captioning.facts_right(caption, [RED, TEAL]) == facts


def test_two_of_one_name_are_on_either_side_of_each_other():
    pair = [RED, RED._replace(place=(40.0, 30.0))]
    assert captioning.facts_right("a red disk left of a red disk", pair)
    assert captioning.facts_right("a red disk right of a red disk", pair)
    assert not captioning.facts_right("a red disk above a red disk", pair)


def test_scenes_are_described_truly():
    data = captioning.captioned_scenes(12, "val")
    assert data.images.shape == (12, 3, 64, 64)
    for captions, things in zip(data.captions, data.things, strict=True):
        assert len(things) == 2
        assert all(captioning.facts_right(caption, things) for caption in captions)


def test_words_there_and_back():
    words = captioning.vocabulary_of([("a red disk", "a star")], least=1)
    assert words[4:] == ("a", "disk", "red", "star")
    assert captioning.vocabulary_of([("a red disk", "a star")], least=2)[4:] == ("a",)
    rows = captioning.encode(["a red star", "a blue"], words)
    assert rows.tolist() == [[1, 4, 6, 7, 2], [1, 4, 3, 2, 0]]
    assert captioning.decode([[4, 6, 7]], words) == ["a red star"]
    assert torch.equal(captioning.encode(["a"], words), torch.tensor([[1, 4, 2]]))


class Average(torch.nn.Module):
    """A trunk of one layer: the mean colour, in eight channels."""

    out_channels = (8,)

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 8, 1)

    def forward(self, images):
        return [self.layer(images.mean((2, 3), keepdim=True))]


def test_a_trunk_learns_which_words_will_be_said():
    torch.manual_seed(0)
    images = torch.zeros(20, 3, 8, 8)
    images[:10, 0], images[10:, 2] = 1.0, 1.0
    captions = [("a red disk",)] * 10 + [("a blue star", "one blue star")] * 10
    data = captioning.Captioned(images, captions, [[]] * 20)
    words = captioning.vocabulary_of(captions)
    trunk = Average()
    before = captioning.seen_by(trunk, images)
    captioning.learn_words(trunk, data, words, 200, torch.Generator().manual_seed(0))
    after = captioning.seen_by(trunk, images)
    assert after.shape == (20, 8, 1, 1)

    def apart(seen):
        return (seen[0] - seen[-1]).norm()

    assert apart(after) > 1.2 * apart(before)
    assert captioning.Seen()(after)[-1] is after


def test_captions_of_coco(tmp_path):
    write_coco(tmp_path, "val2017", (3, 5, 7), [])
    write_coco_captions(tmp_path, "val2017", (3, 5, 7))
    data = captioning.coco_captioned(tmp_path, "test", 9)
    assert data.images.shape == (2, 3, 64, 64)  # the first tenth is for validation
    assert data.captions[0] == ("a square beside a triangle", "there is a square and a triangle")
    assert data.things == [[], []]
    assert len(captioning.coco_captioned(tmp_path, "val", 9).images) == 1


def test_mirror_images_are_described_anew():
    scenes = captioning.captioned_scenes(3, "val")
    four = captioning.with_mirror_images(scenes)
    assert four.images.shape == (12, 3, 64, 64)
    assert torch.equal(four.images[3:6], scenes.images.flip(-1))
    assert torch.equal(four.images[9:], scenes.images.flip((-1, -2)))
    for captions, things in zip(four.captions, four.things, strict=True):
        assert all(captioning.facts_right(caption, things) for caption in captions)
    (x, y), (u, v) = scenes.things[0][0].place, four.things[9][0].place
    assert (u, v) == (64 - x, 64 - y)
    assert four.things[3][0].place == (64 - x, y)


def test_cells_are_kept_apart_and_pictures_normalised():
    class Last(nn.Module):
        def forward(self, images):
            return [None, images.mean(1, keepdim=True).expand(-1, 64, -1, -1)]

    cells = captioning.Cells(Last(), cells=4)
    assert cells.out_channels == (256,)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    steps = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    images = mean[:, None, None] + std[:, None, None] * steps
    (found,) = cells(images[None])
    assert found.shape == (1, 256, 1, 1)
    torch.testing.assert_close(found.view(64, 4), steps.flatten().expand(64, 4))
