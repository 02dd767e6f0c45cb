import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from cvcourse.classroom import show_boxes
from cvcourse.classroom.figures.labels import best_place, label_box

FRAME = (0, 0, 100, 100)


def overlap(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, width) * max(0, height)


class TestBestPlace:
    def test_above_the_box_or_at_its_foot(self):
        box = (20, 30, 60, 70)
        assert best_place(box, (15, 10), FRAME, []) == (20, 70, 35, 80)
        assert best_place(box, (15, 10), FRAME, [], below=True) == (20, 20, 35, 30)

    def test_elsewhere_where_there_is_no_room_above(self):
        assert best_place((20, 30, 60, 98), (15, 10), FRAME, []) == (20, 20, 35, 30)
        x1, y1, x2, y2 = best_place((0, 0, 100, 100), (15, 10), FRAME, [])
        assert (x1, y1, x2, y2) == (0, 90, 15, 100)

    def test_elsewhere_where_another_label_is(self):
        box = (20, 30, 60, 70)
        taken = [(10, 70, 40, 80)]
        assert best_place(box, (15, 10), FRAME, taken) == (45, 70, 60, 80)

    @pytest.mark.parametrize("below", [False, True])
    def test_eight_labels_of_one_box_do_not_touch(self, below):
        taken = []
        for _ in range(8):
            taken.append(best_place((40, 40, 60, 60), (18, 8), FRAME, taken, below=below))
        assert not any(overlap(a, b) for i, a in enumerate(taken) for b in taken[:i])
        assert np.all(np.array(taken) >= 0)
        assert np.all(np.array(taken) <= 100)


@pytest.mark.parametrize("dpi", [60, 150])
def test_labels_stay_in_the_picture_and_off_each_other(dpi):
    corner = torch.tensor(
        [[0.0, 0], [2, 1], [60, 2], [75, 4], [70, 75], [74, 78], [0, 80], [2, 79]]
    )
    found = {
        "boxes": torch.cat([corner, corner + 25], 1),
        "labels": torch.arange(8) % 3,
        "scores": torch.linspace(1, 0.3, 8),
    }
    names = ["background", "triangle", "star"]
    figure = show_boxes(torch.rand(3, 100, 100), None, found, title="x", class_names=names)
    figure.set_dpi(dpi)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    frame, renderer = axes.bbox.extents, figure.canvas.get_renderer()
    places = [text.get_bbox_patch().get_window_extent(renderer).extents for text in axes.texts]
    assert len(places) == 8
    for i, place in enumerate(places):
        assert np.all(place[:2] >= frame[:2] - 1)
        assert np.all(place[2:] <= frame[2:] + 1)
        assert not any(overlap(place, other) > 1 for other in places[:i])


def test_a_label_touches_its_box_when_the_axes_are_moved():
    figure, axes = plt.subplots(figsize=(4, 3))
    axes.set(xlim=(0, 100), ylim=(100, 0))
    label_box(axes, "moved", (40, 40, 60, 60), "#0072B2")
    for limits in ((0, 100), (30, 130)):
        axes.set_xlim(limits)
        figure.draw_without_rendering()
        patch = axes.texts[0].get_bbox_patch().get_window_extent(figure.canvas.get_renderer())
        corner = axes.transData.transform((40, 40))
        np.testing.assert_allclose((patch.x0, patch.y0), corner, atol=1.5)
