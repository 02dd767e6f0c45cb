import json

import numpy as np
import pytest
import torch
from matplotlib.path import Path as Outlines

from cvcourse.classroom.widgets.polygon_editor import (
    PolygonEditor,
    contains,
    nearest_corner,
    nearest_edge,
)

SQUARE = [(10, 10), (30, 10), (30, 30), (10, 30)]
STAR = np.array([(20, 2), (24, 14), (38, 14), (27, 22), (32, 36), (20, 28), (8, 36), (13, 22)])


def editor_with(*polygons, **options):
    editor = PolygonEditor([torch.zeros(3, 40, 50)] * 2, ("background", "cat", "dog"), **options)
    for polygon in polygons:
        for x, y in polygon:
            click(editor, x, y)
        editor.close()
    return editor


def click(editor, x, y):
    editor.press(x, y)
    editor.release(x, y)


def drag(editor, start, end):
    editor.press(*start)
    editor.release(*end)


def corners(editor, outline=0):
    return editor.outlines[outline].polygon.tolist()


class TestDrawing:
    def test_click_by_click_and_closed_at_the_first_corner(self):
        editor = editor_with()
        for x, y in SQUARE:
            click(editor, x, y)
        assert editor.outlines == []
        assert editor.work.draft == SQUARE
        click(editor, 11, 9)
        assert corners(editor) == [list(corner) for corner in SQUARE]
        assert editor.work.draft == []
        assert editor.points == 4

    def test_two_corners_are_no_polygon(self):
        editor = editor_with()
        click(editor, 10, 10)
        click(editor, 20, 10)
        editor.close()
        assert editor.outlines == []
        assert "three" in editor.message
        click(editor, 10.5, 10)  # near the first, but nothing to close yet
        assert len(editor.work.draft) == 3

    def test_corners_stay_in_the_picture(self):
        editor = editor_with([(-5, 3), (99, 3), (20, 99)])
        assert corners(editor) == [[0, 3], [50, 3], [20, 40]]

    def test_draft_is_dropped_by_another_tool_and_shortened_by_delete(self):
        editor = editor_with()
        for x, y in SQUARE:
            click(editor, x, y)
        editor.delete()
        assert editor.work.draft == SQUARE[:3]
        editor.choose_tool("edit")
        assert editor.work.draft == []
        editor.undo()
        assert editor.work.draft == SQUARE[:3]


class TestEditing:
    def test_drag_a_corner_by_as_much_as_the_pointer_moves(self):
        editor = editor_with(SQUARE)
        editor.choose_tool("edit")
        editor.press(31, 29)  # a little off the corner (30, 30)
        assert editor.held
        assert editor.work.selected == (0, 2)
        editor.release(36, 35)
        assert not editor.held
        assert corners(editor)[2] == [35, 36]
        assert editor.points == 5
        editor.undo()
        assert corners(editor)[2] == [30, 30]

    def test_a_click_selects_and_moves_nothing(self):
        editor = editor_with(SQUARE)
        editor.choose_tool("edit")
        click(editor, 30, 30)
        assert editor.points == 4
        assert corners(editor) == [list(corner) for corner in SQUARE]

    def test_insert_on_an_edge_is_one_point_and_one_undo(self):
        editor = editor_with(SQUARE)
        editor.choose_tool("edit")
        drag(editor, (20, 11), (20, 4))  # the new corner is on the edge, at (20, 10)
        assert corners(editor) == [[10, 10], [20, 3], [30, 10], [30, 30], [10, 30]]
        assert editor.points == 5
        editor.undo()
        assert corners(editor) == [list(corner) for corner in SQUARE]

    def test_insert_between_last_and_first(self):
        editor = editor_with(SQUARE)
        editor.choose_tool("edit")
        click(editor, 10, 20)
        assert corners(editor)[4] == [10, 20]

    def test_delete_a_corner_then_the_last_triangle(self):
        editor = editor_with(SQUARE)
        editor.choose_tool("edit")
        click(editor, 10, 30)
        editor.delete()
        assert corners(editor) == [[10, 10], [30, 10], [30, 30]]
        assert editor.work.selected == (0, 0)
        editor.delete()
        assert editor.outlines == []
        for count in (3, 4):
            editor.undo()
            assert len(corners(editor)) == count

    def test_the_nearest_corner_of_all_polygons_is_taken_and_the_upper_polygon_selected(self):
        inner = [(14, 14), (26, 14), (26, 26), (14, 26)]
        editor = editor_with(SQUARE, inner)
        editor.choose_tool("edit")
        click(editor, 14.4, 14.4)
        assert editor.work.selected == (1, 0)
        click(editor, 20, 20)
        assert editor.work.selected == (1, None)
        click(editor, 11.9, 28.1)  # nearer than reach to an edge of the outer: inserted
        editor.undo()
        editor.reach = 0.5
        click(editor, 12, 28)
        assert editor.work.selected == (0, None)
        click(editor, 45, 5)
        assert editor.work.selected is None

    def test_keys_walk_and_nudge(self):
        editor = editor_with(SQUARE)
        editor.select_next()
        assert editor.work.selected == (0, 0)
        editor.select_next(-1)
        assert editor.work.selected == (0, 3)
        editor.nudge(-1, 2)
        assert corners(editor)[3] == [9, 32]
        assert editor.points == 5

    def test_class_of_the_selected_polygon_and_of_the_next(self):
        editor = editor_with(SQUARE)
        editor.choose_label(2)
        assert editor.outlines[0].label == 2
        editor.undo()
        assert editor.outlines[0].label == 1
        for x, y in STAR:
            click(editor, x, y)
        editor.close()
        assert editor.outlines[1].label == 2
        with pytest.raises(ValueError, match="label"):
            editor.choose_label(3)
        with pytest.raises(ValueError, match="tool"):
            editor.choose_tool("brush")


