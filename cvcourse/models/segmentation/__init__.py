"""A class for each pixel, and what sharpens its outline."""

from cvcourse.models.segmentation.deconvnet import (
    DeconvNet,
)
from cvcourse.models.segmentation.dense_crf import (
    Pairwise,
    dense_crf,
)
from cvcourse.models.segmentation.enet import (
    ENet,
    enet_class_weights,
)
from cvcourse.models.segmentation.fcn import (
    FCN,
)
from cvcourse.models.segmentation.fcn_resnet import (
    FCNResNet,
    fcn_resnet50,
)
from cvcourse.models.segmentation.icnet import (
    ICNet,
    LabelGuidance,
    label_guidance_loss,
)
from cvcourse.models.segmentation.overlap_tile import (
    overlap_tile,
)
from cvcourse.models.segmentation.pointrend import (
    PointRendSemantic,
)
from cvcourse.models.segmentation.receptive_field import (
    gradient_footprint,
    receptive_field,
)
from cvcourse.models.segmentation.segnet import (
    SegNet,
    SegNetBasic,
)
from cvcourse.models.segmentation.unet import (
    UNet,
    separation_weights,
)

__all__ = [
    "FCN",
    "DeconvNet",
    "ENet",
    "FCNResNet",
    "ICNet",
    "LabelGuidance",
    "Pairwise",
    "PointRendSemantic",
    "SegNet",
    "SegNetBasic",
    "UNet",
    "dense_crf",
    "enet_class_weights",
    "fcn_resnet50",
    "gradient_footprint",
    "label_guidance_loss",
    "overlap_tile",
    "receptive_field",
    "separation_weights",
]
