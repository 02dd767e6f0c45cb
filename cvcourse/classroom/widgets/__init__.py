"""What a learner can move, and the plain functions behind it."""

from cvcourse.classroom.widgets.annotate import (
    annotate,
)
from cvcourse.classroom.widgets.explorer import (
    draw_iou,
    draw_nms,
    explore,
    explore_iou,
    explore_nms,
)

__all__ = ["annotate", "draw_iou", "draw_nms", "explore", "explore_iou", "explore_nms"]
