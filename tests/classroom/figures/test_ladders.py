import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from cvcourse.classroom.figures.ladders import Ladder, maps_of, show_ladders


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


U = Ladder(["a", "b", "c"], ["x", "y"], "join", [0], "classes")
F = Ladder(["d", "e"], ["v", "w"], "add", [0, 1], "boxes")


def written(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


def test_each_network_has_its_levels_rung_and_answers():
    figure = show_ladders({"U": U, "F": F}, title="Two")
    left, right = figure.axes
    assert [left.get_title(), right.get_title()] == ["U", "F"]
    assert sorted(written(left)) == sorted(["a", "b", "c", "x", "y", "join", "classes"])
    assert sorted(written(right)) == sorted(["d", "e", "v", "w", "add", "boxes", "boxes"])
    assert "down a, b, c; across: join; up y, x; 1 × classes" in figure.alt_text


def test_level_i_of_both_ways_is_drawn_at_one_height():
    figure = show_ladders({"F": F}, title="One")
    places = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert places["d"][1] == places["v"][1]
    assert places["e"][1] == places["w"][1] > places["d"][1]
    assert places["d"][0] < places["v"][0]


def test_a_way_up_of_another_length_is_refused():
    with pytest.raises(ValueError, match="up must have 3 levels or one fewer, but 'U' has 1"):
        show_ladders({"U": U._replace(up=["x"])}, title="Wrong")


def test_maps_are_those_of_the_layers_and_hooks_are_taken_away():
    layers = [nn.Conv2d(3, 5, 3), nn.MaxPool2d(2), nn.Conv2d(5, 7, 1)]
    network = nn.Sequential(*layers)
    maps = maps_of(network, torch.rand(1, 3, 12, 12), layers[:2], reversed(layers))
    assert maps == [["5 × 10²", "5 × 5²"], ["7 × 5²", "5 × 5²", "5 × 10²"]]
    assert not any(layer._forward_hooks for layer in layers)
