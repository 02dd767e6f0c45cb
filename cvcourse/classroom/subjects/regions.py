"""Boxes without learning: what people proposed before networks did."""

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.data._extras import extra
from cvcourse.ops import nms


def segment_boxes(
    image: Float[Tensor, "3 height width"],
    generator: torch.Generator | None = None,
    *,
    scales: tuple[float, ...] = (100, 300),
    sigma: float = 0.8,
    min_size: int = 60,
    least: float = 0,
    most: float = torch.inf,
) -> Float[Tensor, "boxes 4"]:
    """Boxes (n, 4) around regions of like colour, and around pairs of neighbouring regions.

    A simple relative of selective search (Uijlings et al. 2013), which merges such regions further.
    The segmentation is Felzenszwalb and Huttenlocher's (IJCV 2004), from scikit-image.

    image: in [0, 1]. generator: for the order, as a region has no score; None is PyTorch's own.
    scales: of the segmentation, one after another; a larger one gives larger regions. sigma,
        min_size: its blur and its smallest region, in pixels.
    least, most: boxes with a side outside of these, in pixels, are left out.

    **Conventions**: of boxes that overlap by an IoU of more than 0.8, the first one stays.
    """
    with extra("lessons", "cvcourse.classroom.subjects.regions"):
        from scipy.ndimage import find_objects
        from skimage.segmentation import felzenszwalb

    pixels = image.detach().cpu().permute(1, 2, 0).double().numpy()
    found = []
    for scale in scales:
        of = felzenszwalb(pixels, scale, sigma=sigma, min_size=min_size)
        corners = [(x.start, y.start, x.stop, y.stop) for y, x in find_objects(of + 1)]
        region, of = torch.tensor(corners).float(), torch.from_numpy(of)
        beside = [(of[:, :-1], of[:, 1:]), (of[:-1], of[1:])]
        pairs = torch.cat([torch.stack([a.flatten(), b.flatten()]) for a, b in beside], dim=1)
        a, b = region[pairs.unique(dim=1)]  # most pixels lie beside one of their own region
        found.append(torch.cat([a[:, :2].minimum(b[:, :2]), a[:, 2:].maximum(b[:, 2:])], dim=1))
    boxes = torch.cat(found).unique(dim=0)
    sides = boxes[:, 2:] - boxes[:, :2]
    boxes = boxes[((sides >= least) & (sides <= most)).all(1)]
    order = torch.rand(len(boxes), generator=generator)
    return boxes[nms(boxes, order, 0.8)]
