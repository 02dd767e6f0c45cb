"""Boxes, anchors, suppression, regions of interest, masks and warping: functions of tensors."""

from cvcourse.ops.anchor_grid import anchor_grid
from cvcourse.ops.box_area import box_area
from cvcourse.ops.box_convert import box_convert
from cvcourse.ops.box_deltas import decode_boxes, encode_boxes
from cvcourse.ops.box_distances import decode_distances, encode_distances
from cvcourse.ops.box_iou import box_iou
from cvcourse.ops.clip_boxes import clip_boxes, remove_small_boxes
from cvcourse.ops.correlation import correlation
from cvcourse.ops.crop_masks import crop_masks
from cvcourse.ops.default_boxes import default_boxes
from cvcourse.ops.distance_box_iou import complete_box_iou, distance_box_iou
from cvcourse.ops.generalized_box_iou import generalized_box_iou
from cvcourse.ops.masks_to_boxes import masks_to_boxes
from cvcourse.ops.match_anchors import match_anchors
from cvcourse.ops.max_unpool import max_unpool
from cvcourse.ops.multiscale_roi_align import fpn_level, multiscale_roi_align
from cvcourse.ops.nms import batched_nms, nms
from cvcourse.ops.paste_masks import paste_masks
from cvcourse.ops.polygons_to_masks import polygons_to_masks
from cvcourse.ops.resize_bicubic import resize_bicubic
from cvcourse.ops.roi_align import roi_align
from cvcourse.ops.roi_pool import roi_pool
from cvcourse.ops.separable_convolution import separable_convolution
from cvcourse.ops.soft_nms import soft_nms
from cvcourse.ops.warp import warp, warp_is_inside
from cvcourse.ops.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb

__all__ = [
    "anchor_grid",
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes",
    "complete_box_iou",
    "correlation",
    "crop_masks",
    "decode_boxes",
    "decode_distances",
    "default_boxes",
    "distance_box_iou",
    "encode_boxes",
    "encode_distances",
    "fpn_level",
    "generalized_box_iou",
    "masks_to_boxes",
    "match_anchors",
    "max_unpool",
    "multiscale_roi_align",
    "nms",
    "paste_masks",
    "polygons_to_masks",
    "remove_small_boxes",
    "resize_bicubic",
    "rgb_to_ycbcr",
    "roi_align",
    "roi_pool",
    "separable_convolution",
    "soft_nms",
    "warp",
    "warp_is_inside",
    "ycbcr_to_rgb",
]
