"""Structural similarity: luminance, contrast and structure compared in a sliding window."""

from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.metrics._checks import check_choice, check_floating, check_positive, check_same_shape
from cvcourse.metrics._precision import at_least_float32
from cvcourse.ops._checks import is_plain
from cvcourse.ops._pieces import in_pieces


def ssim(
    preds: Float[Tensor, "batch channels height width"],
    target: Float[Tensor, "batch channels height width"],
    data_range: float = 1.0,
    *,
    window_size: int = 11,
    sigma: float = 1.5,
    padding: str = "valid",
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    """Mean over pixels of (2 μx μy + c1)(2 σxy + c2) / ((μx² + μy² + c1)(σx² + σy² + c2)).

    Means and (co)variances are taken in a Gaussian window, in each channel;
    c1 = (0.01 data_range)², c2 = (0.03 data_range)².

    Args:
        preds, target: images; `data_range` is their largest minus smallest possible value.
        window_size, sigma: of the Gaussian window, in pixels; the size is odd.
        padding: "valid": where the whole window fits, as Wang 2004 and scikit-image with
            `gaussian_weights=True, use_sample_covariance=False`; "same": all pixels, the image
            reflected at its border, as torchmetrics and kornia.
        reduction: "mean"; "none": (batch,); "map": (batch, channels, height', width').

    **Conventions**: in [-1, 1], 1 for identical images; `1 - ssim` is a loss. Empty batch: nan.
    Half precision, and any autocast, is computed in float32.

    Raises ValueError for shapes that differ, or an image smaller than the window (half of it with
    "same").
    Reference: Wang et al. 2004, "Image quality assessment: from error visibility to structural
    similarity".
    """
    check_same_shape(preds, target)
    check_floating("preds", preds)
    check_floating("target", target)
    check_positive("data_range", data_range)
    check_positive("sigma", sigma)
    check_choice("padding", padding, ("valid", "same"))
    check_choice("reduction", reduction, ("mean", "none", "map"))
    _check_size(preds, window_size, padding)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    options = {"size": window_size, "sigma": sigma, "padding": padding, "c1": c1, "c2": c2}
    values = in_pieces(partial(_similarity, **options), *at_least_float32(preds, target))
    if reduction == "map":
        return values
    return values.mean() if reduction == "mean" else values.mean((1, 2, 3))


def _similarity(
    x: Tensor, y: Tensor, *, size: int, sigma: float, padding: str, c1: float, c2: float
) -> Tensor:
    if padding == "same":
        x, y = (F.pad(image, [size // 2] * 4, mode="reflect") for image in (x, y))
    # (Co)variances are those of any shifted picture; without its mean their digits do not cancel.
    shift_x, shift_y = (image.detach().mean((2, 3), keepdim=True) for image in (x, y))
    x, y = x - shift_x, y - shift_y
    with torch.autocast(x.device.type, enabled=False):
        moments = torch.cat([x, y, x * x + y * y, x * y], dim=1)  # (B, 4C, H, W)
        moments = _blur(moments, size, sigma)  # (B, 4C, H', W')
    mean_x, mean_y, square, product = moments.chunk(4, dim=1)
    variances = square - (mean_x**2 + mean_y**2)
    structure = (2 * (product - mean_x * mean_y) + c2) / (variances + c2)
    mean_x, mean_y = mean_x + shift_x, mean_y + shift_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance * structure


def _blur(x: Tensor, size: int, sigma: float) -> Tensor:
    """Gaussian blur of each channel, down the columns and then along the rows."""
    if is_plain(x):  # the same convolution at 3 times the speed
        x = x.contiguous(memory_format=torch.channels_last)
    distance = torch.arange(size, dtype=x.dtype, device=x.device) - size // 2
    window = torch.softmax(-((distance / sigma) ** 2) / 2, dim=0)
    channels = x.shape[1]
    x = F.conv2d(x, window.view(1, 1, size, 1).expand(channels, -1, -1, -1), groups=channels)
    x = F.conv2d(x, window.view(1, 1, 1, size).expand(channels, -1, -1, -1), groups=channels)
    return x.contiguous()  # whole rows again, for what comes after


def _check_size(images: Tensor, window_size: int, padding: str) -> None:
    if images.ndim != 4 or images.shape[1] == 0:
        raise ValueError(
            f"preds must be (batch, channels, height, width), got {tuple(images.shape)}"
        )
    if window_size % 2 != 1 or window_size < 1 or not hasattr(window_size, "__index__"):
        raise ValueError(f"window_size must be odd and positive, got {window_size}")
    least = window_size if padding == "valid" else window_size // 2 + 1
    if min(images.shape[2:]) < least:
        raise ValueError(
            f"preds must be {least} pixels or larger for window_size {window_size} and padding "
            f"{padding!r}, got {tuple(images.shape[2:])}"
        )
