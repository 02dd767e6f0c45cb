"""Numbered pieces of a picture, such as cells, painted over it."""

import numpy as np
import torch
from matplotlib.colors import to_rgb
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.data._extras import extra


def paint_pieces(image: Tensor, pieces: Tensor | np.ndarray) -> Tensor:
    """(3, H, W): a grey picture with each piece in one of seven colours, outlined in white.

    image: (1, H, W) or (H, W) of any range; its darkest pixel is drawn black, its brightest 2 %
        light. pieces: (H, W), 0 where there is none, another number for each piece.
    """
    with extra("lessons", "paint_pieces"):
        from skimage.color import label2rgb
        from skimage.segmentation import find_boundaries

    image, pieces = image.squeeze().detach().cpu(), np.asarray(pieces)
    if image.shape != pieces.shape:
        raise ValueError(
            f"pieces must be {tuple(image.shape)} pixels like the image, not {pieces.shape}"
        )
    dark, light = image.min(), image.quantile(0.98)
    grey = ((image - dark) / (light - dark).clamp(min=1e-6)).clamp(0, 1).numpy()
    colours = [to_rgb(style.colour_of(i)) for i in range(7)]
    painted = label2rgb(pieces, grey, colours, alpha=0.75, bg_label=0)
    painted[find_boundaries(pieces, mode="inner")] = 1
    painted = np.where((pieces > 0)[..., None], painted, grey[..., None])
    return torch.from_numpy(painted).permute(2, 0, 1).float()
