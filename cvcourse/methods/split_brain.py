"""Each half of the channels predicts the other (Zhang et al. 2017, arXiv:1611.09842)."""

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.ops._checks import as_float, check_rgb


def split_brain_targets(
    lab: Float[Tensor, "batch 3 height width"],
    centres: Float[Tensor, "colors 2"],
    size: tuple[int, int],
    levels: int = 100,
) -> tuple[Int64[Tensor, "batch high wide"], Int64[Tensor, "batch high wide"]]:
    """Which colour and which lightness the pixels have that lie in the middle of each cell.

    Args:
        lab: L from 0 to 100, a and b.
        centres: colours (a, b); a pixel's is the nearest, the first of equals.
        size: high and wide, of the logits.
        levels: equal parts of lightness; 100 in the paper.
    """
    check_rgb("lab", lab)
    if levels < 2:
        raise ValueError(f"levels must be at least 2, got {levels}")
    if centres.ndim != 2 or centres.shape[1] != 2:
        raise ValueError(f"centres must have shape (colors, 2), got {tuple(centres.shape)}")
    lab, centres = as_float(lab, centres.to(lab.device))
    small = F.interpolate(lab, size, mode="nearest-exact")
    color = small[:, 1:].movedim(1, -1)[..., None, :]  # (B, h, w, 1, 2)
    nearest = (color - centres).square().sum(-1).argmin(-1)
    level = (small[:, 0] * (levels / 100)).floor().long()
    return nearest, level.clamp(0, levels - 1)


def split_brain_losses(
    colors: Float[Tensor, "batch colors high wide"],
    lightness: Float[Tensor, "batch levels high wide"],
    lab: Float[Tensor, "batch 3 height width"],
    centres: Float[Tensor, "colors 2"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Cross-entropy of the colours that lightness predicts, and of the lightness from colours.

    Each is a mean over pixels; the paper minimises their sum, which trains two networks that never
    meet.
    """
    if colors.shape[2:] != lightness.shape[2:] or colors.shape[1] != len(centres):
        raise ValueError(
            f"colors must have shape (B, {len(centres)}, {lightness.shape[2]}, "
            f"{lightness.shape[3]}), got {tuple(colors.shape)}"
        )
    size = (colors.shape[2], colors.shape[3])
    color, level = split_brain_targets(lab, centres, size, lightness.shape[1])
    return F.cross_entropy(colors, color), F.cross_entropy(lightness, level)
