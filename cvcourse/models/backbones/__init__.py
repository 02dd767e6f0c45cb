"""Networks that turn a picture into features: trunks, pyramids, and what travels with them."""

from cvcourse.models.backbones.efficientnet import (
    EfficientNet,
    EfficientNetFeatures,
    efficientnet_b,
)
from cvcourse.models.backbones.fpn import (
    FeaturePyramidNetwork,
    LastLevelP6P7,
    ResNetFPN,
)
from cvcourse.models.backbones.frozen_batch_norm import (
    FrozenBatchNorm2d,
)
from cvcourse.models.backbones.mobilenet_v2 import MobileNetV2, MobileNetV2Features
from cvcourse.models.backbones.resnet import (
    BasicBlock,
    Bottleneck,
    ResNet,
    ResNetFeatures,
    resnet18,
    resnet50,
)
from cvcourse.models.backbones.spatial_transformer import (
    SpatialTransformerNetwork,
)
from cvcourse.models.backbones.vgg import (
    VGG,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg_features,
    vgg_layers,
)

__all__ = [
    "VGG",
    "BasicBlock",
    "Bottleneck",
    "EfficientNet",
    "EfficientNetFeatures",
    "FeaturePyramidNetwork",
    "FrozenBatchNorm2d",
    "LastLevelP6P7",
    "MobileNetV2",
    "MobileNetV2Features",
    "ResNet",
    "ResNetFPN",
    "ResNetFeatures",
    "SpatialTransformerNetwork",
    "efficientnet_b",
    "resnet18",
    "resnet50",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg_features",
    "vgg_layers",
]
