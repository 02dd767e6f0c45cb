"""What a field reports, as functions of tensors: one concept a file."""

from cvcourse.metrics.absolute_relative_error import absolute_relative_error
from cvcourse.metrics.angular_error import angular_error
from cvcourse.metrics.average_precision import average_precision
from cvcourse.metrics.bootstrap_interval import bootstrap_interval
from cvcourse.metrics.boundary_iou import boundary_iou
from cvcourse.metrics.coco_average_precision import coco_average_precision
from cvcourse.metrics.confusion_matrix import confusion_matrix
from cvcourse.metrics.cross_modal_recall import cross_modal_recall
from cvcourse.metrics.delta_accuracy import delta_accuracy
from cvcourse.metrics.endpoint_error import endpoint_error, flow_outlier_rate
from cvcourse.metrics.frechet_distance import frechet_distance
from cvcourse.metrics.match_detections import match_detections
from cvcourse.metrics.mean_average_precision_at_r import mean_average_precision_at_r
from cvcourse.metrics.mean_iou import mean_iou
from cvcourse.metrics.object_keypoint_similarity import object_keypoint_similarity
from cvcourse.metrics.precision_recall_curve import precision_recall_curve
from cvcourse.metrics.psnr import psnr
from cvcourse.metrics.recall_at_k import recall_at_k
from cvcourse.metrics.scale_invariant_log_error import scale_invariant_log_error
from cvcourse.metrics.ssim import ssim
from cvcourse.metrics.topk_accuracy import topk_accuracy

__all__ = [
    "absolute_relative_error",
    "angular_error",
    "average_precision",
    "bootstrap_interval",
    "boundary_iou",
    "coco_average_precision",
    "confusion_matrix",
    "cross_modal_recall",
    "delta_accuracy",
    "endpoint_error",
    "flow_outlier_rate",
    "frechet_distance",
    "match_detections",
    "mean_average_precision_at_r",
    "mean_iou",
    "object_keypoint_similarity",
    "precision_recall_curve",
    "psnr",
    "recall_at_k",
    "scale_invariant_log_error",
    "ssim",
    "topk_accuracy",
]
