import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from cvcourse.classroom import colour_of, describe
from cvcourse.classroom.figures import style


def seen_by_deuteranope(colour: str) -> np.ndarray:
    """The colour as seen without green cones (Viénot, Brettel & Mollon 1999), gamma 2.2."""
    linear = np.array(to_rgb(colour)) ** 2.2
    seen = linear @ [[0.29275, 0.29275, -0.02234], [0.70725, 0.70725, 0.02234], [0, 0, 1]]
    return seen.clip(0, 1) ** (1 / 2.2)


def smallest_gap(colours) -> float:
    seen = [seen_by_deuteranope(colour) for colour in colours]
    return min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i])


def test_colours_of_lines_stay_apart_for_the_colour_blind():
    assert smallest_gap(style.COLOURS) > 0.2
    assert smallest_gap([f"C{i}" for i in range(8)]) < 0.1  # matplotlib's own


def test_class_colours_are_fixed_and_distinct():
    colours = [colour_of(i) for i in range(21)]
    assert len(set(colours)) == 21
    assert colour_of(21) == colour_of(0)


@pytest.mark.parametrize(("colour", "ink"), [("#0072B2", "white"), ("#F0E442", "black")])
def test_ink(colour, ink):
    assert style.readable_on(colour) == ink


class TestAlternativeText:
    def test_given(self):
        figure = describe(plt.figure(), 'A "quoted" <text>')
        assert style.alt_text(figure) == 'A "quoted" <text>'
        assert 'alt="A &quot;quoted&quot; &lt;text&gt;"' in style.image_tag(figure)

    def test_made_of_titles_and_labels(self):
        figure, axes = plt.subplots()
        axes.set(title="Recall", xlabel="threshold", ylabel="recall")
        figure.suptitle("All boxes")
        assert style.alt_text(figure) == "Figure. All boxes; Recall: recall against threshold"


def test_image_has_the_notebooks_width():
    style.use()
    figure, _ = plt.subplots()
    tag = style.image_tag(figure)
    assert re.search(r'width="902" height="462"', tag)
    assert "max-width: 100%" in tag
    picture = style.png(figure)
    assert int.from_bytes(picture[16:20]) == 902
