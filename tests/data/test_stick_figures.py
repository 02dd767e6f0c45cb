"""Figures are where their joints say, and a hood hides which way they face."""

import numpy as np
import pytest
import torch

from cvcourse.data import stick_figures as module
from cvcourse.data.scenes.randomness import Stream
from cvcourse.data.stick_figures import JOINTS, LIMBS, MIRRORED, stick_figures


def test_shapes_and_ranges():
    figures = stick_figures(4, "val", size=48)
    assert figures.images.shape == (4, 3, 48, 48)
    assert figures.images.dtype == figures.joints.dtype == torch.float32
    assert 0 <= figures.images.min() < figures.images.max() <= 1
    assert figures.joints.shape == (4, len(JOINTS), 2)
    assert figures.joints.min() >= 3 - 1e-4  # a margin of 4 of 64
    assert figures.joints.max() <= 47 - 3 + 1e-4
    assert (figures.area > 0).all()


def test_a_figure_depends_on_its_index_alone():
    few, more = stick_figures(2, seed=3), stick_figures(3, seed=3)
    for a, b in zip(few, more, strict=True):
        assert torch.equal(a, b[:2])
    assert not torch.equal(few.joints, stick_figures(2, seed=4).joints)
    assert not torch.equal(few.joints, stick_figures(2, "val", seed=3).joints)


def test_names_of_the_other_side():
    for joint, other in zip(JOINTS, (JOINTS[i] for i in MIRRORED), strict=True):
        assert other == joint.replace("left", "?").replace("right", "left").replace("?", "right")
    touched = {joint for limb in LIMBS for joint in limb}
    assert touched == set(range(len(JOINTS)))


def test_limbs_have_the_lengths_of_one_body():
    joints = stick_figures(20).joints
    lengths = {limb: (joints[:, limb[0]] - joints[:, limb[1]]).norm(dim=1) for limb in LIMBS}
    spine = lengths[1, 2]
    for limb, share in {(0, 1): 0.5, (1, 3): 0.6, (6, 4): 17 / 30, (2, 7): 22 / 30}.items():
        limb = limb if limb in lengths else limb[::-1]
        torch.testing.assert_close(lengths[limb] / spine, torch.full((20,), share))


def test_the_left_hand_is_at_our_right_on_average_when_seen_from_the_front():
    figures = stick_figures(60)
    left, right = figures.joints[:, 5, 0], figures.joints[:, 6, 0]
    assert (left - right)[figures.front].mean() > 5
    assert (left - right)[~figures.front].mean() < -5


@pytest.mark.parametrize("hooded", [True, False])
def test_a_hood_hides_which_way_it_faces(hooded):
    rng = np.random.default_rng(0)
    places = rng.uniform(10, 50, (11, 2))
    pictures = []
    for front in (True, False):
        picture = np.full((3, 64, 64), 0.5)
        module._draw(Stream("train", 0, 1), picture, places, 45.0, front, hooded)
        pictures.append(picture)
    assert np.array_equal(*pictures) == hooded


def test_the_figure_is_painted_along_its_limbs():
    joints = np.array([[20.0, 20], [20, 40], *[[45 + k, 50] for k in range(9)]])
    picture = np.zeros((3, 64, 64))
    covered = module._draw(Stream("train", 0, 1), picture, joints, 45.0, True, True)
    assert covered[30, 20] == 1  # the neck
    assert covered[20, 20] == 1  # the head
    assert covered[5, 5] == 0
    assert (picture.sum(0) > 0).sum() == (covered > 0).sum()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count must be a whole number"),
        ({"count": 1, "size": 8}, "size must be a whole number from 32 to 512"),
        ({"count": 1, "hooded": 2}, "hooded must be a share from 0 to 1"),
        ({"count": 1, "split": "all"}, "split must be one of"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        stick_figures(**options)
