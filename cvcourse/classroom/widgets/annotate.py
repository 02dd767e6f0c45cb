"""`annotate`: a person draws polygons on pictures, and a model helps."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.pictures import draw_image, to_picture
from cvcourse.classroom.widgets.polygon_editor import Outline, PolygonEditor, Proposer
from cvcourse.data._extras import extra

SCREEN = 640, 420  # the largest canvas, in CSS pixels
REACH = 9  # how near to a corner a click is meant for it, in CSS pixels


def annotate(
    images: Sequence[Tensor],
    class_names: Sequence[str] = ("background", "object"),
    *,
    propose: Proposer | None = None,
    path: str | Path = "annotations.json",
) -> "Annotator":
    """Pictures on which polygons are drawn and corrected; make it the last value of a cell.

    images, class_names, propose: of `PolygonEditor`, whose docstring tells what a click does.
    path: where Export writes COCO's json.

    Without a browser there is a figure instead. Export shows what it has written in such a figure,
    so that it is there in an exported page too.
    """
    return Annotator(images, class_names, propose=propose, path=path)


class Annotator:
    """What `annotate` makes; `editor` holds the polygons."""

    def __init__(
        self,
        images: Sequence[Tensor],
        class_names: Sequence[str],
        *,
        propose: Proposer | None,
        path: str | Path,
    ):
        self.editor = PolygonEditor(images, class_names, propose=propose)
        self.path = Path(path).expanduser()
        self._widget = None
        self._sent = None  # the picture that the browser has
        self._still = None  # where the figure is displayed

    def coco(self) -> dict:
        """Everything drawn so far, as Export writes it."""
        return self.editor.coco()

    def figure(self) -> Figure:
        """The picture that is shown, with its polygons."""
        editor = self.editor
        figure, axes = plt.subplots(figsize=(style.WIDTH * 0.62, style.WIDTH * 0.55))
        draw_image(axes, editor.images[editor.work.picture])
        for outline in editor.outlines:
            draw_outline(axes, outline, editor.class_names)
        axes.set_title(self.title)
        plt.close(figure)  # it is shown here, not once more at the end of the cell
        return style.describe(figure, f"{self.title}.")

    @property
    def title(self) -> str:
        editor = self.editor
        count = len(editor.outlines)
        return (
            f"Picture {editor.work.picture + 1} of {len(editor.images)}: "
            f"{count} polygon{'' if count == 1 else 's'}, {editor.points} points placed"
        )

    @property
    def zoom(self) -> float:
        """CSS pixels to a pixel of the picture."""
        height, width = self.editor.size
        scale = min(SCREEN[0] / width, SCREEN[1] / height)
        return float(int(scale)) if scale >= 1 else scale

    def state(self) -> dict:
        """What the browser draws, in plain numbers and strings."""
        editor, work = self.editor, self.editor.work
        height, width = editor.size
        return {
            "width": width,
            "height": height,
            "zoom": self.zoom,
            "outlines": [
                {
                    "polygon": outline.polygon.tolist(),
                    "colour": style.colour_of(outline.label),
                    "name": editor.class_names[outline.label],
                }
                for outline in editor.outlines
            ],
            "draft": [list(point) for point in work.draft],
            "selected": None if work.selected is None else list(work.selected),
            "held": editor.held,
            "tool": editor.tool,
            "label": editor.label,
            "classNames": list(editor.class_names),
            "canUndo": editor.can_undo,
            "canPropose": editor.propose is not None,
            "message": editor.message,
            "title": self.title,
        }

    def handle(self, name: str, values: Sequence = ()) -> None:
        """Do what the browser asks for: a method of the editor, with its arguments."""
        allowed = {
            "press", "release", "choose_tool", "choose_label", "close", "cancel", "delete",
            "select_next", "nudge", "go", "undo", "save",
        }  # fmt: skip
        if name not in allowed:
            raise ValueError(f"name: expected one of {sorted(allowed)}, got {name!r}")
        editor = self.editor
        editor.reach = REACH / self.zoom
        try:
            getattr(editor, name)(*([self.path] if name == "save" else values))
        except Exception as error:  # one raised here would be seen by nobody
            editor.message = f"{type(error).__name__}: {error}"

    @property
    def widget(self):
        """The canvas; needs `anywidget`."""
        if self._widget is None:
            with extra("lessons", "annotate"):
                from cvcourse.classroom.widgets._polygon_canvas import PolygonCanvas

            self._widget = PolygonCanvas()
            self._widget.on_msg(self._answer)
            self._send()
        return self._widget

    def _answer(self, widget, message: dict, buffers) -> None:
        from IPython.display import HTML

        name = message["name"]
        if name == "rendered":  # so there is a browser, and no need of the figure
            if self._still is not None:
                self._still.update(HTML(""))
            return
        self.handle(name, message["values"])
        self._send()
        if name == "save" and self._still is not None:
            self._still.update(self.figure())

    def _send(self) -> None:
        if self._sent != self.editor.work.picture:
            self._sent = self.editor.work.picture
            self._widget.picture = _as_url(self.editor.images[self._sent])
        self._widget.state = self.state()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        bundle, _ = self.widget._repr_mimebundle_()
        display({**bundle, "text/plain": self.title}, raw=True)
        self._still = display(self.figure(), display_id=True)


def draw_outline(axes: Axes, outline: Outline, class_names: Sequence[str] | None = None) -> None:
    """A polygon with its corners on `axes`, in its class's colour, and its name if given."""
    colour = style.colour_of(outline.label)
    closed = np.concatenate([outline.polygon, outline.polygon[:1]])
    axes.fill(*closed.T, color=colour, alpha=0.25)
    axes.plot(*closed.T, color="white", linewidth=3.2)
    axes.plot(*closed.T, color=colour, linewidth=1.8, marker="s", markersize=4, mec="white")
    if class_names is not None:
        x, y = outline.polygon[outline.polygon[:, 1].argmin()]
        axes.text(
            x, y, class_names[outline.label], fontsize=8, ha="center", va="bottom",
            color=style.readable_on(colour),
            bbox={"boxstyle": "square,pad=0.12", "facecolor": colour, "edgecolor": "none"},
        )  # fmt: skip


def _as_url(image: Tensor) -> str:
    pixels = np.rint(to_picture(image) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
