"""Predict a large picture in tiles without seams (Ronneberger et al. 2015, arXiv:1505.04597).

    picture, mirrored beyond its edges ─ windows of tile + 2 margin ─ model ─ tiles side by side

A prediction depends on the pixels around it. Windows that overlap by twice the margin give every
pixel all that it depends on, whichever tile it falls in.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cvcourse.ops._checks import check_tensor


@torch.no_grad()
def overlap_tile(
    model: Callable[[Tensor], Tensor],
    images: Float[Tensor, "batch channels height width"],
    *,
    tile: int,
    margin: int,
    stride: int = 1,
) -> Float[Tensor, "batch classes height width"]:
    """Predictions at the size of `images`, computed window by window.

    Args:
        model: from windows of `tile + 2 * margin` pixels to maps of `tile` pixels (unpadded
            convolutions), or of the windows' size (padded ones; their margin is cut off).
        images: of any size, also smaller than a tile.
        tile: side of what one window yields.
        margin: what unpadded convolutions take off each side; for padded ones, at least as far as
            a prediction depends on its surroundings.
        stride: the model's total stride. Windows begin at its multiples, because a network that
            pools is the same function of its input only when moved by whole strides.

    For a U-Net: `overlap_tile(unet, images, tile=388, margin=unet.margin, stride=unet.stride)`.

    **Conventions**: the picture is mirrored without repeating its edge pixel, more than once if it
    is smaller than the margin. With the model's own margin and stride, and in evaluation mode, the
    result equals one pass over the mirrored picture wherever that pass saw no zero padding.
    """
    check_tensor("images", images)
    for name, value, least in (
        ("tile", tile, stride),
        ("margin", margin, 0),
        ("stride", stride, 1),
    ):
        if value < least:
            raise ValueError(f"{name}: expected at least {least}, got {value}")
    height, width = images.shape[-2:]
    if not height or not width:
        raise ValueError(f"images: expected at least one pixel, got {tuple(images.shape)}")
    step, window = tile // stride * stride, tile + 2 * margin
    tops, lefts = (range(0, max(size - tile, 0) + step, step) for size in (height, width))
    rows = _mirrored(height, -margin, tops[-1] + tile + margin, images.device)
    columns = _mirrored(width, -margin, lefts[-1] + tile + margin, images.device)
    canvas = None
    for top in tops:
        for left in lefts:
            part = columns[left : left + window]
            prediction = model(images[..., rows[top : top + window, None], part])
            if prediction.shape[-2:] == (window, window):
                prediction = prediction[..., margin : margin + tile, margin : margin + tile]
            if prediction.shape[-2:] != (tile, tile):
                raise ValueError(
                    f"tile: expected what the model makes of {window}×{window} pixels, that is "
                    f"{prediction.shape[-2]}×{prediction.shape[-1]}, got {tile}"
                )
            if canvas is None:
                size = (tops[-1] + tile, lefts[-1] + tile)
                canvas = prediction.new_empty(*prediction.shape[:2], *size)
            canvas[..., top : top + tile, left : left + tile] = prediction
    return canvas[..., :height, :width]


def _mirrored(size: int, start: int, stop: int, device: torch.device) -> Int[Tensor, " positions"]:
    """Which of `size` pixels stands at each position: …2 1 0 1 2 … size-1 size-2…"""
    period = max(2 * (size - 1), 1)
    position = torch.arange(start, stop, device=device) % period
    return torch.minimum(position, period - position)
