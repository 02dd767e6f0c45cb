import torch
from matplotlib.colors import to_rgb

from cvcourse.classroom.figures.style import BLUE, VERMILION, alt_text
from cvcourse.classroom.subjects.anchors import show_owners, show_unmatched


def test_each_level_has_its_anchors_by_kind():
    anchors = torch.tensor([[0.0, 0, 4, 8], [4, 0, 8, 8], [0, 8, 4, 16], [0, 0, 16, 16]])
    owners = torch.tensor([-1, 0, -2, 3])
    picture = torch.rand(3, 16, 16)
    figure = show_owners(picture, anchors, owners, (3, 1), ("fine", "coarse"), title="Owners")
    fine, coarse = figure.axes
    assert [axes.get_title() for axes in (fine, coarse)] == ["fine", "coarse"]
    centres = [
        [dots.get_offsets().tolist() for dots in axes.collections] for axes in (fine, coarse)
    ]
    assert centres == [[[[2, 4]], [[2, 12]], [[6, 4]]], [[], [], [[8, 8]]]]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["background", "left out", "positive"]
    colours = [dots.get_facecolor()[0][:3] for dots in (fine.collections[0], fine.collections[2])]
    assert [tuple(colour) for colour in colours] == [to_rgb(BLUE), to_rgb(VERMILION)]


def test_shares_of_objects_with_an_anchor_by_size():
    sides = torch.tensor([10.0, 12, 30, 35, 38])
    fitting = {
        "small": torch.tensor([True, False, False, False, False]),
        "all": torch.ones(5, dtype=torch.bool),
    }
    alone = torch.tensor([[2.0, 2, 6, 6], [8, 8, 12, 12]])
    figure = show_unmatched(
        [torch.rand(3, 16, 16)], [alone], [alone + 1], sides, fitting, (8, 20, 40), title="Alone"
    )
    left, right = figure.axes
    assert left.get_title() == "2 without an anchor"
    lines = {line.get_label(): line.get_xydata().tolist() for line in right.lines}
    assert lines["small"] == [[14, 0.5], [30, 0]]
    assert lines["all"] == [[14, 1], [30, 1]]
    drawn = [patch for patch in left.patches if patch.get_edgecolor()[:3] == to_rgb(BLUE)]
    assert [patch.get_xy() for patch in drawn] == [(2, 2), (8, 8)]
    assert "small 0.200, all 1.000" in alt_text(figure)
