"""How bright a matte surface is under a light from far away."""

from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim


def lambert_shading(
    normals: Float[Tensor, "batch 3 height width"], light: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch 1 height width"]:
    """max(0, ⟨n, l⟩): 1 where the surface faces the light, 0 where it turns away.

    Args:
        normals: unit vectors; any axes will do if `light` has the same.
        light: unit vectors from the surface to the light.

    **Conventions**: neither is normalised here, so a longer light is a stronger one. No shadow is
    cast. Half precision is computed in float32 and returned in the dtype of `normals`.

    Raises ValueError for shapes that do not go together.
    """
    check_ndim("normals", normals, "(batch, 3, height, width)")
    check_floating("normals", normals)
    check_floating("light", light)
    if normals.shape[1] != 3:
        raise ValueError(f"normals must have 3 channels, got {normals.shape[1]}")
    if light.shape != (len(normals), 3):
        raise ValueError(f"light must have shape {(len(normals), 3)}, got {tuple(light.shape)}")
    n, direction = as_float(normals, light)
    shading = (n * direction[..., None, None]).sum(1, keepdim=True)
    return shading.clamp(min=0).to(normals.dtype)
