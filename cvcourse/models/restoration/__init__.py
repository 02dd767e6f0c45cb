"""From a picture to a better one: style, resolution, light, reflections, mattes, hidden parts."""

from cvcourse.models.restoration.resize_transformation_network import ResizeTransformationNetwork
from cvcourse.models.restoration.srcnn import SRCNN
from cvcourse.models.restoration.transformation_network import TransformationNetwork

__all__ = [
    "SRCNN",
    "ResizeTransformationNetwork",
    "TransformationNetwork",
]
