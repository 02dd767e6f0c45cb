"""The demonstrations and the real pair of lesson 21."""

import torch

from cvcourse.classroom.subjects import motion
from cvcourse.data import pictures
from cvcourse.ops import warp


def test_hidden_things_move_with_time():
    before, still, after = (motion.hidden_things(3, 3, t) for t in (-1.0, 0.0, 1.0))
    assert still.shape == (3, 96, 96)
    assert min((still - other).abs().mean() for other in (before, after)) > 0.02


def test_things_are_where_one_motion_is():
    thing = motion.things_there(3, 3)
    assert thing.shape == (96, 96)
    assert thing.unique().tolist() == [0, 1, 2, 3]
    moved = motion._scene(3, 3, 1.0, 96).flow[0]
    each = [moved[:, thing == k] for k in range(4)]
    assert all((of_one - of_one[:, :1]).abs().max() < 1e-3 for of_one in each)
    vectors = torch.stack([of_one[:, 0] for of_one in each])
    assert torch.pdist(vectors).min() > 0.5
    told = motion.where_things_are(3, 3)
    assert [f"{(thing == k).sum()} px" in told[k - 1] for k in (1, 2, 3)] == [True] * 3


def test_one_curve_moves():
    still, moved = motion.crossing_curves(0.0), motion.crossing_curves(1.0)
    assert still.shape == (3, 96, 96)
    assert still.amin() == 0
    assert still.amax() == 1
    changed = (still != moved).float().mean()
    assert 0.01 < changed < 0.15
    assert still[0, 48, 0] == 0  # it begins in the middle of the left edge


def test_the_moving_curve_ends_where_it_is_said():
    moves = motion.crossing_curves(1.0)[0, :, -1] != motion.crossing_curves(-1.0)[0, :, -1]
    assert moves.nonzero().min() < motion.end_of_curve() < moves.nonzero().max()


def test_motorcycle_fits_its_flow():
    left, right, flow, known = motion.motorcycle(6)
    assert left.shape == right.shape == (1, 3, 83, 123)
    assert flow.shape == (1, 2, 83, 123)
    truth = pictures.stereo().disparity[3::6, 3::6][:83, :123]
    torch.testing.assert_close(-6 * flow[0, 0], truth, equal_nan=True)
    assert torch.equal(known[0], truth.isfinite())
    shifted = (warp(right, flow.nan_to_num()) - left).abs().mean(1)[known]
    unmoved = (right - left).abs().mean(1)[known]
    assert shifted.median() < 0.4 * unmoved.median()


def test_best_constant_is_the_median_of_what_is_known():
    flow = torch.tensor([[1.0, 2, 9, torch.nan], [-1, -2, -9, torch.nan]]).view(1, 2, 2, 2)
    best = motion.best_constant(flow, ~flow[:, 0].isnan())
    assert best.shape == flow.shape
    assert best[0, :, 1, 1].tolist() == [2, -2]


def test_zero_flow_errs_by_the_mean_length():
    flow = torch.tensor([[3.0, 6, torch.nan], [4, 8, torch.nan]]).view(1, 2, 1, 3)
    assert motion.mean_length(flow, ~flow[:, 0].isnan()) == 7.5


def test_motion_groups_what_one_colour_hides():
    thing = torch.zeros(24, 24, dtype=torch.long)
    thing[6:18, 6:18] = 1
    flow = torch.stack((4.0 * thing, -2.0 * thing))
    told = motion.rand_indices(torch.full((3, 24, 24), 0.5), flow, thing)
    assert told["motion"] == [1]
    assert len(told["segmentation"]) == 3
    assert abs(told["colour"][0]) < 0.2
