"""Networks that make pictures, and those that judge or invert them."""

from cvcourse.models.generative.alae import (
    ALAECritic,
    ALAEEncoder,
    ALAEEncoderFC,
    ALAEGenerator,
    ALAEGeneratorFC,
    ALAEMapping,
)
from cvcourse.models.generative.bigan import BiGANDiscriminator, BiGANEncoder, BiGANGenerator
from cvcourse.models.generative.depth_fusion import DepthFusion, ViewBlender
from cvcourse.models.generative.finegan import (
    Codes,
    FineGANCodeDiscriminator,
    FineGANGenerator,
    FineGANPatchDiscriminator,
    Stages,
)
from cvcourse.models.generative.gan_compression import (
    DistillationConnectors,
    SlimmableGenerator,
    transfer_channels,
)
from cvcourse.models.generative.infogan import InfoGANDiscriminator, InfoGANGenerator, InfoGANOutput
from cvcourse.models.generative.mixnmatch import (
    MixNMatchCritics,
    MixNMatchEncoder,
    MixNMatchShapeExtractor,
    PairCritic,
)
from cvcourse.models.generative.pix2pix import Pix2PixUNet
from cvcourse.models.generative.relighting import Relighting, RelightingOutput
from cvcourse.models.generative.semantic_pyramid import SemanticPyramidGenerator
from cvcourse.models.generative.starganv2 import (
    StarGANv2Discriminator,
    StarGANv2Generator,
    StarGANv2Mapping,
    StarGANv2StyleEncoder,
)
from cvcourse.models.generative.stefann import Colornet, FANnet
from cvcourse.models.generative.strided_unet import StridedUNet
from cvcourse.models.generative.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from cvcourse.models.generative.synsin import SynSin, SynSinOutput

__all__ = [
    "ALAECritic",
    "ALAEEncoder",
    "ALAEEncoderFC",
    "ALAEGenerator",
    "ALAEGeneratorFC",
    "ALAEMapping",
    "BiGANDiscriminator",
    "BiGANEncoder",
    "BiGANGenerator",
    "Codes",
    "Colornet",
    "DepthFusion",
    "DistillationConnectors",
    "FANnet",
    "FineGANCodeDiscriminator",
    "FineGANGenerator",
    "FineGANPatchDiscriminator",
    "InfoGANDiscriminator",
    "InfoGANGenerator",
    "InfoGANOutput",
    "MixNMatchCritics",
    "MixNMatchEncoder",
    "MixNMatchShapeExtractor",
    "PairCritic",
    "Pix2PixUNet",
    "Relighting",
    "RelightingOutput",
    "SemanticPyramidGenerator",
    "SlimmableGenerator",
    "Stages",
    "StarGANv2Discriminator",
    "StarGANv2Generator",
    "StarGANv2Mapping",
    "StarGANv2StyleEncoder",
    "StridedUNet",
    "StyleGAN2Discriminator",
    "StyleGAN2Generator",
    "SynSin",
    "SynSinOutput",
    "ViewBlender",
    "transfer_channels",
]
