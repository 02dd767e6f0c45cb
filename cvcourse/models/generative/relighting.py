"""Relighting a face: first take the light away, then put another on (Nestmeyer et al. 2020).

    picture, its light ─ U-Net ─ albedo, normals ─ ⟨n, new light⟩ ─ diffuse picture
    picture, albedo, normals, diffuse, new light ─ U-Net ─ residual, visibility
    relit = (diffuse + residual) · visibility

What is smooth is computed by the law of matte surfaces; what is not, cast shadows and highlights,
is left to the second network. Reference: Learning Physics-guided Face Relighting under Directional
Light, arXiv:1906.03355. No code was published: widths are those of SynSin's U-Net.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models.generative.strided_unet import StridedUNet
from cvcourse.ops import lambert_shading
from cvcourse.ops._checks import check_tensor

_OPEN = 4.0  # logit of visibility at the start: nearly all light arrives


class RelightingOutput(NamedTuple):
    """The relit picture, and all that it is made of; linear brightness."""

    relit: Float[Tensor, "batch 3 height width"]
    diffuse: Float[Tensor, "batch 3 height width"]
    albedo: Float[Tensor, "batch 3 height width"]
    normals: Float[Tensor, "batch 3 height width"]
    residual: Float[Tensor, "batch 3 height width"]
    visibility: Float[Tensor, "batch 1 height width"]


class Relighting(nn.Module):
    """Pictures (batch, 3, height, width), their lights and the new ones (batch, 3), to
    `RelightingOutput`.

    Args:
        width, levels: of both U-Nets.

    Pictures hold linear brightness, lights are unit vectors to the light: x to the right, y
    downwards, z towards the camera, as normals. Normals and shading are computed in float32 at
    least. Trained by L1 on albedo, normals, diffuse and relit pictures, and a patch discriminator
    on the relit one.

    Raises ValueError for shapes that do not go together.
    """

    def __init__(self, *, width: int = 32, levels: int = 8) -> None:
        super().__init__()
        self.delight = StridedUNet(6, 6, width=width, levels=levels)
        self.relight = StridedUNet(15, 4, width=width, levels=levels)

    def forward(
        self,
        images: Float[Tensor, "batch 3 height width"],
        light: Float[Tensor, "batch 3"],
        new_light: Float[Tensor, "batch 3"],
    ) -> RelightingOutput:
        for name, value in (("images", images), ("light", light), ("new_light", new_light)):
            check_tensor(name, value)
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(
                f"images: expected (batch, 3, height, width), got {tuple(images.shape)}"
            )
        for name, direction in (("light", light), ("new_light", new_light)):
            if direction.shape != (len(images), 3):
                raise ValueError(
                    f"{name}: expected {(len(images), 3)}, got {tuple(direction.shape)}"
                )
        albedo, normals = self.intrinsic(images, light)
        diffuse = albedo * lambert_shading(normals, new_light)
        seen = [images, albedo, normals, diffuse, _map(new_light, images)]
        residual, logit = self.relight(torch.cat(seen, 1).to(images.dtype)).split((3, 1), 1)
        visibility = (logit + _OPEN).sigmoid()
        relit = (diffuse + residual) * visibility
        return RelightingOutput(relit, diffuse, albedo, normals, residual, visibility)

    def intrinsic(
        self, images: Float[Tensor, "batch 3 height width"], light: Float[Tensor, "batch 3"]
    ) -> tuple[Float[Tensor, "batch 3 height width"], Float[Tensor, "batch 3 height width"]]:
        """Albedo in (0, 1) and unit normals that face the camera: z > 0."""
        raw = self.delight(torch.cat([images, _map(light, images)], 1))
        albedo, slope = raw.split(3, 1)
        slope = slope.to(torch.promote_types(slope.dtype, torch.float32))
        facing = torch.cat([slope[:, :2], F.softplus(slope[:, 2:]) + 1e-3], 1)
        return albedo.sigmoid(), F.normalize(facing, dim=1)


def _map(light: Tensor, images: Tensor) -> Tensor:
    """A light at every pixel."""
    return light.to(images.dtype)[..., None, None].expand(-1, -1, *images.shape[2:])
