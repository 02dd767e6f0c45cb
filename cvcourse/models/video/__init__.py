"""Beyond a single image: flow, frames in between, actions."""

from cvcourse.models.video.flownet import FlowNetC, FlowNetS

__all__ = [
    "FlowNetC",
    "FlowNetS",
]
