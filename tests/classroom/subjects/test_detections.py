import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from cvcourse.classroom.subjects.detecting import SHAPES, mirrored, scene_data
from cvcourse.classroom.subjects.detections import (
    average_precisions,
    one_name_each,
    score_of_fewest_mistakes,
    show_best_and_worst,
    show_coins,
)
from cvcourse.classroom.subjects.photographs import coins


class Oracle(nn.Module):
    """Finds what is true in the pictures that it knows, and nothing in others."""

    def __init__(self, known):
        super().__init__()
        self.known = known
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long)}
        answers = []
        for image in images:
            truths = [target for picture, target in self.known if torch.equal(picture, image)]
            truth = truths[0] if truths else nothing
            answers.append(truth | {"scores": torch.ones(len(truth["labels"]))})
        return answers


def test_scores_held_out_and_in_training():
    pictures = scene_data(4, 3, seed=0)
    names = {"AP": "map", "AP50": "map_50"}
    learnt = [pictures.train.images[i] for i in range(4)]
    pairs = list(zip(learnt, pictures.train.targets, strict=True))
    pairs += [mirrored(*pair) for pair in pairs]
    by_heart = Oracle(pairs)
    state = torch.get_rng_state()
    told = average_precisions(by_heart, pictures, names)
    assert torch.equal(torch.get_rng_state(), state)
    assert told == {"AP": 0, "AP50": 0, "AP in training": pytest.approx(1)}
    held_out = Oracle(list(zip(pictures.test.images, pictures.test.targets, strict=True)))
    told = average_precisions(held_out, pictures, names)
    assert told == {"AP": pytest.approx(1), "AP50": pytest.approx(1), "AP in training": 0}


def test_score_of_fewest_mistakes():
    target = {"boxes": torch.tensor([[0.0, 0, 10, 10]]), "labels": torch.tensor([1])}
    found = {
        "boxes": torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]]),
        "scores": torch.tensor([0.62, 0.43, 0.22]),
        "labels": torch.tensor([1, 1, 1]),
    }
    # 0.2: two false; 0.25 to 0.4: one; 0.45 to 0.6: none; 0.65: one missed
    assert score_of_fewest_mistakes([found], [target]) == 0.45


def test_one_name_for_boxes_that_overlap():
    found = {
        "boxes": torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [0, 6, 10, 16]]),
        "scores": torch.tensor([0.7, 0.8, 0.3]),
        "labels": torch.tensor([1, 2, 1]),
    }
    kept = one_name_each(found)  # 9 in 11 overlap; the third one 4 in 16 with the first
    assert {key: value.tolist() for key, value in kept.items()} == {
        "boxes": [[1, 0, 11, 10], [0, 6, 10, 16]],
        "scores": pytest.approx([0.8, 0.3]),
        "labels": [2, 1],
    }


def test_best_and_worst_are_drawn_and_all_are_counted(capsys):
    box = torch.tensor([[1.0, 1, 9, 9]])
    target = {"boxes": box, "labels": torch.tensor([1])}
    right = {"boxes": box, "scores": torch.tensor([0.9]), "labels": torch.tensor([1])}
    wrong = right | {"labels": torch.tensor([2])}
    unsure = right | {"scores": torch.tensor([0.3])}
    images = [torch.rand(3, 10, 10)] * 3
    options = {"least": 0.5, "class_names": ("background", "disk", "square"), "count": 1}
    # a box with another name is missed and false; one below the score is missed
    assert show_best_and_worst(images, [wrong, right, unsure], [target] * 3, **options) == (2, 1, 1)
    told = capsys.readouterr().out
    assert "2 of 3 objects missed, 1 boxes false; 1 of 3 pictures without a mistake" in told
    crowded = {key: value.repeat_interleave(2, 0) for key, value in target.items()}
    three = [crowded, target, target]
    drawn = show_best_and_worst(images, [wrong, right, unsure], three, crowd=1, **options)
    assert drawn == (3, 1, 1)
    titles = [axes.get_title() for axes in plt.gcf().axes]
    assert titles == ["1 objects: 0 missed, 0 false", "1 objects: 1 missed, 0 false"]


def test_coins_of_a_detector_are_counted(capsys):
    photograph = coins(0.75)
    boxes = torch.cat([photograph.boxes[:20], photograph.boxes[20:22] + 40, photograph.boxes[22:]])
    found = {
        "boxes": boxes,
        "scores": torch.tensor([0.9] * 23 + [0.3]),
        "labels": torch.tensor([1] * 19 + [2] + [1] * 4),
    }
    # 19 right; a square; two beside their coins; one right; one below the score
    right = show_coins(photograph, found, class_names=SHAPES, least=0.5, title="Coins")
    assert right == (20, 3)
    assert "20 of 24 framed and called disks, 3 other boxes" in capsys.readouterr().out
