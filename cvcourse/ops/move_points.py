"""Where the pixels of a picture with depth lie in another camera's picture."""

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim

_CLOSEST = 1e-2  # z of points that are not projected


def move_points(
    depth: Float[Tensor, "batch height width"],
    intrinsics: Float[Tensor, "batch 3 3"],
    pose: Float[Tensor, "batch 4 4"],
    target_intrinsics: Float[Tensor, "batch 3 3"] | None = None,
) -> Float[Tensor, "batch points 3"]:
    r"""Lift each pixel to its point, move the point into another camera, and project it there.

    .. math:: X = R \, (z \, K^{-1} (u, v, 1)^\top) + t, \qquad (x, y) = (K' X)_{1,2} / X_3

    Args:
        depth: z of each pixel, along the axis of the camera.
        intrinsics: K in pixels, [[f_x, 0, c_x], [0, f_y, c_y], [0, 0, 1]].
        pose: [R t; 0 1] from the picture's camera to the other one.
        target_intrinsics: K' of the other camera; by default the same K.

    Returns (batch, height · width, 3), row by row: x, y in pixels and z in the other camera, for
    `splat_points`.

    **Conventions**: x to the right, y downwards, z forward; whole coordinates are pixel centres, as
    in `warp`. Points with z within 1e-2 of the other camera's plane are given z = -1, which
    `splat_points` leaves out. Computed in float32 at least, and returned so, whatever `depth` is:
    half precision cannot tell pixels apart. Differentiable in all.

    Raises ValueError for shapes that do not go together.
    """
    check_ndim("depth", depth, "(batch, height, width)")
    given = {"intrinsics": intrinsics, "pose": pose, "target_intrinsics": target_intrinsics}
    for name, matrix in given.items():
        if matrix is None:
            continue
        check_floating(name, matrix)
        expected = (len(depth), 4, 4) if name == "pose" else (len(depth), 3, 3)
        if matrix.shape != expected:
            raise ValueError(f"{name} must have shape {expected}, got {tuple(matrix.shape)}")
    check_floating("depth", depth)
    target = intrinsics if target_intrinsics is None else target_intrinsics
    depth, intrinsics, pose, target = as_float(depth, intrinsics, pose, target)
    with torch.autocast(depth.device.type, enabled=False):
        height, width = depth.shape[1:]
        like = {"dtype": depth.dtype, "device": depth.device}
        v, u = torch.meshgrid(
            torch.arange(height, **like), torch.arange(width, **like), indexing="ij"
        )
        u, v = u.flatten(), v.flatten()
        z = depth.flatten(1)[:, None]  # (B, 1, N)
        rays = torch.linalg.inv(intrinsics) @ torch.stack((u, v, torch.ones_like(u)))  # (B, 3, N)
        moved = pose[:, :3, :3] @ (z * rays) + pose[:, :3, 3:]
        projected = target @ moved
        z = moved[:, 2:]
        beside = z.abs() < _CLOSEST
        x_y = projected[:, :2] / z.masked_fill(beside, 1)
        return torch.cat((x_y, z.masked_fill(beside, -1)), 1).mT.contiguous()
