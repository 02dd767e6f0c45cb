import numpy as np
import pytest
import torch

from cvcourse.classroom.widgets.polygon_editor import PolygonEditor
from cvcourse.classroom.widgets.simulated_annotator import (
    best_drag,
    points_by_hand,
    points_with_model,
    polygon_iou,
)
from cvcourse.data.polygons import polygons_to_mask

SQUARE = np.array([(10, 12), (30, 12), (30, 32), (10, 32)], float)
HOUSE = np.array([(10, 20), (25, 5), (40, 20), (40, 42), (10, 42)], float)
BOX = torch.tensor([10.0, 12, 30, 32])


def mask_of(polygon):
    return torch.from_numpy(polygons_to_mask([polygon], (50, 50)))


def editor_that_proposes(polygon):
    found = None if polygon is None else (polygon, 1)
    return PolygonEditor([torch.zeros(3, 50, 50)], propose=lambda image, box: found)


def test_overlap():
    assert polygon_iou(SQUARE, mask_of(SQUARE)) == 1
    assert polygon_iou(SQUARE + np.array([10, 0]), mask_of(SQUARE)) == pytest.approx(1 / 3)
    assert polygon_iou(SQUARE, torch.zeros(50, 50, dtype=torch.bool)) == 0


def test_by_hand():
    assert points_by_hand(mask_of(SQUARE)) == 4
    assert points_by_hand(mask_of(HOUSE)) == 5
    y, x = torch.meshgrid(torch.arange(50) + 0.5, torch.arange(50) + 0.5, indexing="ij")
    disk = (x - 25) ** 2 + (y - 25) ** 2 < 400
    # n corners on a circle cover n / (2 pi) sin(2 pi / n) of it: 0.9003 for 8, 0.936 for 10
    assert 7 <= points_by_hand(disk) <= 10
    assert points_by_hand(disk, goal=0.6) <= 4


def test_in_pieces_it_clicks_every_corner():
    both = mask_of(SQUARE) | mask_of(SQUARE + np.array([-10, 17]))
    both[32:34] = False
    assert points_by_hand(both, goal=0.999) >= 4


def test_a_perfect_proposal_takes_the_box_alone():
    editor = editor_that_proposes(SQUARE)
    assert points_with_model(editor, BOX, mask_of(SQUARE)) == 2
    assert editor.points == 2


@pytest.mark.parametrize("goal", [0.9, 0.97])
def test_one_corner_off_takes_one_drag(goal):
    off = HOUSE.copy()
    off[3] = (22, 30)
    editor = editor_that_proposes(off)
    assert points_with_model(editor, BOX, mask_of(HOUSE), goal=goal) == 3
    assert polygon_iou(editor.outlines[0].polygon, mask_of(HOUSE)) >= goal


def test_a_missing_corner_is_pulled_out_of_its_edge():
    start, end = best_drag(np.delete(HOUSE, 1, axis=0), mask_of(HOUSE), HOUSE)
    assert start.tolist() == [25, 20]
    assert end.tolist() == [25, 5]


def test_without_help_it_draws():
    assert points_with_model(editor_that_proposes(None), BOX, mask_of(HOUSE)) == 2 + 5
    hopeless = np.array([(0, 0), (50, 0), (0, 50), (50, 50), (0, 25), (50, 25)] * 3, float)
    taken = points_with_model(editor_that_proposes(hopeless), BOX, mask_of(HOUSE), goal=0.98)
    assert 5 < taken <= 2 + 5 + 5
    taken = points_with_model(editor_that_proposes(hopeless), BOX, mask_of(HOUSE), patience=1)
    assert taken == 2 + 1 + 5


def test_other_polygons_of_the_picture_are_left_alone():
    editor = editor_that_proposes(SQUARE + 2)
    editor.press(1, 1), editor.press(5, 1), editor.press(3, 5)
    editor.close()
    points_with_model(editor, BOX, mask_of(SQUARE))
    assert editor.outlines[0].polygon.tolist() == [[1, 1], [5, 1], [3, 5]]
