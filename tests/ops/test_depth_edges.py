import numpy as np
import pytest
import torch

from cvcourse.ops import depth_discontinuities, sharpen_depth
from tests import oracle


def test_equals_the_authors():
    meta, want = oracle.restoration_golden("photo3d_bilateral")
    depth = torch.from_numpy(want["depth"])
    threshold = meta["config"]["depth_threshold"]
    over = depth_discontinuities(depth, threshold)
    np.testing.assert_array_equal(over, want["over"] > 0)
    for i, filtered in enumerate(want["filtered"]):
        got = sharpen_depth(depth, windows=meta["config"]["filter_size"][:i], threshold=threshold)
        np.testing.assert_allclose(got, filtered, atol=1e-12)


def step_with_a_ramp(between):
    """Near (depth 1) on the left, far (5) on the right, `between` at the edge."""
    depth = torch.ones(9, 12, dtype=torch.float64)
    depth[:, 6:] = 5
    depth[:, 6] = between
    return depth


@pytest.mark.parametrize("between", [1.4, 2.0, 3.5])
def test_values_between_front_and_back_go(between):
    got = sharpen_depth(step_with_a_ramp(between))
    assert set(got.unique().tolist()) == {1.0, 5.0}


def test_smooth_depth_stays_but_for_the_repeated_ring():
    depth = torch.linspace(2, 3, 12).double().expand(9, 12)
    assert not depth_discontinuities(depth).any()
    got = sharpen_depth(depth)
    assert torch.equal(got[:, 1:-1], depth[:, 1:-1])
    assert torch.equal(got[:, [0, -1]], depth[:, [1, -2]])


def test_number_of_edges_is_that_of_pairs_above_the_threshold():
    depth = 1 + torch.rand(8, 9, dtype=torch.float64)
    over = depth_discontinuities(depth, 0.1)
    pairs = 0
    for i in range(1, 7):
        for j in range(1, 8):
            for di, dj in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                pairs += abs(1 / depth[i, j] - 1 / depth[i + di, j + dj]) > 0.1
    assert over.sum() == pairs


def test_batches_and_unknown_depth():
    depth = torch.stack([step_with_a_ramp(2.0), step_with_a_ramp(3.5).mT.contiguous().mT.flip(1)])
    torch.testing.assert_close(sharpen_depth(depth)[1], sharpen_depth(depth[1]))
    depth[0, 4, 3] = 0
    assert sharpen_depth(depth)[0, 4, 3] == 1


@pytest.mark.as_user
def test_bad_input():
    depth = torch.ones(5, 5)
    for op in (depth_discontinuities, sharpen_depth):
        with pytest.raises(ValueError, match="depth must be floating point"):
            op(depth.long())
        with pytest.raises(ValueError, match="depth must be 3 × 3 or larger"):
            op(depth[:2])
        with pytest.raises(ValueError, match="threshold must be positive"):
            op(depth, threshold=0.0)
    with pytest.raises(ValueError, match="windows must be odd, 1 to 15"):
        sharpen_depth(depth, windows=(4,))
