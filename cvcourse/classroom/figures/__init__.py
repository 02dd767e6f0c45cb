"""Figures of a lesson: labelled, colour-safe, with alternative text."""

from cvcourse.classroom.figures.charts import (
    show_confusion,
    show_curves,
    show_spread,
    show_trainings,
)
from cvcourse.classroom.figures.comparisons import (
    show_before_after,
)
from cvcourse.classroom.figures.fields import (
    show_depth,
    show_flow,
)
from cvcourse.classroom.figures.films import (
    show_film,
)
from cvcourse.classroom.figures.overlays import (
    draw_boxes,
    show_boxes,
    show_masks,
)
from cvcourse.classroom.figures.pictures import (
    draw_image,
    show_gallery,
    show_images,
)
from cvcourse.classroom.figures.style import (
    colour_of,
    describe,
)

__all__ = [
    "colour_of",
    "describe",
    "draw_boxes",
    "draw_image",
    "show_before_after",
    "show_boxes",
    "show_confusion",
    "show_curves",
    "show_depth",
    "show_film",
    "show_flow",
    "show_gallery",
    "show_images",
    "show_masks",
    "show_spread",
    "show_trainings",
]
