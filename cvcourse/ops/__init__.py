"""Boxes, regions, masks, warping; colour, resizing, blur and light: functions of tensors."""

from cvcourse.ops.adain import adain
from cvcourse.ops.add_reflection import add_reflection
from cvcourse.ops.align_scale_shift import align_scale_shift
from cvcourse.ops.anchor_grid import anchor_grid
from cvcourse.ops.blur_kernels import blur, defocus_kernel, gaussian_kernel, motion_kernel
from cvcourse.ops.box_area import box_area
from cvcourse.ops.box_convert import box_convert
from cvcourse.ops.box_deltas import decode_boxes, encode_boxes
from cvcourse.ops.box_distances import decode_distances, encode_distances
from cvcourse.ops.box_iou import box_iou
from cvcourse.ops.chromatic_aberration import chromatic_aberration
from cvcourse.ops.clip_boxes import clip_boxes, remove_small_boxes
from cvcourse.ops.composite import composite
from cvcourse.ops.correlation import correlation
from cvcourse.ops.crop_masks import crop_masks
from cvcourse.ops.default_boxes import default_boxes
from cvcourse.ops.depth_edges import depth_discontinuities, sharpen_depth
from cvcourse.ops.distance_box_iou import complete_box_iou, distance_box_iou
from cvcourse.ops.edge_map import edge_map
from cvcourse.ops.exposure_fusion import exposure_fusion, fusion_weights
from cvcourse.ops.generalized_box_iou import generalized_box_iou
from cvcourse.ops.lambert_shading import lambert_shading
from cvcourse.ops.laplacian_pyramid import collapse_pyramid, gaussian_pyramid, laplacian_pyramid
from cvcourse.ops.log_spectrum import log_spectrum
from cvcourse.ops.masks_to_boxes import masks_to_boxes
from cvcourse.ops.match_anchors import match_anchors
from cvcourse.ops.max_unpool import max_unpool
from cvcourse.ops.modulated_conv2d import modulated_conv2d
from cvcourse.ops.move_points import move_points
from cvcourse.ops.multiscale_roi_align import fpn_level, multiscale_roi_align
from cvcourse.ops.nms import batched_nms, nms
from cvcourse.ops.paste_masks import paste_masks
from cvcourse.ops.polygons_to_masks import polygons_to_masks
from cvcourse.ops.resize_bicubic import resize_bicubic
from cvcourse.ops.retinex import split_illumination
from cvcourse.ops.roi_align import roi_align
from cvcourse.ops.roi_pool import roi_pool
from cvcourse.ops.separable_convolution import separable_convolution
from cvcourse.ops.soft_nms import soft_nms
from cvcourse.ops.splat_points import splat_points
from cvcourse.ops.upfirdn2d import upfirdn2d
from cvcourse.ops.warp import warp, warp_is_inside
from cvcourse.ops.wls_filter import split_frequencies, wls_filter
from cvcourse.ops.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb

__all__ = [
    "adain",
    "add_reflection",
    "align_scale_shift",
    "anchor_grid",
    "batched_nms",
    "blur",
    "box_area",
    "box_convert",
    "box_iou",
    "chromatic_aberration",
    "clip_boxes",
    "collapse_pyramid",
    "complete_box_iou",
    "composite",
    "correlation",
    "crop_masks",
    "decode_boxes",
    "decode_distances",
    "default_boxes",
    "defocus_kernel",
    "depth_discontinuities",
    "distance_box_iou",
    "edge_map",
    "encode_boxes",
    "encode_distances",
    "exposure_fusion",
    "fpn_level",
    "fusion_weights",
    "gaussian_kernel",
    "gaussian_pyramid",
    "generalized_box_iou",
    "lambert_shading",
    "laplacian_pyramid",
    "log_spectrum",
    "masks_to_boxes",
    "match_anchors",
    "max_unpool",
    "modulated_conv2d",
    "motion_kernel",
    "move_points",
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
    "sharpen_depth",
    "soft_nms",
    "splat_points",
    "split_frequencies",
    "split_illumination",
    "upfirdn2d",
    "warp",
    "warp_is_inside",
    "wls_filter",
    "ycbcr_to_rgb",
]
