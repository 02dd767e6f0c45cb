"""Views of a world that moves: one depth from two, and the holes of a new view (Yoon et al. 2020).

    single-view depth, multi-view depth and where it is, picture ─ U-Net ─ depth, complete
    background and foreground of the new view, mask ─ U-Net ─ + residual ─ picture

Depth from many views is consistent, and missing where something moves; depth from one view is
complete, and its scale changes from frame to frame. Reference: Novel View Synthesis of Dynamic
Scenes with Globally Coherent Depths from a Monocular Camera, arXiv:2004.01294. No code was
published: widths are those of SynSin's U-Net. Losses and blending: `cvcourse.methods`.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cvcourse.models.generative.strided_unet import StridedUNet
from cvcourse.ops._checks import check_tensor

_EDGE = 1e-3  # how near to 0 and 1 the single-view depth is taken


class DepthFusion(nn.Module):
    """Inverse depths (batch, height, width) of two kinds and pictures, to one inverse depth.

    Args:
        width, levels: of the U-Net.

    All inverse depths are normalised to [0, 1]. The network adds to the logit of the single-view
    depth, so that it begins (its last layer is zero) by believing it. What `multi` holds where it
    is not known does not matter. The result is float32 at least.

    Raises ValueError for shapes that do not go together.
    """

    def __init__(self, *, width: int = 32, levels: int = 8) -> None:
        super().__init__()
        self.unet = StridedUNet(6, 1, width=width, levels=levels)
        nn.init.zeros_(self.unet.up[-1].weight)
        nn.init.zeros_(self.unet.up[-1].bias)

    def forward(
        self,
        single: Float[Tensor, "batch height width"],
        multi: Float[Tensor, "batch height width"],
        known: Bool[Tensor, "batch height width"],
        images: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, "batch height width"]:
        given = {"single": single, "multi": multi, "known": known, "images": images}
        for name, value in given.items():
            check_tensor(name, value)
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(
                f"images: expected (batch, 3, height, width), got {tuple(images.shape)}"
            )
        expected = (len(images), *images.shape[2:])
        for name, value in (("single", single), ("multi", multi), ("known", known)):
            if value.shape != expected:
                raise ValueError(f"{name}: expected {expected}, got {tuple(value.shape)}")
        if known.dtype != torch.bool:
            raise ValueError(f"known: expected bool, got {known.dtype}")
        filled = torch.where(known, multi, torch.zeros_like(multi))
        maps = torch.stack([single, filled, known.to(single.dtype)], 1)
        change = self.unet(torch.cat([maps.to(images.dtype), images], 1))[:, 0]
        wide = torch.promote_types(change.dtype, torch.float32)
        believed = single.to(wide).clamp(_EDGE, 1 - _EDGE).logit()
        return (believed + change.to(wide)).sigmoid()


class ViewBlender(nn.Module):
    """Background and foreground (batch, 3, height, width) of a new view, and the foreground's mask
    (batch, 1, height, width), to a picture without holes.

    picture = background where not mask + foreground where mask + what the network adds; at the
    start it adds nothing. Holes are 0 in both, and so the network can see them.

    Raises ValueError for shapes that do not go together.
    """

    def __init__(self, *, width: int = 32, levels: int = 8) -> None:
        super().__init__()
        self.unet = StridedUNet(7, 3, width=width, levels=levels)
        nn.init.zeros_(self.unet.up[-1].weight)
        nn.init.zeros_(self.unet.up[-1].bias)

    def forward(
        self,
        background: Float[Tensor, "batch 3 height width"],
        foreground: Float[Tensor, "batch 3 height width"],
        mask: Float[Tensor, "batch 1 height width"],
    ) -> Float[Tensor, "batch 3 height width"]:
        if background.ndim != 4 or background.shape[1] != 3:
            raise ValueError(
                f"background: expected (batch, 3, height, width), got {tuple(background.shape)}"
            )
        one = (len(background), 1, *background.shape[2:])
        for name, value, expected in (
            ("foreground", foreground, background.shape),
            ("mask", mask, one),
        ):
            if value.shape != tuple(expected):
                raise ValueError(f"{name}: expected {tuple(expected)}, got {tuple(value.shape)}")
        joined = background * (1 - mask) + foreground * mask
        return joined + self.unet(torch.cat([background, foreground, mask], 1))
