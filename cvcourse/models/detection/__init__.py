"""Boxes: two stages, one stage, no anchors, and the necks between trunk and heads."""

from cvcourse.models.detection.bifpn import (
    BiFPN,
)
from cvcourse.models.detection.efficientdet import (
    EfficientDet,
    compound_scaling,
    efficientdet_d,
)
from cvcourse.models.detection.faster_rcnn import (
    FasterRCNN,
)
from cvcourse.models.detection.fcos import (
    FCOS,
)
from cvcourse.models.detection.pan import (
    PathAggregationNetwork,
)
from cvcourse.models.detection.retinanet import (
    RetinaNet,
)

__all__ = [
    "FCOS",
    "BiFPN",
    "EfficientDet",
    "FasterRCNN",
    "PathAggregationNetwork",
    "RetinaNet",
    "compound_scaling",
    "efficientdet_d",
]
