"""Where does this piece belong? Pairs of patches as a question without labels.

Doersch et al. 2015, arXiv:1505.05192; constants of cdoersch/deepcontext.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.methods._windows import cut_windows
from cvcourse.ops._checks import check_rgb

OFFSETS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))  # rows, columns


def context_pairs(
    images: Float[Tensor, "batch channels height width"],
    patch: int,
    *,
    gap: int,
    jitter: int = 0,
    generator: torch.Generator | None = None,
) -> tuple[
    Float[Tensor, "batch channels patch patch"],
    Float[Tensor, "batch channels patch patch"],
    Int64[Tensor, " batch"],
]:
    """One pair of patches of each image, and where the second lies from the first.

    Args:
        images: (B, C, H, W), at least 3 patch + 2 gap + 2 jitter high and wide.
        patch: its side in pixels, 96 in the paper.
        gap: between the patches, half a patch (48) in the paper; 0 lets lines run on.
        jitter: each patch is moved by up to this much either way, by itself; 7 in the paper.
        generator: source of the random numbers, on the CPU.

    **Conventions**: label k is `OFFSETS[k]` of the second patch from the first, row by row without
    the middle: 0 up left, 1 up, ... 7 down right.
    """
    if patch < 1 or gap < 0 or jitter < 0:
        raise ValueError(
            f"patch must be above 0, gap and jitter 0 or more, got {patch}, {gap}, {jitter}"
        )
    least = 3 * patch + 2 * gap + 2 * jitter
    if images.ndim != 4 or min(images.shape[2:]) < least:
        raise ValueError(
            f"images must be (B, C, H, W), {least} pixels high and wide or more, "
            f"got {tuple(images.shape)}"
        )
    batch, (height, width) = len(images), images.shape[2:]
    like = {"generator": generator, "device": "cpu"}
    labels = torch.randint(len(OFFSETS), (batch,), **like)
    step = patch + gap
    spare = torch.tensor([height - least, width - least], device="cpu") + 1
    share = torch.rand(batch, 2, **like, dtype=torch.float32)
    corner = (share * spare).long()  # of the three by three
    first = corner + jitter + step
    second = first + step * torch.tensor(OFFSETS, device="cpu")[labels]
    moves = torch.randint(-jitter, jitter + 1, (2, batch, 2), **like)
    corners = (torch.stack([first, second]) + moves).transpose(0, 1)  # (B, 2, 2)
    first, second = cut_windows(images, corners, patch).unbind(1)
    return first, second, labels.to(images.device)


def drop_colors(
    patches: Float[Tensor, "batch 3 height width"], generator: torch.Generator | None = None
) -> Float[Tensor, "batch 3 height width"]:
    """One channel of each patch kept, the others replaced by noise: no fringe tells a place.

    The noise is normal with a hundredth of the kept channel's deviation, about its mean;
    `generator` is on the CPU.
    """
    check_rgb("patches", patches)
    like = {"generator": generator, "device": "cpu"}
    kept = torch.randint(3, (len(patches),), **like).to(patches.device)
    rows = torch.arange(len(patches), device=patches.device)
    channel = patches[rows, kept]  # (B, H, W)
    std, mean = torch.std_mean(channel, (1, 2), keepdim=True)
    noise = torch.randn(patches.shape, **like, dtype=torch.float32).to(patches)
    out = mean[:, None] + 0.01 * std[:, None] * noise
    out[rows, kept] = channel
    return out


def project_colors(
    patches: Float[Tensor, "batch 3 height width"],
) -> Float[Tensor, "batch 3 height width"]:
    """Colours without their green to magenta part: p - a (a·p) / (a·a), a = (-1, 2, -1)."""
    check_rgb("patches", patches)
    axis = patches.new_tensor([-1.0, 2.0, -1.0])
    along = torch.einsum("c,bchw->bhw", axis, patches) / 6
    return patches - axis[:, None, None] * along[:, None]
