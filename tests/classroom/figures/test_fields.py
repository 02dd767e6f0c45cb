import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.quiver import Quiver

from cvcourse.classroom import show_depth, show_flow
from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.fields import draw_flow, flow_colours


def colour(x, y, longest=1.0):
    return flow_colours(np.array([[[x]], [[y]]], dtype=np.float32), longest)[0, 0]


class TestFlowColours:
    @pytest.mark.parametrize(
        ("x", "y", "expected"),
        [
            (0, 0, (1, 1, 1)),  # white: no motion
            (1, 0, (1, 0, 0)),  # right: red
            (0, 1, (1, 0.9167, 0)),  # down: nearly yellow
            (-1, 0, (0, 0.8182, 1)),  # left: cyan to blue
            (0.5, 0, (1, 0.5, 0.5)),  # slower: paler
            (2, 0, (0.75, 0, 0)),  # longer than the longest: darker
        ],
    )
    def test_wheel_of_middlebury(self, x, y, expected):
        np.testing.assert_allclose(colour(x, y), expected, atol=0.05)

    def test_length_is_relative(self):
        np.testing.assert_allclose(colour(3, 4, 5.0), colour(0.6, 0.8), atol=1e-6)

    def test_unknown_is_black(self):
        np.testing.assert_array_equal(colour(float("nan"), 0), 0)

    def test_no_seam_in_the_wheel(self):
        angles = np.linspace(-np.pi, np.pi, 2000)
        ring = flow_colours(np.stack([np.cos(angles), np.sin(angles)])[:, None], 1.0)[0]
        steps = np.abs(np.diff(ring, axis=0)).max(1)
        assert steps.max() < 0.35


def test_arrows_go_where_points_go():
    flow = torch.stack([torch.arange(12.0).expand(8, 12), torch.full((8, 12), -2.0)])
    flow[:, 0, 0] = float("nan")
    figure, axes = plt.subplots()
    draw_flow(axes, flow, 8.0, arrows=4)
    (arrows,) = [artist for artist in axes.collections if isinstance(artist, Quiver)]
    at = arrows.get_offsets()
    assert at[:4].tolist() == [[1, 1], [4, 1], [7, 1], [10, 1]]
    np.testing.assert_array_equal(arrows.U[:4], [1, 4, 7, 10])
    assert (arrows.V == -2).all()
    assert (arrows.scale, arrows.angles, arrows.scale_units) == (1, "xy", "xy")
    assert axes.get_ylim() == (7.5, -0.5)  # rows count downwards, and so does y
    shown = axes.get_images()[0].get_array()
    np.testing.assert_allclose(shown, flow_colours(flow.numpy(), 8.0))
    assert "8 px" in {text.get_text() for text in axes.child_axes[0].texts}
    plt.close(figure)


class TestShowFlow:
    def test_key_says_the_longest(self):
        flow = torch.zeros(2, 8, 10)
        flow[0] = 3.0
        figure = show_flow([flow, flow / 2], ["fast", "slow"], title="Right", longest=3)
        first, second = figure.axes[:2]
        np.testing.assert_allclose(first.get_images()[0].get_array()[0, 0], (1, 0, 0), atol=1e-6)
        np.testing.assert_allclose(second.get_images()[0].get_array()[0, 0], (1, 0.5, 0.5))
        (key,) = second.child_axes
        assert key.texts[0].get_text() == "3 px"
        assert "less than 2.2 px" in style.alt_text(figure)

    @pytest.mark.parametrize("count", [1, 2])
    def test_batches_and_single_flows(self, count):
        flows = torch.randn(count, 2, 8, 10)
        assert len(show_flow(flows, title="x").axes) == count
        assert len(show_flow(flows[0], title="x").axes) == 1

    def test_nothing_moves(self):
        figure = show_flow(torch.zeros(2, 4, 4), title="Still")
        np.testing.assert_array_equal(figure.axes[0].get_images()[0].get_array(), 1)

    def test_other_shapes(self):
        with pytest.raises(ValueError, match=r"the shape \(2, H, W\), but has \(3, 4, 4\)"):
            show_flow([torch.zeros(3, 4, 4)], title="x")


class TestShowDepth:
    def test_one_scale_for_all(self):
        near, far = torch.full((4, 6), 1.0), torch.full((1, 4, 6), 9.0)
        near[0, 0] = float("nan")
        figure = show_depth([near, far], title="Depth", unit="metres")
        pictures = [axes.get_images()[0] for axes in figure.axes[:2]]
        assert [picture.get_clim() for picture in pictures] == [(1, 9), (1, 9)]
        assert figure.axes[-1].get_ylabel() == "metres"
        assert style.alt_text(figure) == "Depth. metres from 1 to 9."

    def test_single_depth_has_its_bar_beside_it(self):
        figure = show_depth(torch.rand(4, 6), title="Depth", unit="m")
        assert figure.axes[0].child_axes[0].get_ylabel() == "m"

    def test_other_shapes(self):
        with pytest.raises(ValueError, match=r"must have the shape \(H, W\), but has \(2, 4, 4\)"):
            show_depth([torch.zeros(2, 4, 4)], title="x")
