"""Networks that turn a picture into features: trunks, pyramids, and what travels with them."""

from cvcourse.models.backbones.anynet import (
    AnyNet,
    basic_block,
    cifar_stem,
    compatible_widths,
    resnet_stem,
    simple_stem,
    x_block,
)
from cvcourse.models.backbones.dynamic_convolution import (
    DynamicConv2d,
    annealed_temperature,
    dynamic_mobilenet_v2,
    make_dynamic,
    set_temperature,
)
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
from cvcourse.models.backbones.regnet import (
    RegNet,
    quantized_widths,
    regnet_x,
    regnet_y,
)
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
    "AnyNet",
    "BasicBlock",
    "Bottleneck",
    "DynamicConv2d",
    "EfficientNet",
    "EfficientNetFeatures",
    "FeaturePyramidNetwork",
    "FrozenBatchNorm2d",
    "LastLevelP6P7",
    "MobileNetV2",
    "MobileNetV2Features",
    "RegNet",
    "ResNet",
    "ResNetFPN",
    "ResNetFeatures",
    "SpatialTransformerNetwork",
    "annealed_temperature",
    "basic_block",
    "cifar_stem",
    "compatible_widths",
    "dynamic_mobilenet_v2",
    "efficientnet_b",
    "make_dynamic",
    "quantized_widths",
    "regnet_x",
    "regnet_y",
    "resnet18",
    "resnet50",
    "resnet_stem",
    "set_temperature",
    "simple_stem",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg_features",
    "vgg_layers",
    "x_block",
]
