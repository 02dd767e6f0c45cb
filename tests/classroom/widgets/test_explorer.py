import matplotlib.pyplot as plt
import pytest
import torch
from ipywidgets import Checkbox, Dropdown, FloatSlider, IntSlider, ToggleButtons
from matplotlib.colors import to_hex

from cvcourse.classroom import (
    draw_iou,
    draw_nms,
    explore,
    explore_iou,
    explore_nms,
)
from cvcourse.classroom.figures import style


def powers(exponent=3, *, scale=1.0, dotted=False, colour="blue"):
    figure, axes = plt.subplots()
    axes.plot([scale * x**exponent for x in range(4)], ":" if dotted else "-", color=colour)
    return figure


def plotted(figure):
    return figure.axes[0].get_lines()[0].get_ydata().tolist()


class TestExplore:
    def test_controls(self):
        buttons = ToggleButtons(options=["blue", "red"])
        explorer = explore(
            powers, exponent=(1, 5), scale=(0.0, 2.0, 0.5), dotted=False, colour=buttons
        )
        kinds = {name: type(widget) for name, widget in explorer.controls.items()}
        assert kinds == {
            "exponent": IntSlider,
            "scale": FloatSlider,
            "dotted": Checkbox,
            "colour": ToggleButtons,
        }
        assert explorer.values == {"exponent": 3, "scale": 1.0, "dotted": False, "colour": "blue"}
        assert (explorer.controls["scale"].min, explorer.controls["scale"].max) == (0, 2)
        assert isinstance(explore(powers, colour=["red", "blue"]).controls["colour"], Dropdown)

    def test_figure_follows_the_controls(self):
        explorer = explore(powers, exponent=(1, 5), scale=(0.0, 2.0))
        assert plotted(explorer.figure()) == [0, 1, 8, 27]
        explorer.controls["exponent"].value = 2
        explorer.controls["scale"].value = 2.0
        assert plotted(explorer.figure()) == [0, 2, 8, 18]

    def test_figures_do_not_pile_up(self):
        explorer = explore(powers, exponent=(1, 5))
        explorer.figure()
        assert plt.get_fignums() == []

    @pytest.fixture
    def shown(self, monkeypatch):
        """What was displayed at first, and what the display was updated with."""
        import IPython.display

        class Handle:
            def update(self, figure):
                updates.append(figure)

        def display(thing, *, raw=False, display_id=None):
            displays.append(thing)
            return Handle() if display_id else None

        displays, updates = [], []
        monkeypatch.setattr(IPython.display, "display", display)
        return displays, updates

    def test_first_state_is_shown_then_one_update_for_each_move(self, shown):
        displays, updates = shown
        explorer = explore(powers, exponent=(1, 5), scale=(0.0, 2.0))
        explorer.controls["exponent"].value = 4  # before it is shown: nothing to redraw
        explorer._ipython_display_()
        controls, figure = displays
        assert "application/vnd.jupyter.widget-view+json" in controls
        assert "exponent = 4, scale = 1.0" in controls["text/html"]
        assert plotted(figure) == [0, 1, 16, 81]
        explorer.controls["exponent"].value = 2
        assert [plotted(figure) for figure in updates] == [[0, 1, 4, 9]]

    def test_an_error_is_told_below_the_controls_and_goes_away(self, shown):
        def picky(x=1):
            if x > 2:
                raise ValueError("x < 3 only")
            return powers(x)

        explorer = explore(picky, x=(0, 5))
        explorer._ipython_display_()
        explorer.controls["x"].value = 3
        assert "ValueError: x &lt; 3 only" in explorer._complaint.value
        explorer.controls["x"].value = 2
        assert explorer._complaint.value == ""
        assert len(shown[1]) == 1

    @pytest.mark.parametrize(
        ("controls", "said"),
        [
            ({}, "at least one control"),
            ({"exponent": object()}, "exponent must describe a control"),
        ],
    )
    def test_bad_controls(self, controls, said):
        with pytest.raises(ValueError, match=said):
            explore(powers, **controls)

    def test_function_must_return_a_figure(self):
        with pytest.raises(ValueError, match="must return the figure it drew, but returned None"):
            explore(lambda x: None, x=(0, 1)).figure()


class TestIoU:
    @pytest.mark.parametrize(
        ("box", "title"),
        [
            ((60, 40, 60, 50), "IoU = 3,000 / 3,000 = 1.000"),
            ((80, 60, 60, 50), "IoU = 1,200 / 4,800 = 0.250"),
            ((120, 40, 10, 10), "IoU = 0 / 3,100 = 0.000"),
            ((0, 0, 10, 10), "IoU = 0 / 3,100 = 0.000"),
        ],
    )
    def test_numbers(self, box, title):
        figure = draw_iou(*box)
        assert figure.axes[0].get_title() == title
        assert f"IoU {title[-5:]}" in style.alt_text(figure)

    def test_explorer(self):
        explorer = explore_iou()
        assert explorer.figure().axes[0].get_title() == "IoU = 1,200 / 4,800 = 0.250"
        for name, value in {"x": 60, "y": 40}.items():
            explorer.controls[name].value = value
        assert explorer.figure().axes[0].get_title().endswith("= 1.000")


class TestNMS:
    IMAGE = torch.rand(3, 40, 40)
    BOXES = torch.tensor(
        [[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 4], [20, 20, 30, 30], [0, 0, 10, 9]]
    ).float()
    SCORES = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.01])

    def texts(self, figure):
        return [text.get_text() for text in figure.axes[0].texts]

    @pytest.mark.parametrize(
        ("threshold", "kept"),
        [(0.9, ["0.90", "0.80", "0.70", "0.60"]), (0.5, ["0.90", "0.70", "0.60"])],
    )
    def test_kept_and_suppressed(self, threshold, kept):
        figure = draw_nms(self.IMAGE, self.BOXES, self.SCORES, iou_threshold=threshold)
        assert self.texts(figure) == kept
        said = f"1 below 0.05 left out; of 4 others {len(kept)} kept, {4 - len(kept)} suppressed"
        assert figure.axes[0].get_title().startswith(said)
        white = [p for p in figure.axes[0].patches if p.get_linewidth() == 0.8]
        assert len(white) == 4 - len(kept)
        assert {to_hex(p.get_edgecolor()) for p in white} <= {"#ffffff"}

    def test_classes_do_not_suppress_each_other(self):
        labels = torch.tensor([1, 2, 1, 1, 1])
        figure = draw_nms(
            self.IMAGE, self.BOXES, self.SCORES, labels, class_names=["", "cup", "pot"]
        )
        assert self.texts(figure) == ["cup 0.90", "pot 0.80", "cup 0.70", "cup 0.60"]

    def test_truth_is_dotted(self):
        figure = draw_nms(self.IMAGE, self.BOXES, self.SCORES, truth=self.BOXES[3:4])
        (dotted,) = [p for p in figure.axes[0].patches if p.get_linestyle() == ":"]
        assert dotted.get_bbox().extents.tolist() == [20, 20, 30, 30]
        assert figure.axes[0].get_title().endswith("(thin)\ndotted: the truth")

    def test_explorer(self):
        explorer = explore_nms(self.IMAGE, self.BOXES, self.SCORES)
        assert explorer.values == {"iou_threshold": 0.5, "min_score": 0.05}
        explorer.controls["min_score"].value = 0.65
        assert self.texts(explorer.figure()) == ["0.90", "0.70"]