class TestProposing:
    def test_box_to_polygon_in_any_direction(self):
        asked = []

        def propose(image, box):
            asked.append((tuple(image.shape), box.tolist()))
            return np.array(SQUARE), 2

        editor = editor_with(propose=propose)
        editor.choose_tool("box")
        drag(editor, (32, 31), (8, 9))
        assert asked == [((3, 40, 50), [8, 9, 32, 31])]
        assert corners(editor) == [list(corner) for corner in SQUARE]
        assert editor.outlines[0].label == 2
        assert editor.tool == "edit"
        assert editor.points == 2
        editor.undo()
        assert editor.outlines == []

    def test_nothing_found_no_box_and_no_model(self):
        editor = editor_with(propose=lambda image, box: None)
        editor.choose_tool("box")
        drag(editor, (8, 9), (8.5, 20))  # no box
        assert editor.points == 0
        drag(editor, (8, 9), (32, 31))
        assert editor.outlines == []
        assert "no outline" in editor.message
        editor.propose = None
        drag(editor, (8, 9), (32, 31))
        assert "no model" in editor.message


class TestPicturesAndUndo:
    def test_pictures_go_round_and_undo_returns_to_where_it_was(self):
        editor = editor_with(SQUARE)
        editor.go(1)
        assert editor.outlines == []
        for x, y in STAR:
            click(editor, x, y)
        editor.close()
        editor.go(1)
        assert len(editor.outlines) == 1
        editor.go(-1)
        editor.go(-1)
        editor.undo()
        assert editor.work.picture == 1
        assert len(editor.work.draft) == len(STAR)
        while editor.can_undo:
            editor.undo()
        assert editor.work.outlines == [[], []]
        editor.undo()

    def test_no_pictures_or_classes(self):
        with pytest.raises(ValueError, match="images"):
            PolygonEditor([])
        with pytest.raises(ValueError, match="class_names"):
            PolygonEditor([torch.zeros(3, 4, 4)], ("background",))


class TestExport:
    def test_read_back_by_pycocotools(self, tmp_path):
        mask_api = pytest.importorskip("pycocotools.mask")
        COCO = pytest.importorskip("pycocotools.coco").COCO
        editor = editor_with(SQUARE)
        editor.go(1)
        editor.choose_label(2)
        star = STAR + 0.13  # no pixel's centre on an edge
        for x, y in star:
            click(editor, x, y)
        editor.close()
        editor.save(tmp_path / "drawn.json")
        assert "2 polygons" in editor.message
        coco = COCO(tmp_path / "drawn.json")
        assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == ["cat", "dog"]
        (square,) = coco.loadAnns(coco.getAnnIds(imgIds=0))
        (found,) = coco.loadAnns(coco.getAnnIds(imgIds=1))
        assert (square["category_id"], found["category_id"]) == (1, 2)
        assert square["bbox"] == [10, 10, 20, 20]
        assert mask_api.area(coco.annToRLE(square)) == square["area"] == 400
        expected = Outlines(star).contains_points(
            [(x + 0.5, y + 0.5) for y in range(40) for x in range(50)]
        )
        assert found["area"] == expected.sum()
        # pycocotools draws slanted edges a little differently
        assert abs(int(mask_api.area(coco.annToRLE(found))) - found["area"]) < 0.05 * found["area"]

    def test_what_covers_no_pixel_is_left_out(self, tmp_path):
        editor = editor_with([(10.1, 10.1), (10.3, 10.1), (10.2, 10.3)])
        editor.save(tmp_path / "drawn.json")
        assert (
            json.loads((tmp_path / "drawn.json").read_text(encoding="utf-8"))["annotations"] == []
        )


class TestHits:
    def test_nearest(self):
        square = np.array(SQUARE, float)
        assert nearest_corner(square, (33, 34)) == (5, 2)
        assert nearest_edge(square, (20, 12)) == (2, 0, (20, 10))
        assert nearest_edge(square, (33, 34)) == (5, 1, (30, 30))
        twice = np.array([(1, 1), (1, 1), (5, 1), (5, 5)], float)  # an edge without length
        assert nearest_edge(twice, (3, 0))[:2] == (1, 1)

    def test_contains_as_matplotlib_says(self):
        outlines = Outlines(STAR)
        places = [(x + 0.3, y + 0.4) for y in range(40) for x in range(50)]
        assert [contains(STAR, p) for p in places] == outlines.contains_points(places).tolist()
