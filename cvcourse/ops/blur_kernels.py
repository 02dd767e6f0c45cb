"""Blur: what a point of light becomes by lens, motion or focus, and pictures seen through it."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_choice, check_floating, check_positive

BORDERS = ("reflect", "replicate", "zeros")
_SAMPLES = 16  # a side, of each pixel


def gaussian_kernel(
    sigma: float,
    *,
    size: int | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "size size"]:
    """exp(-r² / 2σ²) at the pixel centres, of sum 1.

    Args:
        sigma: σ > 0 in pixels.
        size: side, odd; by default what reaches 3σ from the middle.
        dtype: of the result, which is computed in float32 at least.

    Raises ValueError for a sigma that is not positive, or an even size.
    """
    check_positive("sigma", sigma)
    size = 2 * math.ceil(3 * sigma) + 1 if size is None else size
    _check_odd(size)
    wide = torch.promote_types(dtype, torch.float32)
    x = torch.arange(size, device=device, dtype=wide) - size // 2
    line = torch.softmax(-((x / sigma) ** 2) / 2, 0)
    return (line[:, None] * line).to(dtype)


def motion_kernel(
    length: float,
    angle: float,
    *,
    size: int | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "size size"]:
    """A segment of even light, centred, of sum 1: steady motion while the shutter is open.

    Args:
        length: of the segment in pixels, > 0.
        angle: in radians, counter-clockwise from the right as seen on the screen; ω and ω + π are
            the same.
        size: side, odd; by default what holds the segment at any angle.
        dtype: of the result, which is computed in float32 at least.

    **Conventions**: points of the segment, 1/16 pixel apart or closer, each shared by its four
    pixels (bilinear).

    Raises ValueError for a length that is not positive, an angle that is not finite, or a size that
    is even or too small.
    """
    check_positive("length", length)
    if not math.isfinite(angle):
        raise ValueError(f"angle must be finite, got {angle}")
    least = 2 * math.ceil(length / 2) + 1
    size = least if size is None else size
    _check_odd(size, least)
    wide = torch.promote_types(dtype, torch.float32)
    n = math.ceil(_SAMPLES * length)
    along = ((torch.arange(n, device=device, dtype=wide) + 0.5) / n - 0.5) * length
    pixel = torch.arange(size, device=device, dtype=wide) - size // 2
    x, y = along * math.cos(angle), -along * math.sin(angle)
    in_x = (1 - (x[:, None] - pixel).abs()).clamp(min=0)  # (n, size)
    in_y = (1 - (y[:, None] - pixel).abs()).clamp(min=0)
    return (in_y[:, :, None] * in_x[:, None]).mean(0).to(dtype)


def defocus_kernel(
    radius: float,
    *,
    size: int | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "size size"]:
    """A disc of even light, of sum 1: a point out of focus.

    Args:
        radius: in pixels, > 0.
        size: side, odd; by default what holds the disc.
        dtype: of the result, which is computed in float32 at least.

    **Conventions**: a pixel has the share of its 16 × 16 points that lie in the disc.

    Raises ValueError for a radius that is not positive, or a size that is even or too small.
    """
    check_positive("radius", radius)
    least = 2 * math.ceil(radius - 0.5) + 1
    size = least if size is None else size
    _check_odd(size, least)
    wide = torch.promote_types(dtype, torch.float32)
    x = torch.arange(size * _SAMPLES, device=device, dtype=wide)
    x = (x + 0.5) / _SAMPLES - size / 2
    inside = (x[:, None] ** 2 + x**2 <= radius**2).to(wide)
    share = inside.unflatten(0, (size, _SAMPLES)).unflatten(2, (size, _SAMPLES)).mean((1, 3))
    if radius < 2 / _SAMPLES:  # between the points
        share[size // 2, size // 2] = 1
    return (share / share.sum()).to(dtype)


def blur(
    images: Float[Tensor, "batch channels height width"],
    kernel: Float[Tensor, "rows columns"],
    *,
    border: str = "reflect",
) -> Float[Tensor, "batch channels height width"]:
    """Each channel convolved with the kernel, of the same size.

    Args:
        images: of any range.
        kernel: with odd sides, its middle on the pixel; turned by half a turn, as a convolution is.
        border: "reflect" (without the edge pixel), "replicate" or "zeros".

    **Conventions**: Half precision is computed in float32.

    Raises ValueError for other shapes, even sides, an unknown border, or a reflection further than
    the image reaches.
    """
    check_floating("images", images)
    check_floating("kernel", kernel)
    check_choice("border", border, BORDERS)
    if images.ndim != 4:
        raise ValueError(
            f"images must have shape (batch, channels, height, width), got {tuple(images.shape)}"
        )
    if kernel.ndim != 2 or not all(n % 2 for n in kernel.shape):
        raise ValueError(f"kernel must have two odd sides, got {tuple(kernel.shape)}")
    rows, columns = (n // 2 for n in kernel.shape)
    if border == "reflect" and (rows >= images.shape[2] or columns >= images.shape[3]):
        raise ValueError(
            f"kernel must reach less far than the images do, {tuple(images.shape[2:])}, "
            f"got {tuple(kernel.shape)}"
        )
    values, weights = as_float(images, kernel)
    batch, channels = images.shape[:2]
    mode = "constant" if border == "zeros" else border
    values = F.pad(values, (columns, columns, rows, rows), mode=mode)
    values = values.reshape(batch * channels, 1, *values.shape[2:])
    with torch.autocast(images.device.type, enabled=False):
        out = F.conv2d(values, weights.flip(0, 1)[None, None])
    return out.reshape(images.shape).to(images.dtype)


def _check_odd(size: int, least: int = 1) -> None:
    if size % 2 != 1 or size < least:
        raise ValueError(f"size must be odd and at least {least}, got {size}")
