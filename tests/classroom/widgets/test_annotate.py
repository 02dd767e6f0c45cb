import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from cvcourse.classroom import annotate
from cvcourse.classroom.figures import style

IMAGES = [torch.rand(3, 48, 96, generator=torch.Generator().manual_seed(0)), torch.rand(1, 900, 30)]
TRIANGLE = [(10, 10), (40, 10), (25, 40)]


def drawn(tool, corners=TRIANGLE):
    for x, y in corners:
        tool.handle("press", [x, y])
        tool.handle("release", [x, y])
    tool.handle("close")
    return tool


@pytest.fixture
def tool(tmp_path):
    return annotate(IMAGES, ("background", "cat"), path=tmp_path / "drawn.json")


def test_state_is_plain_json_with_all_that_is_drawn(tool):
    state = json.loads(json.dumps(drawn(tool).state()))
    (outline,) = state["outlines"]
    assert outline == {
        "polygon": [list(corner) for corner in TRIANGLE],
        "colour": style.colour_of(1),
        "name": "cat",
    }
    assert (state["width"], state["height"], state["zoom"]) == (96, 48, 6)
    assert state["title"] == "Picture 1 of 2: 1 polygon, 3 points placed"
    assert state["selected"] == [0, None]
    assert state["canUndo"]
    assert not state["canPropose"]


def test_what_is_near_depends_on_the_zoom(tool):
    drawn(tool)
    tool.handle("choose_tool", ["edit"])
    tool.handle("press", [11.4, 10])  # 8 CSS pixels from a corner
    assert tool.state()["held"]
    tool.handle("release", [11.4, 10])
    tool.handle("go", [1])
    assert tool.zoom == pytest.approx(420 / 900)
    drawn(tool)  # two of its corners are now 14 CSS pixels apart


def test_errors_are_said_and_unknown_commands_refused(tool):
    tool.handle("choose_label", [7])
    assert "ValueError" in tool.state()["message"]
    with pytest.raises(ValueError, match="__init__"):
        tool.handle("__init__", [])


def test_export(tool):
    drawn(tool).handle("save")
    assert json.loads(tool.path.read_text(encoding="utf-8")) == tool.coco()
    assert len(tool.coco()["annotations"]) == 1


def test_figure_shows_the_polygons(tool):
    figure = drawn(tool).figure()
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[-1].get_xydata(), [*TRIANGLE, TRIANGLE[0]])
    assert [text.get_text() for text in axes.texts] == ["cat"]
    assert "1 polygon" in style.alt_text(figure)


class TestWidget:
    @pytest.fixture
    def shown(self, tool, monkeypatch):
        import IPython.display

        class Handle:
            def update(self, thing):
                updates.append(thing)

        def display(thing, *, raw=False, display_id=None):
            displays.append(thing)
            return Handle() if display_id else None

        displays, updates = [], []
        monkeypatch.setattr(IPython.display, "display", display)
        tool._ipython_display_()
        return tool, displays, updates

    def message(self, tool, name, *values):
        tool.widget._handle_custom_msg({"name": name, "values": list(values)}, [])

    def test_picture_and_state_are_sent_and_messages_answered(self, shown):
        tool, displays, _ = shown
        assert "application/vnd.jupyter.widget-view+json" in displays[0]
        encoded = tool.widget.picture.removeprefix("data:image/png;base64,")
        pixels = np.array(Image.open(io.BytesIO(base64.b64decode(encoded))))
        np.testing.assert_array_equal(
            pixels, (255 * IMAGES[0]).round().to(torch.uint8).permute(1, 2, 0)
        )
        self.message(tool, "press", 10, 20)
        assert tool.widget.state["draft"] == [[10, 20]]
        before = tool.widget.picture
        self.message(tool, "go", 1)
        assert tool.widget.picture != before
        assert tool.widget.state["height"] == 900

    def test_figure_is_there_until_a_browser_is_and_again_after_export(self, shown):
        tool, displays, updates = shown
        assert displays[1].axes
        self.message(tool, "rendered")
        assert updates[0].data == ""
        for x, y in TRIANGLE:
            self.message(tool, "press", x, y)
        self.message(tool, "close")
        assert len(updates) == 1
        self.message(tool, "save")
        assert "1 polygon" in style.alt_text(updates[1])

    def test_script_is_in_the_package_and_loads_nothing(self, tool):
        assert "addEventListener" in tool.widget._esm
        assert "http" not in tool.widget._esm
        assert "import" not in tool.widget._esm
