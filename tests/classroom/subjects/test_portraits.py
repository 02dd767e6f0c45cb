"""Portraits whose alpha is known, against what was drawn."""

import pytest
import torch

from cvcourse.classroom.subjects.portraits import (
    alpha_by_change,
    alpha_by_trees,
    other_camera,
    portraits,
    shot,
)
from cvcourse.methods import translate

PHOTOGRAPHS = torch.rand(3, 3, 256, 256, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def people():
    return portraits(PHOTOGRAPHS, 6, "train", seed=3)


def test_pictures_are_put_together_by_alpha(people):
    assert (
        people.image.shape == people.background.shape == people.foreground.shape == (6, 3, 64, 64)
    )
    assert people.alpha.shape == (6, 1, 64, 64)
    for values in people:
        assert values.min() >= 0
        assert values.max() <= 1
    nobody, all_of_it = (people.alpha == x for x in (0, 1))
    for i in range(3):
        image, background, foreground = (
            x[:, i : i + 1] for x in (people.image, people.background, people.foreground)
        )
        torch.testing.assert_close(image[nobody], background[nobody])
        torch.testing.assert_close(image[all_of_it], foreground[all_of_it])
        half = ~nobody & ~all_of_it
        alpha = people.alpha[half]
        mixed = alpha * foreground[half] + (1 - alpha) * background[half]
        torch.testing.assert_close(image[half], mixed)


def test_alpha_counts_sixteenths_and_hair_is_thin(people):
    torch.testing.assert_close(people.alpha * 16, (people.alpha * 16).round())
    between = ((people.alpha > 0) & (people.alpha < 1)).float().mean((1, 2, 3))
    assert (between > 0.03).all()
    covered = people.alpha.mean((1, 2, 3))
    assert (covered > 0.15).all()
    assert (covered < 0.7).all()
    assert (people.alpha[..., -1, :].amax(-1) == 1).all()  # clothes reach the lower border


def test_the_same_for_a_seed_and_others_for_another(people):
    again = portraits(PHOTOGRAPHS, 6, "train", seed=3)
    assert all(a.equal(b) for a, b in zip(people, again, strict=True))
    other = portraits(PHOTOGRAPHS, 6, "train", seed=4)
    assert not any(a.equal(b) for a, b in zip(people, other, strict=True))


def test_other_faces_in_each_split():
    kinds = [portraits(PHOTOGRAPHS, 2, s, seed=3) for s in ("train", "val", "test")]
    assert not kinds[0].alpha.equal(kinds[1].alpha)
    assert kinds[0].background.equal(kinds[2].background)  # of photographs that were given
    assert not kinds[1].foreground.equal(kinds[2].foreground)


def test_another_size():
    assert portraits(PHOTOGRAPHS, 1, "test", seed=0, size=48).alpha.shape == (1, 1, 48, 48)


def test_a_rehearsal_sees_twelve(monkeypatch):
    monkeypatch.setenv("CVCOURSE_REHEARSE", "lines")
    assert [len(x) for x in portraits(PHOTOGRAPHS, 13, "test", seed=0, size=48)] == 4 * [12]


def test_another_camera_darkens_beside_the_person_and_gains_by_colour(people):
    seen = other_camera(people, 0)
    assert seen.alpha.equal(people.alpha)
    assert seen.background.equal(people.background)
    mixed = seen.alpha * seen.foreground
    nobody = (people.alpha == 0).expand_as(mixed)
    ratio = (seen.image / people.image.clamp(min=1e-6)).where(nobody & (people.image < 0.5), 0)
    for one, beside in zip(ratio, people.alpha, strict=True):
        for colour in one:
            far = colour[:6, :6]  # the upper left corner: no shadow
            gain = far[far > 0].median() if (far > 0).any() else None
            if gain is not None:
                assert 0.6 < gain < 1.6
                near = colour[20:][colour[20:] > 0]
                assert near.min() < 0.75 * gain  # half of the light is gone where it is darkest
        assert beside[..., :6, :6].max() < 0.5
    assert 0 <= seen.image.min() <= seen.image.max() <= 1


def test_trees_learn_a_rule_of_single_pixels():
    g = torch.Generator().manual_seed(0)
    image, empty = torch.rand(2, 4, 3, 32, 32, generator=g)
    outline = torch.rand(4, 1, 32, 32, generator=g)
    alpha = ((image[:, :1] > 0.5) & (outline > 0.3)).float()
    find = alpha_by_trees((image[:3], empty[:3], outline[:3]), alpha[:3])
    found = find(image[3:], empty[3:], outline[3:])
    assert found.shape == (1, 1, 32, 32)
    assert found.dtype == torch.float32
    assert 0 <= found.min() <= found.max() <= 1
    assert (found - alpha[3:]).abs().mean() < 0.05


def test_a_shot_shifts_the_empty_scene_and_only_it(people):
    image, empty, outline = shot(people, 1)
    assert image.equal(people.image)
    again = shot(people, 1)
    assert all(a.equal(b) for a, b in zip((image, empty, outline), again, strict=True))
    assert not shot(people, 2)[1].equal(empty)
    still, far = (shot(people, 1, off=off)[1] for off in (0.0, 6.0))
    away = 6 * (2 * torch.rand(6, 2, generator=torch.Generator().manual_seed(1)) - 1)
    moved = translate(people.background, away)
    assert (still - people.background).abs().mean() < 0.05  # brightness and noise
    assert (far - people.background).abs().mean() > 0.1
    assert (far - moved).abs().mean() < 0.05


def test_a_shot_takes_another_outline(people):
    fine = {"erode": (0, 1), "dilate": (0, 1), "holes": (0, 1), "blurs": (1,)}
    outline = shot(people, 1, rough=fine)[2]
    assert outline.round().equal((people.alpha > 0).float())
    assert not shot(people, 1)[2].round().equal(outline.round())


def test_alpha_by_change_finds_the_limits_that_made_it():
    image = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    empty, outline = torch.full_like(image, 0.5), torch.ones(2, 1, 8, 8)
    outline[..., :3] = 0.1  # counts from 0.02 on, not from 0.3 on
    change = (image - 0.5).square().mean(1, keepdim=True).sqrt()
    alpha = ((change - 0.06) / 0.3).clamp(0, 1)
    torch.testing.assert_close(
        alpha_by_change((image, empty, outline), alpha)(image, empty, outline), alpha
    )
    inner = alpha * (outline > 0.3)
    found = alpha_by_change((image, empty, outline), inner)(image, empty, outline)
    torch.testing.assert_close(found, inner)
