"""What a lesson needs around its subject: begin, fit, figures, widgets."""

from cvcourse.data._extras import extra

with extra("lessons", "cvcourse.classroom"):
    from cvcourse.classroom.figures import (
        colour_of,
        describe,
        draw_boxes,
        draw_image,
        show_before_after,
        show_boxes,
        show_confusion,
        show_curves,
        show_depth,
        show_film,
        show_flow,
        show_gallery,
        show_images,
        show_masks,
        show_trainings,
    )
    from cvcourse.classroom.folded import (
        folded,
    )
    from cvcourse.classroom.history import (
        History,
    )
    from cvcourse.classroom.run import (
        ClaimError,
        Run,
        begin,
    )
    from cvcourse.classroom.subjects.gains import (
        gain_of_sum,
        gain_of_trainings,
        interval_of_sum,
        mean_iou_gain,
        mean_iou_interval,
        paired_gain,
        wilson_interval,
    )
    from cvcourse.classroom.training import (
        fit,
        load_best,
        repeated,
        trained,
        warmup_cosine,
    )
    from cvcourse.classroom.widgets import (
        annotate,
        draw_iou,
        draw_nms,
        explore,
        explore_iou,
        explore_nms,
    )

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
    "folded",
    "gain_of_sum",
    "gain_of_trainings",
    "interval_of_sum",
    "load_best",
    "mean_iou_gain",
    "mean_iou_interval",
    "paired_gain",
    "repeated",
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
    "show_trainings",
    "trained",
    "warmup_cosine",
    "wilson_interval",
]
