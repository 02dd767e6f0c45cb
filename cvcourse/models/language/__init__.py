"""Vision with words, and for action: two streams, captions, poses, keypoints."""

from cvcourse.models.language.captioner import Captioner, caption_loss
from cvcourse.models.language.pose import PoseNet, joint_heatmaps, joint_loss, read_joints
from cvcourse.models.language.transporter import (
    Transporter,
    keypoint_maps,
    marginal_keypoints,
    transport,
)
from cvcourse.models.language.twelve_in_one import TwelveInOne
from cvcourse.models.language.vilbert import Stream, ViLBERT, ViLBERTPretraining

__all__ = [
    "Captioner",
    "PoseNet",
    "Stream",
    "Transporter",
    "TwelveInOne",
    "ViLBERT",
    "ViLBERTPretraining",
    "caption_loss",
    "joint_heatmaps",
    "joint_loss",
    "keypoint_maps",
    "marginal_keypoints",
    "read_joints",
    "transport",
]
