"""Crowds: small pictures to learn from, large ones to be tested on, objects of one size."""

import pytest
import torch

from cvcourse.classroom.subjects.crowds import CLASSES, coins_and_horses
from cvcourse.data.scenes import Scenes


@pytest.mark.parametrize(("split", "side"), [("trainval", 48), ("test", 192)])
def test_sizes(split, side):
    images, labels = coins_and_horses(split, 2, side=48)
    assert images.shape == (2, 3, side, side)
    assert labels.shape == (2, side, side)
    assert set(labels.unique().tolist()) <= set(range(len(CLASSES)))


def test_they_are_scenes():
    images, labels = coins_and_horses("test", 1, side=24, seed=3)
    scene, target = Scenes(
        1, seed=3, classes=CLASSES, size=96, objects=(14, 28), scale=(0.125, 0.24), rotation=30,
        split="test", background="plain",
    )[0]  # fmt: skip
    assert torch.equal(images[0], scene)
    assert torch.equal(labels[0], target["semantic"])
