"""The demonstrations and the real pair of lesson 21."""

import torch

from cvcourse.classroom.subjects import motion
from cvcourse.data import pictures
from cvcourse.ops import warp


def test_hidden_things_move_with_time():
    before, still, after = (motion.hidden_things(3, 3, t) for t in (-1.0, 0.0, 1.0))
    assert still.shape == (3, 96, 96)
    assert min((still - other).abs().mean() for other in (before, after)) > 0.02


def test_one_curve_moves():
    still, moved = motion.crossing_curves(0.0), motion.crossing_curves(1.0)
    assert still.shape == (3, 96, 96)
    assert still.amin() == 0
    assert still.amax() == 1
    changed = (still != moved).float().mean()
    assert 0.01 < changed < 0.15
    assert still[0, 48, 0] == 0  # it begins in the middle of the left edge


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
