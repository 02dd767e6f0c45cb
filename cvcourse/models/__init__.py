"""One paper a file. Small by arguments, the paper's by default; weights travel from torchvision."""

from cvcourse.models.bifpn import BiFPN
from cvcourse.models.deconvnet import DeconvNet
from cvcourse.models.dense_crf import Pairwise, dense_crf
from cvcourse.models.efficientdet import EfficientDet, compound_scaling, efficientdet_d
from cvcourse.models.efficientnet import EfficientNet, EfficientNetFeatures, efficientnet_b
from cvcourse.models.enet import ENet, enet_class_weights
from cvcourse.models.faster_rcnn import FasterRCNN
from cvcourse.models.fcn import FCN
from cvcourse.models.fcn_resnet import FCNResNet, fcn_resnet50
from cvcourse.models.fcos import FCOS
from cvcourse.models.fpn import FeaturePyramidNetwork, LastLevelP6P7, ResNetFPN
from cvcourse.models.frozen_batch_norm import FrozenBatchNorm2d
from cvcourse.models.icnet import ICNet, LabelGuidance, label_guidance_loss
from cvcourse.models.mask_rcnn import MaskRCNN
from cvcourse.models.overlap_tile import overlap_tile
from cvcourse.models.pan import PathAggregationNetwork
from cvcourse.models.pointrend import PointRendSemantic
from cvcourse.models.pointrend_rcnn import PointRendMaskHead, PointRendRCNN
from cvcourse.models.polarmask import PolarMask, masks_to_rays, rays_to_polygons
from cvcourse.models.polygon import polygons_to_masks
from cvcourse.models.pretrained import TORCHVISION_WEIGHTS, download, load_pretrained
from cvcourse.models.receptive_field import gradient_footprint, receptive_field
from cvcourse.models.resnet import (
    BasicBlock,
    Bottleneck,
    ResNet,
    ResNetFeatures,
    resnet18,
    resnet50,
)
from cvcourse.models.retinanet import RetinaNet
from cvcourse.models.segnet import SegNet, SegNetBasic
from cvcourse.models.spatial_transformer import SpatialTransformerNetwork
from cvcourse.models.unet import UNet, separation_weights
from cvcourse.models.vgg import VGG, vgg16, vgg16_bn

__all__ = [
    "FCN",
    "FCOS",
    "TORCHVISION_WEIGHTS",
    "VGG",
    "BasicBlock",
    "BiFPN",
    "Bottleneck",
    "DeconvNet",
    "ENet",
    "EfficientDet",
    "EfficientNet",
    "EfficientNetFeatures",
    "FCNResNet",
    "FasterRCNN",
    "FeaturePyramidNetwork",
    "FrozenBatchNorm2d",
    "ICNet",
    "LabelGuidance",
    "LastLevelP6P7",
    "MaskRCNN",
    "Pairwise",
    "PathAggregationNetwork",
    "PointRendMaskHead",
    "PointRendRCNN",
    "PointRendSemantic",
    "PolarMask",
    "ResNet",
    "ResNetFPN",
    "ResNetFeatures",
    "RetinaNet",
    "SegNet",
    "SegNetBasic",
    "SpatialTransformerNetwork",
    "UNet",
    "compound_scaling",
    "dense_crf",
    "download",
    "efficientdet_d",
    "efficientnet_b",
    "enet_class_weights",
    "fcn_resnet50",
    "gradient_footprint",
    "label_guidance_loss",
    "load_pretrained",
    "masks_to_rays",
    "overlap_tile",
    "polygons_to_masks",
    "rays_to_polygons",
    "receptive_field",
    "resnet18",
    "resnet50",
    "separation_weights",
    "vgg16",
    "vgg16_bn",
]
