"""One paper a file. Small by arguments, the paper's by default; weights travel from torchvision."""

from cvcourse.models.bifpn import BiFPN
from cvcourse.models.efficientdet import EfficientDet, compound_scaling, efficientdet_d
from cvcourse.models.efficientnet import EfficientNet, EfficientNetFeatures, efficientnet_b
from cvcourse.models.faster_rcnn import FasterRCNN
from cvcourse.models.fcos import FCOS
from cvcourse.models.fpn import FeaturePyramidNetwork, LastLevelP6P7, ResNetFPN
from cvcourse.models.frozen_batch_norm import FrozenBatchNorm2d
from cvcourse.models.mask_rcnn import MaskRCNN
from cvcourse.models.pretrained import TORCHVISION_WEIGHTS, download, load_pretrained
from cvcourse.models.resnet import (
    BasicBlock,
    Bottleneck,
    ResNet,
    ResNetFeatures,
    resnet18,
    resnet50,
)
from cvcourse.models.retinanet import RetinaNet
from cvcourse.models.spatial_transformer import SpatialTransformerNetwork
from cvcourse.models.vgg import VGG, vgg16, vgg16_bn

__all__ = [
    "FCOS",
    "TORCHVISION_WEIGHTS",
    "VGG",
    "BasicBlock",
    "BiFPN",
    "Bottleneck",
    "EfficientDet",
    "EfficientNet",
    "EfficientNetFeatures",
    "FasterRCNN",
    "FeaturePyramidNetwork",
    "FrozenBatchNorm2d",
    "LastLevelP6P7",
    "MaskRCNN",
    "ResNet",
    "ResNetFPN",
    "ResNetFeatures",
    "RetinaNet",
    "SpatialTransformerNetwork",
    "compound_scaling",
    "download",
    "efficientdet_d",
    "efficientnet_b",
    "load_pretrained",
    "resnet18",
    "resnet50",
    "vgg16",
    "vgg16_bn",
]
