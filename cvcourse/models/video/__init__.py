"""Beyond a single image: flow, frames in between, actions."""

from cvcourse.models.video.flownet import FlowNetC, FlowNetS
from cvcourse.models.video.sepconv import SepConv
from cvcourse.models.video.sepconv_pp import SepConvPP

__all__ = [
    "FlowNetC",
    "FlowNetS",
    "SepConv",
    "SepConvPP",
]
