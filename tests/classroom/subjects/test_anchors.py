import torch
from matplotlib.colors import to_rgb

from cvcourse.classroom.figures.style import BLUE, VERMILION
from cvcourse.classroom.subjects.anchors import show_owners


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
