import numpy as np
import torch

from cvcourse.classroom.subjects.precision_recall import show_precision_recall


def test_the_staircase_is_the_best_precision_from_here_on():
    precision, recall = [1, 1 / 2, 2 / 3, 3 / 4, 3 / 5], [1 / 4, 1 / 4, 1 / 2, 3 / 4, 3 / 4]
    figure = show_precision_recall({"one": {"mine": (precision, recall)}}, title="A title")
    (axes,) = figure.axes
    saw, stairs = axes.get_lines()
    np.testing.assert_allclose(saw.get_ydata(), precision)
    np.testing.assert_allclose(stairs.get_ydata(), [1, 1, 3 / 4, 3 / 4, 3 / 4, 3 / 5, 0])
    np.testing.assert_allclose(stairs.get_xdata(), [0, 1 / 4, 1 / 4, 1 / 2, 3 / 4, 3 / 4, 3 / 4])
    assert [text.get_text() for text in axes.texts] == [f"box {i}" for i in range(1, 6)]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["mine"]
    assert "A title" in figure.alt_text


def test_many_boxes_and_panels_have_no_numbers():
    curve = torch.linspace(1, 0.2, 50), torch.linspace(0, 0.7, 50)
    panels = {"left": {"a": curve, "b": curve}, "right": {"a": curve}}
    figure = show_precision_recall(panels, title="Two")
    assert [axes.get_title() for axes in figure.axes] == ["left", "right"]
    assert not any(axes.texts for axes in figure.axes)
