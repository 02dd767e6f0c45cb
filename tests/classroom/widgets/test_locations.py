"""What a location says is read from the figure's title, and worked by hand here."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from cvcourse.classroom.figures.style import alt_text
from cvcourse.classroom.widgets.locations import draw_location, explore_location

IMAGE = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(0))
TARGET = {
    "boxes": torch.tensor([[0.0, 0, 80, 60], [10, 10, 30, 50]]),
    "labels": torch.tensor([1, 2]),
}
SETTINGS = {"strides": (4, 8, 16), "class_names": ("background", "large", "small")}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("x", "y", "told", "name"),
    [
        (15, 20, "l 5, t 10, r 15, b 30: stride 4, centre-ness 0.33", "small"),  # sqrt(1/3 * 1/3)
        (40, 30, "l 40, t 30, r 40, b 30: stride 8, centre-ness 1.00", "large"),
        (8, 30, "l 8, t 30, r 72, b 30: stride 16, centre-ness 0.33", "large"),  # sqrt(8/72)
    ],
)
def test_what_a_location_says(x, y, told, name):
    figure = draw_location(IMAGE, TARGET, x, y, **SETTINGS)
    assert figure.get_suptitle() == f"Location ({x}, {y}): {told}"
    assert told in alt_text(figure)
    assert name in [text.get_text() for text in figure.axes[0].texts]


def test_map_of_centreness():
    figure = draw_location(IMAGE, TARGET, 15, 20, **SETTINGS)
    values = figure.axes[1].images[-1].get_array()
    assert values.shape == (60, 80)
    inside = np.zeros((60, 80), dtype=bool)
    inside[10:50, 10:30] = True
    assert (np.isfinite(np.ma.filled(values, np.nan)) == inside).all()
    assert values[inside].max() == pytest.approx((9.5 / 10.5 * 19.5 / 20.5) ** 0.5)


def test_background():
    figure = draw_location(
        IMAGE, {key: value[1:] for key, value in TARGET.items()}, 5, 5, **SETTINGS
    )
    assert "background" in figure.get_suptitle()


def test_moving_the_place():
    moved = explore_location(IMAGE, TARGET, **SETTINGS, start=(40, 20))
    assert moved.values == {"x": 40, "y": 20}
    moved.controls["x"].value = 15
    assert "stride 4" in moved.figure().get_suptitle()


def test_the_letter_of_a_short_arrow_lies_past_its_tip():
    figure = draw_location(IMAGE, TARGET, 15, 46, **SETTINGS)  # 4 pixels from the lower side
    places = {
        text.get_text(): text.xy for text in figure.axes[0].texts if text.get_text() in "ltrb"
    }
    assert places["t"] == (15, 28)
    assert places["b"] == pytest.approx((15, 54))
