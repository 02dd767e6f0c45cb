"""Widgets: a figure that is drawn anew whenever a control is moved.

Behind each is a plain function that gives the figure; `explore` does the rest.
"""

import html
import inspect
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.overlays import draw_boxes
from cvcourse.classroom.figures.pictures import draw_image
from cvcourse.data._extras import extra


def explore(function: Callable[..., Figure], **controls) -> "Explorer":
    """A figure with controls; make it the last value of a cell.

    function: called with the controls' values by name; draws and returns a figure.
    controls: what `ipywidgets.interact` takes: (least, most) or (least, most, step) for a slider, a
        list or dict of choices, True or False for a tick, or a widget. A slider starts at the
        function's default, where it has one, and otherwise in the middle.

    Without a browser, and in an exported page, the figure is there in its first state.
    """
    return Explorer(function, controls)


class Explorer:
    """What `explore` makes. `controls` are its widgets by name."""

    def __init__(self, function: Callable[..., Figure], controls: dict):
        with extra("lessons", "explore"):
            from ipywidgets import HTML, Widget, interactive

        if not controls:
            raise ValueError("explore() needs at least one control")
        self.function = function
        self.controls = {}
        parameters = inspect.signature(function).parameters
        for name, wish in controls.items():
            start = parameters[name].default if name in parameters else inspect.Parameter.empty
            widget = wish
            if not isinstance(wish, Widget):
                widget = interactive.widget_from_abbrev(wish, start)
            if widget is None:
                raise ValueError(f"{name} must describe a control, but is {wish!r}")
            if not widget.description:
                widget.description = name.replace("_", " ")
            widget.layout.width = "min(32em, 95%)"
            widget.observe(self._redraw, "value")
            self.controls[name] = widget
        longest = max(len(widget.description) for widget in self.controls.values())
        for widget in self.controls.values():
            widget.style.description_width = f"{0.6 * longest + 1:.1f}em"
        self._complaint = HTML()
        self._picture = None

    @property
    def values(self) -> dict:
        """The controls' values."""
        return {name: widget.value for name, widget in self.controls.items()}

    def figure(self) -> Figure:
        """The figure for the controls' values."""
        figure = self.function(**self.values)
        if not isinstance(figure, Figure):
            raise ValueError(f"function must return the figure it drew, but returned {figure!r}")
        plt.close(figure)  # it is shown here, not once more at the end of the cell
        return figure

    def _ipython_display_(self) -> None:
        from IPython.display import display
        from ipywidgets import VBox

        figure = self.figure()
        box = VBox([*self.controls.values(), self._complaint])
        told = ", ".join(f"{w.description} = {w.value}" for w in self.controls.values())
        still = f"<p><em>{html.escape(told)}</em> (to be moved where the notebook is running)</p>"
        display({**box._repr_mimebundle_(), "text/html": still, "text/plain": told}, raw=True)
        self._picture = display(figure, display_id=True)

    def _redraw(self, change) -> None:
        if self._picture is None:
            return
        try:
            self._picture.update(self.figure())
            self._complaint.value = ""
        except Exception as error:  # one raised here would be seen by nobody
            said = html.escape(f"{type(error).__name__}: {error}")
            self._complaint.value = f"<span style='color: {style.VERMILION}'>{said}</span>"


def explore_iou() -> Explorer:
    """Move and resize a box, and see its intersection over union with another."""
    return explore(draw_iou, x=(0, 120), y=(0, 90), width=(10, 80), height=(10, 70))


