"""Networks that make pictures, and those that judge or invert them."""

from cvcourse.models.generative.gan_compression import (
    DistillationConnectors,
    SlimmableGenerator,
    transfer_channels,
)
from cvcourse.models.generative.infogan import (
    InfoGANDiscriminator,
    InfoGANGenerator,
    InfoGANOutput,
)
from cvcourse.models.generative.pix2pix import Pix2PixUNet
from cvcourse.models.generative.starganv2 import (
    StarGANv2Discriminator,
    StarGANv2Generator,
    StarGANv2Mapping,
    StarGANv2StyleEncoder,
)

__all__ = [
    "DistillationConnectors",
    "InfoGANDiscriminator",
    "InfoGANGenerator",
    "InfoGANOutput",
    "Pix2PixUNet",
    "SlimmableGenerator",
    "StarGANv2Discriminator",
    "StarGANv2Generator",
    "StarGANv2Mapping",
    "StarGANv2StyleEncoder",
    "transfer_channels",
]
