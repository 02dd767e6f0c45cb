"""From a picture to a better one: style, resolution, light, reflections, mattes, hidden parts."""

from cvcourse.models.restoration.background_matting import BackgroundMatting
from cvcourse.models.restoration.blur_classifier import BlurClassifier
from cvcourse.models.restoration.ceilnet import CEILNet, CEILSubnetwork
from cvcourse.models.restoration.color_inpainting import ColorInpainting
from cvcourse.models.restoration.colorization import ColorizationNet
from cvcourse.models.restoration.context_encoder import (
    ChannelwiseLinear,
    ContextEncoder,
    HoleDiscriminator,
)
from cvcourse.models.restoration.contrast_enhancer import ContrastEnhancer, ResidualEnhancer
from cvcourse.models.restoration.depth_inpainting import DepthInpainting
from cvcourse.models.restoration.edge_inpainting import EdgeInpainting
from cvcourse.models.restoration.obstruction_removal import (
    FenceFusion,
    LayerFusion,
    LayerTranslations,
)
from cvcourse.models.restoration.partial_conv import PartialConv2d, PartialConvUNet
from cvcourse.models.restoration.patch_discriminator import PatchDiscriminator
from cvcourse.models.restoration.resize_transformation_network import ResizeTransformationNetwork
from cvcourse.models.restoration.srcnn import SRCNN
from cvcourse.models.restoration.transformation_network import TransformationNetwork

__all__ = [
    "SRCNN",
    "BackgroundMatting",
    "BlurClassifier",
    "CEILNet",
    "CEILSubnetwork",
    "ChannelwiseLinear",
    "ColorInpainting",
    "ColorizationNet",
    "ContextEncoder",
    "ContrastEnhancer",
    "DepthInpainting",
    "EdgeInpainting",
    "FenceFusion",
    "HoleDiscriminator",
    "LayerFusion",
    "LayerTranslations",
    "PartialConv2d",
    "PartialConvUNet",
    "PatchDiscriminator",
    "ResidualEnhancer",
    "ResizeTransformationNetwork",
    "TransformationNetwork",
]