def draw_iou(x: int = 80, y: int = 60, width: int = 60, height: int = 50) -> Figure:
    """A fixed box and one with its corner at (x, y), their intersection, and IoU in numbers."""
    from cvcourse.ops.box_iou import box_iou

    fixed = torch.tensor([[60.0, 40.0, 120.0, 90.0]])
    moved = torch.tensor([[x, y, x + width, y + height]]).float()
    corner, far = torch.maximum(fixed, moved)[0, :2], torch.minimum(fixed, moved)[0, 2:]
    both = (far - corner).clamp(min=0)  # width and height of the intersection
    overlap = float(both.prod())
    union = 60 * 50 + width * height - overlap
    iou = float(box_iou(fixed, moved))

    figure, axes = plt.subplots(figsize=(5.6, 4.9))
    for left, top, right, bottom in torch.cat([fixed, moved]).tolist():
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, facecolor="0.92"))
    axes.add_patch(Rectangle(corner, *both, facecolor=style.YELLOW))
    draw_boxes(axes, fixed, colour=style.BLUE, texts=["fixed"])
    draw_boxes(axes, moved, colour=style.VERMILION, texts=["yours"])
    axes.set(xlim=(0, 200), ylim=(160, 0), aspect="equal", xlabel="x (pixels)", ylabel="y (pixels)")
    axes.set_title(f"IoU = {overlap:,.0f} / {union:,.0f} = {iou:.3f}")
    figure.suptitle("Intersection (yellow) over union (grey and yellow)")
    return style.describe(
        figure, f"Two boxes; intersection {overlap:.0f}, union {union:.0f} pixels, IoU {iou:.3f}."
    )


def explore_nms(
    image: Tensor,
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor | None = None,
    *,
    truth: Tensor | None = None,
    class_names: Sequence[str] | None = None,
) -> Explorer:
    """Non-maximum suppression on a picture, with sliders for both thresholds."""

    def draw(iou_threshold: float = 0.5, min_score: float = 0.05) -> Figure:
        return draw_nms(
            image,
            boxes,
            scores,
            labels,
            iou_threshold=iou_threshold,
            min_score=min_score,
            truth=truth,
            class_names=class_names,
        )

    return explore(draw, iou_threshold=(0.0, 1.0, 0.05), min_score=(0.0, 1.0, 0.05))


def draw_nms(
    image: Tensor,
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor | None = None,
    *,
    iou_threshold: float = 0.5,
    min_score: float = 0.05,
    truth: Tensor | None = None,
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Boxes kept by non-maximum suppression within each class, and thinly those it removed.

    truth (K, 4) are the true boxes, drawn dotted.
    """
    from cvcourse.ops.nms import batched_nms

    boxes, scores = boxes.detach().cpu(), scores.detach().cpu()
    classes = torch.zeros(len(boxes), dtype=torch.int64) if labels is None else labels.cpu()
    certain = scores >= min_score
    boxes, scores, classes = boxes[certain], scores[certain], classes[certain]
    kept = batched_nms(boxes, scores, classes, iou_threshold)
    removed = torch.ones(len(boxes), dtype=torch.bool)
    removed[kept] = False

    figure, axes = plt.subplots(figsize=(style.WIDTH * 0.7, style.WIDTH * 0.62))
    draw_image(axes, image)
    for colour, width in (("black", 1.4), ("white", 0.8)):
        _outline(axes, boxes[removed], edgecolor=colour, lw=width)
    draw_boxes(
        axes,
        boxes[kept],
        None if labels is None else classes[kept],
        scores[kept],
        class_names=class_names,
    )
    dotted = ""
    if truth is not None:
        dots = {"edgecolor": style.colour_of(1), "lw": 2.0, "linestyle": ":", "zorder": 3}
        _outline(axes, truth.detach().cpu(), **dots)
        dotted = "\ndotted: the truth"
    axes.set_title(
        f"{int((~certain).sum())} below {min_score:.2f} left out; of {len(boxes)} others "
        f"{len(kept)} kept, {int(removed.sum())} suppressed (thin){dotted}"
    )
    figure.suptitle(f"Non-maximum suppression at IoU {iou_threshold:.2f}")
    return style.describe(
        figure,
        f"Picture with {len(kept)} boxes kept by non-maximum suppression at IoU "
        f"{iou_threshold:.2f}, {int(removed.sum())} suppressed.",
    )


def _outline(axes: Axes, boxes: Tensor, **line) -> None:
    for x1, y1, x2, y2 in boxes.tolist():
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, **line))
