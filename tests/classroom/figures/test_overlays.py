import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from cvcourse.classroom import (
    colour_of,
    draw_boxes,
    show_boxes,
    show_masks,
)
from cvcourse.classroom.figures import style

IMAGE = torch.rand(3, 20, 30)
NAMES = ["background", "coin", "star"]
TARGET = {
    "boxes": torch.tensor([[1.0, 2.0, 11.0, 8.0], [5.0, 5.0, 25.0, 20.0]]),
    "labels": torch.tensor([1, 2]),
}
PREDICTION = {**TARGET, "scores": torch.tensor([0.9, 0.2]), "masks": torch.zeros(2, 20, 30)}


def boxes_in(axes):
    """Corners, colour and dashes of the coloured rectangles, without what lies under them."""
    found = [p for p in axes.patches if isinstance(p, Rectangle)]
    return [
        (
            (*p.get_xy(), p.get_xy()[0] + p.get_width(), p.get_xy()[1] + p.get_height()),
            to_hex(p.get_edgecolor()),
            p.get_linestyle() not in ("-", "solid"),
        )
        for p in found
        if to_hex(p.get_edgecolor()) != "#ffffff"
    ]


def texts_in(axes):
    return [text.get_text() for text in axes.texts]


class TestShowBoxes:
    def test_truth_is_solid_and_named(self):
        figure = show_boxes(IMAGE, TARGET, title="Boxes", class_names=NAMES)
        axes = figure.axes[0]
        assert boxes_in(axes) == [
            ((1, 2, 11, 8), colour_of(1), False),
            ((5, 5, 25, 20), colour_of(2), False),
        ]
        assert texts_in(axes) == ["coin", "star"]
        assert not figure.legends
        assert style.alt_text(figure) == "Boxes. 1 picture with 2 true boxes (solid)."

    def test_predictions_are_dashed_with_scores(self):
        axes = show_boxes(IMAGE, None, PREDICTION, title="Boxes", class_names=NAMES).axes[0]
        assert [dashed for *_, dashed in boxes_in(axes)] == [True, True]
        assert texts_in(axes) == ["coin 0.90", "star 0.20"]

    def test_both_have_a_legend_that_is_true(self):
        figure = show_boxes([IMAGE, IMAGE], [TARGET] * 2, [PREDICTION] * 2, title="Boxes")
        (legend,) = figure.legends
        shown = {
            (text.get_text(), to_hex(line.get_color()), line.is_dashed())
            for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
        }
        truth, prediction = boxes_in(figure.axes[0])[:2], boxes_in(figure.axes[0])[2:]
        assert shown == {
            ("ground truth", *truth[0][1:]),
            ("prediction", *prediction[0][1:]),
        }
        assert {tuple(look) for _, *look in truth} == {(style.BLUE.lower(), False)}
        assert {tuple(look) for _, *look in prediction} == {(style.VERMILION.lower(), True)}
        assert texts_in(figure.axes[0]) == ["1", "2", "1 0.90", "2 0.20"]
        assert "4 true boxes (solid) and 4 predicted boxes (dashed)" in style.alt_text(figure)

    def test_a_single_class_is_not_named(self):
        one = {**PREDICTION, "labels": torch.ones(2, dtype=torch.int64)}
        figure = show_boxes(IMAGE, one, one, title="Coins", class_names=NAMES[:2])
        assert texts_in(figure.axes[0]) == ["0.90", "0.20"]
        assert texts_in(show_boxes(IMAGE, one, title="Coins").axes[0]) == []
        (look,) = {tuple(look) for _, *look in boxes_in(show_boxes(IMAGE, one, title="x").axes[0])}
        assert look == (style.BLUE.lower(), False)

    def test_low_scores_are_left_out(self):
        figure = show_boxes(
            IMAGE, None, PREDICTION, title="Boxes", class_names=NAMES, min_score=0.5
        )
        assert texts_in(figure.axes[0]) == ["coin 0.90"]
        assert "1 predicted box (dashed)" in style.alt_text(figure)

    def test_the_surest_are_drawn_and_how_many_others_there_are_is_said(self):
        corners = torch.arange(12.0)[:, None] + torch.tensor([0.0, 0, 4, 4])
        found = {"boxes": corners, "scores": torch.arange(12) / 12}
        figure = show_boxes(IMAGE, {"boxes": corners[:10]}, found, title="Many")
        axes = figure.axes[0]
        drawn = [box[0] for box, _, dashed in boxes_in(axes) if dashed]
        assert drawn == [11, 10, 9, 8, 7, 6, 5, 4]
        near = [box[0] for box, _, dashed in boxes_in(axes) if not dashed]
        assert near == [2, 3, 4, 5, 6, 7, 8, 9]
        told = "drawn: 8 of 10 true boxes, the surest 8 of 12 predictions"
        assert axes.get_xlabel() == told
        assert "8 of 10 true boxes (solid) and 8 of 12 predicted boxes" in style.alt_text(figure)

    def test_as_many_as_asked_for(self):
        boxes = {"boxes": torch.rand(12, 2).repeat(1, 2) + torch.tensor([0.0, 0, 4, 4])}
        for most, drawn, told in (
            (None, 12, ""),
            (12, 12, ""),
            (2, 2, "drawn: 2 of 12 true boxes"),
        ):
            axes = show_boxes(IMAGE, boxes, title="Many", most=most).axes[0]
            assert (len(boxes_in(axes)), axes.get_xlabel()) == (drawn, told)
        with pytest.raises(ValueError, match="most must be at least 1, but is 0"):
            show_boxes(IMAGE, boxes, title="None", most=0)

    def test_no_boxes_at_all(self):
        empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
        assert boxes_in(show_boxes(IMAGE, empty, title="None").axes[0]) == []
        many = {"boxes": torch.rand(9, 4), "labels": torch.ones(9, dtype=torch.int64)}
        assert len(boxes_in(show_boxes(IMAGE, many, empty, title="None").axes[0])) == 8

    def test_boxes_without_labels(self):
        axes = show_boxes(IMAGE, {"boxes": TARGET["boxes"]}, title="Anchors").axes[0]
        assert len(boxes_in(axes)) == 2
        assert texts_in(axes) == []

    def test_one_dict_for_each_picture(self):
        with pytest.raises(ValueError, match="targets must be one dict for each of 2 images"):
            show_boxes([IMAGE, IMAGE], [TARGET], title="x")

    def test_draw_boxes_with_own_colour_and_texts(self):
        _, axes = plt.subplots()
        draw_boxes(axes, TARGET["boxes"], colour="#000000", texts=["a", ""])
        assert {tuple(look) for _, *look in boxes_in(axes)} == {("#000000", False)}
        assert texts_in(axes) == ["a"]


