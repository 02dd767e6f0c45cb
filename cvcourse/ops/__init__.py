"""Boxes, anchors, suppression, regions of interest, masks and warping: functions of tensors."""

from cvcourse.ops.anchor_grid import anchor_grid
from cvcourse.ops.box_area import box_area
from cvcourse.ops.box_convert import box_convert
from cvcourse.ops.box_deltas import decode_boxes, encode_boxes
from cvcourse.ops.box_iou import box_iou
from cvcourse.ops.clip_boxes import clip_boxes, remove_small_boxes
from cvcourse.ops.distance_box_iou import complete_box_iou, distance_box_iou
from cvcourse.ops.generalized_box_iou import generalized_box_iou
from cvcourse.ops.match_anchors import match_anchors
from cvcourse.ops.multiscale_roi_align import fpn_level, multiscale_roi_align
from cvcourse.ops.nms import batched_nms, nms
from cvcourse.ops.paste_masks import paste_masks
from cvcourse.ops.roi_align import roi_align

__all__ = [
    "anchor_grid",
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes",
    "complete_box_iou",
    "decode_boxes",
    "distance_box_iou",
    "encode_boxes",
    "fpn_level",
    "generalized_box_iou",
    "match_anchors",
    "multiscale_roi_align",
    "nms",
    "paste_masks",
    "remove_small_boxes",
    "roi_align",
]
