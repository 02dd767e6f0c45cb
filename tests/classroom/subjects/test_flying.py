"""Cut-outs that fly: frames, flow and what is hidden fit each other."""

import math

import pytest
import torch

from cvcourse.classroom.subjects.flying import fly, fly_film
from cvcourse.data import pictures
from cvcourse.ops import warp


@pytest.fixture(scope="module")
def photographs():
    return torch.stack([pictures.load(name, 128) for name in ("coffee", "chelsea", "gravel")])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_shapes_and_ranges(photographs):
    pairs = fly(photographs, 3, size=40, generator=seeded())
    assert pairs.first.shape == pairs.second.shape == (3, 3, 40, 40)
    assert pairs.flow.shape == (3, 2, 40, 40)
    assert pairs.seen.shape == pairs.thing.shape == (3, 40, 40)
    assert pairs.first.min() >= 0
    assert pairs.second.max() <= 1
    assert set(pairs.thing.unique().tolist()) <= {0, 1, 2, 3}


def test_second_frame_looked_up_by_the_flow_is_the_first_where_it_is_seen(photographs):
    pairs = fly(photographs, 16, noise=0, generator=seeded())
    error = (warp(pairs.second, pairs.flow) - pairs.first).abs().mean(1)
    assert error[pairs.seen].mean() < 0.02 < 0.15 < error[~pairs.seen].mean()
    assert 0.7 < pairs.seen.float().mean() < 0.95


def test_nothing_moves_without_reach_and_turn(photographs):
    pairs = fly(photographs, 4, reach=0, turn=0, noise=0, generator=seeded())
    assert pairs.flow.abs().max() < 1e-4
    torch.testing.assert_close(pairs.first, pairs.second, atol=1e-4, rtol=0)
    assert pairs.seen.float().mean() > 0.99  # rounding at the border aside


def test_background_alone_moves_as_a_whole_and_no_farther_than_it_may(photographs):
    flow = fly(photographs, 50, things=0, turn=0, reach=5, generator=seeded()).flow
    assert flow.std((2, 3)).max() < 1e-4
    length = flow[:, :, 0, 0].norm(dim=1)
    assert length.max() <= 5
    assert abs(length.mean() - 2.5) < 0.7
    assert (flow[:, :, 0, 0].mean(0).abs() < 1.5).all()  # no direction is preferred


def test_turn_about_the_middle(photographs):
    flow = fly(photographs, 20, things=0, reach=0, turn=0.2, size=33, generator=seeded()).flow
    assert flow[:, :, 16, 16].abs().max() < 1e-4
    corner = torch.full((2,), 16.0).norm()
    farthest = flow[:, :, 0, 0].norm(dim=1) / corner  # |zoom · turn - 1|
    assert 0.05 < farthest.max() < math.hypot(1.2 * math.cos(0.2) - 1, 1.2 * math.sin(0.2)) + 1e-4


def test_motion_scales_with_reach_for_one_seed(photographs):
    near, far = (
        fly(photographs, 4, reach=reach, turn=0, noise=0, generator=seeded(1)) for reach in (2, 4)
    )
    torch.testing.assert_close(near.first, far.first)
    torch.testing.assert_close(2 * near.flow, far.flow, atol=1e-3, rtol=0)


def test_camouflage_takes_one_photograph():
    plain = torch.tensor([0.2, 0.8])[:, None, None, None].expand(-1, 3, 96, 96)
    hidden = fly(plain, 8, noise=0, camouflage=True, generator=seeded())
    assert hidden.first.flatten(1).std(1).max() < 1e-6
    assert fly(plain, 8, noise=0, generator=seeded()).first.flatten(1).std(1).max() > 0.1


def test_a_seed_gives_the_same_pairs(photographs):
    one, other = (fly(photographs, 2, generator=seeded(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_film_begins_and_ends_as_the_pair(photographs):
    pairs = fly(photographs, 3, noise=0, generator=seeded(2))
    film = fly_film(photographs, 3, (0, 0.5, 1), chosen=0, noise=0, generator=seeded(2))
    assert film.frames.shape == (3, 3, 3, 64, 64)
    torch.testing.assert_close(film.frames[:, 0], pairs.first)
    torch.testing.assert_close(film.frames[:, 2], pairs.second)
    torch.testing.assert_close(film.flow[:, 2], pairs.flow)
    assert torch.equal(film.seen[:, 2], pairs.seen)
    assert torch.equal(film.thing, pairs.thing)


def test_the_frame_between_is_found_in_its_neighbours_where_they_show_it(photographs):
    film = fly_film(photographs, 16, noise=0, generator=seeded())
    assert film.flow[:, 1].abs().max() < 1e-3
    for i in (0, 2):
        error = (warp(film.frames[:, i], film.flow[:, i]) - film.frames[:, 1]).abs().mean(1)
        seen = film.seen[:, i]
        assert error[seen].mean() < 0.02 < 0.12 < error[~seen].mean()


def test_shifts_are_even_in_time(photographs):
    settings = {"things": 0, "turn": 0, "noise": 0, "generator": seeded()}
    film = fly_film(photographs, 8, (0, 0.25, 0.5, 1), chosen=0, **settings)
    way = film.flow[:, :, :, 0, 0]
    torch.testing.assert_close(way[:, 1], way[:, 3] / 4, atol=1e-4, rtol=0)
    torch.testing.assert_close(way[:, 2], way[:, 3] / 2, atol=1e-4, rtol=0)