class TestShowMasks:
    def layers(self, axes):
        """Colour and pixels of each mask."""
        for picture in axes.get_images()[1:]:
            rgba = np.asarray(picture.get_array())
            mask = rgba[..., 3] > 0
            yield to_hex(rgba[mask][0][:3]), mask

    def test_map_of_classes(self):
        classes = torch.zeros(20, 30, dtype=torch.int64)
        classes[2:5, 3:9] = 1
        classes[10:, 20:] = 2
        classes[0] = 255
        figure = show_masks(IMAGE, classes, title="Semantic", class_names=NAMES)
        found = dict(self.layers(figure.axes[0]))
        assert found.keys() == {colour_of(1), colour_of(2)}
        np.testing.assert_array_equal(found[colour_of(2)], classes == 2)
        assert [t.get_text() for t in figure.legends[0].get_texts()] == ["coin", "star"]
        assert style.alt_text(figure) == "Semantic. 1 picture with masks of coin, star."

    def test_background_can_be_drawn(self):
        figure = show_masks(
            IMAGE, torch.zeros(20, 30, dtype=torch.int64), title="All", background=None
        )
        (layer,) = self.layers(figure.axes[0])
        assert layer[0] == colour_of(0)

    @pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.uint8])
    def test_instances_differ_in_colour(self, dtype):
        masks = torch.zeros(2, 20, 30)
        masks[0, :5], masks[1, 10:] = 1, 1
        figure = show_masks(IMAGE, masks.to(dtype), title="Instances")
        found = dict(self.layers(figure.axes[0]))
        np.testing.assert_array_equal(found[colour_of(0)], masks[0] > 0)
        np.testing.assert_array_equal(found[colour_of(1)], masks[1] > 0)

    @pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
    def test_batch_of_one_map_is_a_map(self, dtype):
        classes = torch.zeros(1, 20, 30, dtype=dtype)
        classes[0, 2:5, 3:9], classes[0, 10:] = 1, 2
        figure = show_masks(IMAGE[None], classes, title="Semantic", class_names=NAMES)
        found = dict(self.layers(figure.axes[0]))
        assert found.keys() == {colour_of(1), colour_of(2)}
        np.testing.assert_array_equal(found[colour_of(2)], classes[0] == 2)
        assert [t.get_text() for t in figure.legends[0].get_texts()] == ["coin", "star"]

    def test_batch_of_maps(self):
        maps = torch.tensor([1, 2])[:, None, None].expand(2, 20, 30)
        figure = show_masks(torch.stack([IMAGE, IMAGE]), maps, title="x", class_names=NAMES)
        colours = [colour for axes in figure.axes for colour, _ in self.layers(axes)]
        assert colours == [colour_of(1), colour_of(2)]

    def test_one_instance_with_its_label(self):
        mask = torch.ones(1, 20, 30, dtype=torch.uint8)
        figure = show_masks(IMAGE, mask, title="x", labels=[torch.tensor([2])])
        assert [colour for colour, _ in self.layers(figure.axes[0])] == [colour_of(2)]

    def test_maps_are_no_instances(self):
        maps = torch.full((2, 20, 30), 3)
        with pytest.raises(ValueError, match=r"zeros and ones, but have numbers up to 3"):
            show_masks([IMAGE], [maps], title="x")

    def test_same_object_same_colour_in_every_panel(self):
        masks = torch.zeros(2, 20, 30, dtype=torch.bool)
        masks[0, :5], masks[1, 10:] = True, True
        figure = show_masks(
            [IMAGE, IMAGE],
            [masks, masks.flip(0)],
            title="x",
            ids=[torch.tensor([4, 1]), torch.tensor([1, 4])],
        )
        for axes in figure.axes:
            found = dict(self.layers(axes))
            assert found.keys() == {colour_of(1), colour_of(4)}
            np.testing.assert_array_equal(found[colour_of(4)], masks[0])
        with pytest.raises(ValueError, match="labels and ids both decide the colours"):
            show_masks(IMAGE, masks, title="x", ids=[[1, 2]], labels=[[1, 2]])

    def test_instances_in_the_colours_of_their_classes(self):
        masks = torch.zeros(3, 20, 30, dtype=torch.bool)
        masks[0, :5], masks[1, 10:15], masks[2, 16:] = True, True, True
        figure = show_masks(
            [IMAGE], [masks], title="x", labels=[torch.tensor([2, 1, 2])], class_names=NAMES
        )
        colours = [colour for colour, _ in self.layers(figure.axes[0])]
        assert colours == [colour_of(2), colour_of(1), colour_of(2)]
        assert len(figure.legends[0].get_texts()) == 2

    def test_probabilities_count_from_one_half(self):
        masks = torch.full((1, 20, 30), 0.49)
        masks[0, 3:7, 4:8] = 0.5
        (layer,) = self.layers(show_masks(IMAGE, masks, title="x").axes[0])
        np.testing.assert_array_equal(layer[1], masks[0] >= 0.5)

    def test_no_instances(self):
        figure = show_masks(IMAGE, torch.zeros(0, 20, 30), title="None")
        assert list(self.layers(figure.axes[0])) == []

    def test_sizes_must_agree(self):
        with pytest.raises(ValueError, match=r"masks must be \(20, 30\) pixels .*, not \(5, 5\)"):
            show_masks(IMAGE, torch.ones(5, 5, dtype=torch.int64), title="x")

    def test_one_for_each_picture(self):
        with pytest.raises(ValueError, match="masks must be one for each of 2 images, not 1"):
            show_masks([IMAGE, IMAGE], [torch.ones(20, 30)], title="x")
