"""The demonstrations and the real pair of lesson 21."""

import torch
from torch import nn

from cvcourse.classroom.subjects import motion
from cvcourse.classroom.subjects.flying import fly
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


def test_the_network_of_lesson_21_compares_what_is_centred():
    """A feature that is everywhere the same changes nothing that is compared."""
    torch.manual_seed(0)
    net, frames = motion.CentredFlowNet().eval(), torch.rand(2, 6, 64, 96)
    flows = net(frames)
    assert [tuple(flow.shape) for flow in flows] == [
        (2, 2, 16 // k, 24 // k) for k in (1, 2, 4, 8)
    ] + [(2, 2, 1, 2)]  # fmt: skip
    nn.init.zeros_(net.redirect[0].weight)  # nothing passes beside the comparison, but for skips
    given = []
    net.net.conv3.register_forward_pre_hook(lambda layer, inputs: given.append(inputs[0]))
    net(frames)
    net.net.conv2[0].bias.data += 1.0
    net.net.conv2[1] = nn.Identity()
    net(frames)
    net.net.conv2[0].bias.data += 5.0
    net(frames)
    assert (given[0] - given[1]).abs().max() > 1e-3
    torch.testing.assert_close(given[1], given[2], atol=1e-3, rtol=0)


def test_trained_networks_see_a_motion():
    pair = fly(torch.stack([pictures.load(n, 160) for n in ("astronaut", "coffee")]), 4,
               generator=torch.Generator().manual_seed(0))  # fmt: skip
    for network in motion.trained_networks().values():
        assert not network.training
        flow = motion.flow_between(network, pair.first, pair.second)
        assert flow.shape == pair.flow.shape
        assert (flow - pair.flow).norm(dim=1).mean() < 0.8 * pair.flow.norm(dim=1).mean()
