"""What a lesson needs around its subject: begin, fit, figures, widgets."""

from cvcourse.classroom.annotate import annotate
from cvcourse.classroom.charts import show_confusion, show_curves
from cvcourse.classroom.checkpoint import load_best
from cvcourse.classroom.fields import show_depth, show_flow
from cvcourse.classroom.fit import fit, warmup_cosine
from cvcourse.classroom.history import History
from cvcourse.classroom.overlays import draw_boxes, show_boxes, show_masks
from cvcourse.classroom.pictures import draw_image, show_gallery, show_images
from cvcourse.classroom.run import ClaimError, Run, begin
from cvcourse.classroom.shared import trained
from cvcourse.classroom.style import colour_of, describe
from cvcourse.classroom.widgets import draw_iou, draw_nms, explore, explore_iou, explore_nms

__all__ = [
    "ClaimError",
    "History",
    "Run",
    "annotate",
    "begin",
    "colour_of",
    "describe",
    "draw_boxes",
    "draw_image",
    "draw_iou",
    "draw_nms",
    "explore",
    "explore_iou",
    "explore_nms",
    "fit",
    "load_best",
    "show_boxes",
    "show_confusion",
    "show_curves",
    "show_depth",
    "show_flow",
    "show_gallery",
    "show_images",
    "show_masks",
    "trained",
    "warmup_cosine",
]
