"""From a picture to a better one: style, resolution, light, reflections, mattes, hidden parts."""

from cvcourse.models.restoration.srcnn import SRCNN

__all__ = [
    "SRCNN",
]
