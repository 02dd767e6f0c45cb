"""A mask for each object."""

from cvcourse.models.instances.mask_rcnn import (
    MaskRCNN,
)
from cvcourse.models.instances.pointrend_rcnn import (
    PointRendMaskHead,
    PointRendRCNN,
)
from cvcourse.models.instances.polarmask import (
    PolarMask,
    masks_to_rays,
    rays_to_polygons,
)

__all__ = [
    "MaskRCNN",
    "PointRendMaskHead",
    "PointRendRCNN",
    "PolarMask",
    "masks_to_rays",
    "rays_to_polygons",
]
