"""How blur looks in frequency: the log magnitude of a windowed Fourier transform."""

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating


def log_spectrum(
    patches: Float[Tensor, "*batch height width"],
) -> Float[Tensor, "*batch height half_width"]:
    """log(1 + |F|) of each patch, less its mean, under a Hann window: half of the plane.

    A Gaussian blur fades it smoothly, a motion draws parallel dark lines across its direction, a
    disc out of focus draws rings.

    Args:
        patches: grey, of any range.

    **Conventions**: rows are vertical frequencies, zero in the middle (row height // 2); columns
    horizontal ones from 0 up, without the Nyquist column of an even width: the other half is the
    same, turned. The window keeps the cross that the borders would draw away. Half precision is
    computed in float32. No patches give an empty tensor.

    Raises ValueError for patches that are not floating point, or smaller than 3 × 3.

    Reference: Yan & Shao, Blind Image Blur Estimation via Deep Learning, 2016.
    """
    check_floating("patches", patches)
    if patches.ndim < 2 or min(patches.shape[-2:]) < 3:
        raise ValueError(f"patches must be 3 × 3 or larger, got {tuple(patches.shape)}")
    (x,) = as_float(patches)
    height, width = x.shape[-2:]
    if x.numel() == 0:
        return patches[..., : (width + 1) // 2].clone()  # MKL needs a patch
    like = {"device": x.device, "dtype": x.dtype, "periodic": False}
    window = torch.hann_window(height, **like)[:, None] * torch.hann_window(width, **like)
    spectrum = torch.fft.rfft2((x - x.mean((-2, -1), keepdim=True)) * window)
    half = spectrum[..., : (width + 1) // 2].abs()
    return half.roll(height // 2, -2).log1p().to(patches.dtype)
