"""Beyond a single image: flow, frames in between, actions."""

from cvcourse.models.video.conv3d import VideoConv3d
from cvcourse.models.video.flownet import FlowNetC, FlowNetS
from cvcourse.models.video.i3d import I3D
from cvcourse.models.video.inflate import inflate
from cvcourse.models.video.resnet3d import ResNet3d, r3d_18
from cvcourse.models.video.sepconv import SepConv
from cvcourse.models.video.sepconv_pp import SepConvPP
from cvcourse.models.video.slowfast import SlowFast

__all__ = [
    "I3D",
    "FlowNetC",
    "FlowNetS",
    "ResNet3d",
    "SepConv",
    "SepConvPP",
    "SlowFast",
    "VideoConv3d",
    "inflate",
    "r3d_18",
]
