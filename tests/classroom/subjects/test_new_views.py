"""Pairs of views: what is given, and that the pose leads from it to what is wanted."""

import pytest
import torch
from torch import nn

from cvcourse.classroom.subjects.new_views import (
    Batches,
    FilmBatches,
    Pairs,
    both_ways,
    depth_marks,
    films_of,
    grades,
    learn_by,
    steepness,
)
from cvcourse.data.views import Views
from cvcourse.ops import move_points, splat_points


def data(count=6):
    views = Views(count, reach=0.3)
    pictures, targets = zip(*(views[i] for i in range(count)), strict=True)
    return torch.stack(pictures), {k: torch.stack([t[k] for t in targets]) for k in targets[0]}


def test_each_pose_leads_from_the_given_view_to_the_wanted_one():
    pictures, target = data()
    given, camera, pose, wanted = both_ways(pictures, target)
    depth = target["depth"].transpose(0, 1).flatten(0, 1)
    carried = torch.cat([given, torch.ones_like(given[:, :1])], 1).flatten(2)
    seen = splat_points(move_points(depth, camera, pose), carried, 48, radius=1, least=0)
    covered = (seen[:, 3:] > 0.6).expand(-1, 3, -1, -1)
    error = (seen[:, :3] / seen[:, 3:].clamp(min=0.1) - wanted).square() * covered
    copied = (given - wanted).square() * covered
    for ours, theirs in zip(error.chunk(2), copied.chunk(2), strict=True):  # there, and back
        assert ours.sum() < 0.3 * theirs.sum()


def test_pairs_are_among_both_ways_and_wrong_poses_are_others():
    held = data()
    given, _, pose, wanted = both_ways(*held)
    batches = list(Pairs(held, 3, steps=4))
    assert len(batches) == len(Pairs(held, 3, steps=4)) == 4
    for one, _, step, other in batches:
        for k in range(8):
            same = [torch.equal(one[k], x) for x in given]
            assert sum(same) == 1
            assert torch.equal(other[k], wanted[same.index(True)])
            assert torch.equal(step[k], pose[same.index(True)])
    wrong = list(Pairs(held, 3, steps=4, wrong_pose=True))
    for right, false in zip(batches, wrong, strict=True):
        assert torch.equal(right[0], false[0])
        torch.testing.assert_close(right[2].roll(1, 0), false[2])


def test_each_player_sees_each_batch():
    rows = torch.arange(20), torch.arange(20) * 2
    batches = list(Batches(*rows, seed=1, steps=3, turns=2))
    assert len(batches) == 6
    for first, second in zip(batches[::2], batches[1::2], strict=True):
        assert torch.equal(first[0], second[0])
        assert torch.equal(2 * first[0], first[1])
    again = Batches(*rows, seed=1, steps=3)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(again, batches[::2], strict=True))


def test_players_learn_in_turn_from_the_same_batches():
    nets, seen = {"a": nn.Linear(1, 1), "b": nn.Linear(1, 1)}, []

    def loss(name, nets, batch):
        seen.append((name, batch[0].clone()))
        return {"error": (nets[name](batch[0]) - batch[1]).square().mean()}

    losses = {name: lambda nets, batch, name=name: loss(name, nets, batch) for name in nets}
    x = torch.linspace(-1, 1, 40)[:, None]
    history = learn_by(nets, losses, (x, 3 * x), seed=0, steps=200, lr=0.1)
    assert [name for name, _ in seen[:4]] == ["a", "b", "a", "b"]
    assert torch.equal(seen[0][1], seen[1][1])
    assert not torch.equal(seen[1][1], seen[2][1])
    assert len(history) == 400
    for net in nets.values():
        assert abs(net.weight.item() - 3) < 0.3


def test_grades_by_hand():
    assert steepness(torch.tensor([[[[0.0, 1], [0, 1]]]])) == 1  # 1 across, 0 down
    wanted = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    made = wanted * 0.5 - 0.1 * (wanted == wanted.max())
    found = grades(made, wanted, [lambda x: [x, 2 * x], lambda x: [x]])
    error = (made.clamp(min=0) - wanted).square().mean((1, 2, 3))
    assert found["PSNR"] == pytest.approx((-10 * error.log10()).mean().item(), abs=1e-3)
    assert found["steep"] == pytest.approx(0.25, abs=0.02)
    apart = (made.clamp(min=0) - wanted).abs().mean().item()
    assert found["features"] == pytest.approx((3 * apart + apart) / 2, rel=1e-4)
    assert 0 < found["SSIM"] < 1
    same = grades(wanted, wanted, [lambda x: [x]])
    assert (same["SSIM"], same["steep"], same["features"]) == pytest.approx((1, 1, 0), abs=1e-5)


def test_depths_of_films_and_their_marks():
    views = Views(8, frames=4, things=3, motion=1, bulge=0.4, split="test", seed=7)
    films = films_of(views, bend=0.0)
    assert 0 < len(films_of(views, 0.0, least=250)) < len(films)
    for film in films:
        assert film.moving.flatten(1).sum(1).min() > 40
        assert torch.equal(film.multi.isnan(), film.moving)
        _, target = views[int(film.index)]
        torch.testing.assert_close(film.true, 1.2 / target["depth"])
        # what is a factor and an offset of the truth is the truth again, up to the noise
        assert (film.line - film.true).abs().mean() < 0.02
    assert depth_marks([f.true for f in films], films) == pytest.approx(
        {"complete": 1, "walker": 0, "rest": 0, "unsteady": 0}
    )
    rising = torch.tensor([1.0, 2, 4, 8])[:, None, None]
    marks = depth_marks([film.true * rising for film in films], films)
    assert marks["unsteady"] == pytest.approx(
        torch.tensor([0.0, 1, 2, 3]).std().item() * 0.6931, rel=1e-3
    )
    marks = depth_marks([film.multi for film in films], films)
    share = torch.stack([(~film.moving).float().mean() for film in films]).mean().item()
    assert marks["complete"] == pytest.approx(share)
    assert marks["walker"] != marks["walker"]
    assert 0 < marks["rest"] < 0.05
    batches = list(FilmBatches(films, seed=0, steps=3))
    assert [[len(part) for part in batch] for batch in batches] == 3 * [4 * [8]]
    assert torch.equal(batches[0][1].isnan(), batches[0][3])


def test_a_bend_leaves_an_error():
    views = Views(8, frames=4, things=3, motion=1, split="test", seed=7)
    straight, bent = (films_of(views, bend) for bend in (0.0, 0.6))
    errors = [depth_marks([f.line for f in films], films)["walker"] for films in (straight, bent)]
    assert errors[1] > 2 * errors[0]
