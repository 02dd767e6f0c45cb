import numpy as np
import pytest
import torch

from cvcourse.classroom.widgets.polygon_editor import PolygonEditor
from cvcourse.classroom.widgets.simulated_annotator import (
    best_drag,
    points_by_hand,
    points_for_pictures,
    points_with_ellipse,
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
    # corners on the circle: 8 cover 0.9003 of it; beyond it, a hexagon overlaps by 0.93
    assert points_by_hand(disk) == 6
    assert points_by_hand(disk, goal=0.95) == regular_polygon_for(0.95)
    assert points_by_hand(disk, goal=0.6) <= 4


def regular_polygon_for(goal):
    """The fewest corners of a regular polygon that overlaps a disk of its own area by `goal`."""
    angle = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    overlaps = {}
    for n in range(3, 20):
        across = np.sqrt(np.pi / (n * np.tan(np.pi / n)))  # from the middle to an edge
        edge = across / np.cos(angle % (2 * np.pi / n) - np.pi / n)  # by direction; the disk is 1
        inside, union = np.minimum(edge, 1) ** 2, np.maximum(edge, 1) ** 2
        overlaps[n] = inside.sum() / union.sum()
    return min(n for n, overlap in overlaps.items() if overlap >= goal)


def test_by_hand_corners_may_lie_off_the_outline():
    small = torch.zeros(50, 50, dtype=torch.bool)
    small[20:32, 10:40] = True
    assert points_by_hand(small, goal=0.6) == 3  # a triangle of its area
    small[:] = False
    small[20, 20] = True  # no moments to stretch to
    assert points_by_hand(small) <= 4


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
    assert points_with_model(editor_that_proposes(HOUSE), BOX, mask_of(HOUSE)) == 2


def test_other_polygons_of_the_picture_are_left_alone():
    editor = editor_that_proposes(SQUARE + 2)
    editor.press(1, 1), editor.press(5, 1), editor.press(3, 5)
    editor.close()
    points_with_model(editor, BOX, mask_of(SQUARE))
    assert editor.outlines[0].polygon.tolist() == [[1, 1], [5, 1], [3, 5]]


def test_an_ellipse_takes_its_box():
    y, x = torch.meshgrid(torch.arange(50) + 0.5, torch.arange(50) + 0.5, indexing="ij")
    flat = (x - 25) ** 2 / 400 + (y - 20) ** 2 / 100 < 1
    assert points_with_ellipse(torch.tensor([5.0, 10, 45, 30]), flat) == 2
    assert points_with_ellipse(BOX, mask_of(SQUARE)) == 2 + 4  # pi / 4 of it
    assert points_with_ellipse(BOX, mask_of(SQUARE), goal=0.75) == 2


def test_points_of_all_objects():
    def propose(image, box):
        return (HOUSE if box[1] < 10 else SQUARE[:3]), 1  # a triangle is half of the square

    masks = torch.stack([mask_of(HOUSE), mask_of(SQUARE), mask_of(SQUARE[:1].repeat(3, 0))])
    boxes = torch.stack([torch.tensor([10.0, 5, 40, 42]), BOX, BOX])
    target = {"boxes": boxes, "labels": torch.tensor([2, 3, 1]), "masks": masks}
    rows, left_out = points_for_pictures(
        [torch.zeros(3, 50, 50)], [target], ("background", "a", "b", "c"), propose,
        least=0.7, smallest=60,
    )  # fmt: skip
    assert rows.tolist() == [[0, 2, 5, 2, 2, 7], [0, 3, 4, 3, 6, 6]]  # one drag, or drawn at once
    assert left_out == 1
