"""Which level of a classifier a generator is told, and where (Shocher et al. 2020,
arXiv:2003.06221)."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.ops._checks import check_fraction, check_mask, check_tensor

SHARE = 0.3


def pyramid_masks(
    features: Sequence[Float[Tensor, "batch ..."]],
    level: int,
    region: Bool[Tensor, "batch height width"] | None = None,
) -> list[Float[Tensor, "batch ..."]]:
    """Masks for `models.SemanticPyramidGenerator`: 1 where it is told the features, else 0.

    Args:
        features: of the classifier, the first layer's first: maps (B, C, H, W) or vectors (B, C).
        level: the one that is told, everywhere: 0 gives the picture back, the last leaves most
            free.
        region: (B, H, W), a part of the picture that may change: outside it the levels before
            `level` are told too. A position of a map is in the region where any of its pixels is.

    Returns (B, 1, H, W) for maps, (B, 1) for vectors.

    Raises ValueError for another level, other features, or a region that is not bool, of another
    batch, or smaller than a map.
    """
    _check(features)
    levels = len(features)
    if not 0 <= level < levels:
        raise ValueError(f"level must be from 0 to {levels - 1}, got {level}")
    if region is not None:
        check_tensor("region", region)
        if region.ndim != 3:
            raise ValueError(f"region must have shape (B, H, W), got {tuple(region.shape)}")
        check_mask("region", region, (len(features[0]), *region.shape[1:]))
    masks = []
    for i, x in enumerate(features):
        mask = x.new_full((len(x), 1, *x.shape[2:]), float(i == level))
        if i < level and region is not None and x.ndim == 4:
            mask += 1 - _shrunk(region, x)
        masks.append(mask)
    return masks


def draw_pyramid_masks(
    features: Sequence[Float[Tensor, "batch ..."]],
    *,
    share: float = SHARE,
    generator: torch.Generator | None = None,
) -> list[Float[Tensor, "batch ..."]]:
    """Masks to train with: a level drawn for the batch, each as likely, and sometimes a region.

    Args:
        features: as for `pyramid_masks`.
        share: how often there is a region, a rectangle of each picture's own. Its sides are drawn
            from an eighth of the first map's to all of it.
        generator: for the draws; on the CPU.

    Raises ValueError as `pyramid_masks`, or for a share outside [0, 1].
    """
    _check(features)
    check_fraction("share", share)
    level = int(torch.randint(len(features), (), generator=generator, device="cpu"))
    first = features[0]
    if first.ndim != 4 or float(torch.rand((), generator=generator, device="cpu")) >= share:
        return pyramid_masks(features, level)
    count, (height, width) = len(first), first.shape[2:]
    inside = []
    for size in (height, width):
        drawn = torch.rand(2, count, generator=generator, device="cpu")
        length = (size * (1 / 8 + 7 / 8 * drawn[0])).ceil()
        start = ((size - length + 1) * drawn[1]).floor()
        place = torch.arange(size, device="cpu")
        inside.append((place >= start[:, None]) & (place < (start + length)[:, None]))
    region = (inside[0][:, :, None] & inside[1][:, None, :]).to(first.device)
    return pyramid_masks(features, level, region)


def _shrunk(region: Tensor, like: Tensor) -> Tensor:
    size = tuple(like.shape[2:])
    if any(mine < theirs for mine, theirs in zip(region.shape[1:], size, strict=True)):
        raise ValueError(f"region must be no smaller than a map, {size}, got {region.shape[1:]}")
    return torch.nn.functional.adaptive_max_pool2d(region[:, None].to(like.dtype), size)


def _check(features: Sequence[Tensor]) -> None:
    if not len(features):
        raise ValueError("features must hold at least one level, got none")
    for i, x in enumerate(features):
        check_tensor(f"features[{i}]", x)
        if x.ndim not in (2, 4):
            raise ValueError(
                f"features[{i}] must be maps (B, C, H, W) or vectors (B, C), got {tuple(x.shape)}"
            )
