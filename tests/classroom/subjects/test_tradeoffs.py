"""The figure of costs: marks stand where the numbers are, and it says them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from cvcourse.classroom.figures.style import alt_text
from cvcourse.classroom.subjects.tradeoffs import show_costs


@pytest.fixture
def figure():
    rows = {"slow": ((40, 39, 42), [0.8, 0.9]), "fast": ((10, 9, 11), [0.5, 0.6])}
    rows["other"] = ((20, 19, 21), [0.7, 0.7])
    figure = show_costs(
        rows, title="T", ylabel="score", dashed=(["slow", "fast"], "one network"),
        limit=(33, "limit"), places={"fast": (1, 2)},
    )  # fmt: skip
    yield figure
    plt.close(figure)


def test_marks(figure):
    (axes,) = figure.axes
    lines = [np.stack(line.get_data(), 1).tolist() for line in axes.lines]
    assert [[40, pytest.approx(0.85)], [10, pytest.approx(0.55)]] in lines  # the dashed one
    assert [[20, 0.7], [20, 0.7]] in lines  # two trainings
    assert [[20, 0.7]] in lines  # their mean


def test_one_network_has_one_colour(figure):
    colours = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert colours["slow"] == colours["fast"] != colours["other"]


def test_it_says_what_it_shows(figure):
    assert alt_text(figure) == "T. slow 40.0 ms, 0.850; fast 10.0 ms, 0.550; other 20.0 ms, 0.700."
