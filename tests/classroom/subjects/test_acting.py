"""Things that act: where they are, and what their films share."""

import pytest
import torch

from cvcourse.classroom.subjects.acting import (
    ACTIONS,
    FAST,
    REVERSED,
    THINGS,
    Cast,
    act,
    cast_of,
    only,
    soft_matching,
    steps,
)


@pytest.fixture(scope="module")
def cast():
    return cast_of("train", 2)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_cast(cast):
    assert cast.looks.shape == (16, 4, 40, 40)
    assert cast.kinds.tolist() == 2 * list(range(8))
    opacity = cast.looks[:, 3]
    assert opacity.min() >= 0
    assert opacity.max() <= 1
    share = opacity.mean((1, 2))
    assert 0.15 < share.min() < share.max() < 0.85
    for edge in (opacity[:, :, 0], opacity[:, :, -1], opacity[:, 0], opacity[:, -1]):
        assert edge.mean() < 0.35  # nothing is cut off by its own square
    assert set(only(cast, "coin").kinds.tolist()) == {THINGS.index("coin")}


def test_films(cast):
    films = act(cast, 40, frames=5, size=24, generator=seeded())
    assert films.frames.shape == (40, 3, 5, 24, 24)
    assert 0 <= films.frames.min() < films.frames.max() <= 1
    assert films.action.unique().numel() == len(ACTIONS)
    again = act(cast, 40, frames=5, size=24, generator=seeded())
    assert torch.equal(films.frames, again.frames)


def test_a_subject_in_every_action_differs_by_motion_alone(cast):
    films = act(cast, 3, every=True, generator=seeded())
    assert films.action.tolist() == 3 * list(range(8))
    assert torch.equal(films.thing, films.thing[::8].repeat_interleave(8))
    each = films.frames.unflatten(0, (3, 8))
    back = [ACTIONS.index(name) for name in FAST]
    seen = each[:, back][:, :, :, [0, 5, 10, 15]]
    assert torch.equal(seen, seen[:, :1].expand_as(seen))  # every fifth frame hides them
    others = each[:, back][:, :, :, 2]
    for one, other in ((0, 1), (0, 2), (0, 3), (2, 3)):
        assert (others[:, one] - others[:, other]).abs().amax((1, 2, 3)).min() > 0.05


def test_things_are_where_steps_say():
    white = torch.zeros(1, 4, 40, 40)
    white[..., 14:26, 14:26] = 1  # small enough to stay in the picture
    cast = Cast(white, torch.zeros(1, dtype=torch.long), torch.zeros(1, 3, 200, 200))
    films = act(cast, 1, size=64, noise=0, every=True, generator=seeded(3))
    at = torch.arange(64) + 0.5
    mass = films.frames[:, 0]  # (8, 16, 64, 64)
    whole = mass.sum((2, 3))
    x, y = (mass.sum(2) * at).sum(2) / whole, (mass.sum(3) * at).sum(2) / whole
    moved = torch.stack((x - x[:, :1], y - y[:, :1]), 2) / 2  # in 32nds of a side
    left, up, clockwise, sways = (
        moved[ACTIONS.index(n)] for n in ("left", "up", "clockwise", "sways")
    )
    pace = -left[15, 0] / 12
    assert 0.75 < pace < 1.25
    evenly = torch.stack((-0.8 * pace * torch.arange(16), torch.zeros(16)), 1)
    torch.testing.assert_close(left, evenly, atol=0.15, rtol=0)
    torch.testing.assert_close(up[15, 1], left[15, 0], atol=0.15, rtol=0)
    assert sways[:, 1].abs().max() < 0.05
    chords = (clockwise[1:] - clockwise[:-1]).norm(dim=1)  # of a regular pentagon
    torch.testing.assert_close(chords, (6 * pace * 0.5877853).expand(15), atol=0.15, rtol=0)
    first, second = clockwise[1] - clockwise[0], clockwise[2] - clockwise[1]
    assert first[0] * second[1] - first[1] * second[0] > 0  # a right turn, with y downward


@pytest.mark.parametrize("action", ACTIONS)
def test_reversed(action):
    way = steps(action, 16, 1.1, 0.4)
    back = way.flip(0) - way[-1:]
    other = ACTIONS[REVERSED[ACTIONS.index(action)]]
    turned = [steps(other, 16, 1.1, phase / 100) for phase in range(-320, 320)]
    apart = [(x - x[:1] - back).abs().max() for x in turned]
    assert min(apart) < 0.05
    assert way.shape == (16, 2)


@pytest.mark.parametrize("shift", [(0, 0), (0, 1), (2, -1), (-2, 2)])
def test_soft_matching_finds_a_spot_that_moves(shift):
    y, x = shift
    film = torch.zeros(1, 3, 2, 22, 22)
    film[:, :, 0, 10:12, 10:12] = 1
    film[:, :, 1, 10 + 2 * y : 12 + 2 * y, 10 + 2 * x : 12 + 2 * x] = 1
    flow = soft_matching(film)[0]
    assert flow.shape == (2, 11, 11)
    torch.testing.assert_close(flow[:, 5, 5], torch.tensor(shift).float())
    assert flow[:, 10, 0].abs().max() < 1e-4  # black: each shift is as likely


def test_soft_matching_does_not_find_what_is_out_of_reach():
    film = torch.zeros(1, 3, 2, 22, 22)
    film[:, :, 0, 10:12, 4:6] = film[:, :, 1, 10:12, 10:12] = 1  # by three places
    assert soft_matching(film)[0, :, 5, 2].abs().max() <= 2
    assert soft_matching(film, reach=3)[0, 1, 5, 2] == pytest.approx(3)
