"""Losses of generators that are told what a classifier saw, and draw the rest."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import check_floating, check_layers, check_same_shape
from cvcourse.losses._reduce import at_least_float32, reduce_loss

_TINY = 1e-8


def semantic_reconstruction_loss(
    features: Sequence[Float[Tensor, "..."]],
    target_features: Sequence[Float[Tensor, "..."]],
    masks: Sequence[Float[Tensor, "..."]],
) -> Float[Tensor, ""]:
    r"""How far a made picture's features are from the given ones, where these were given.

    .. math:: L = \sum_l \operatorname{mean} |m_l \, (p(x_l) - p(y_l))|, \quad p \text{ the largest
        of } 2 \times 2

    Args:
        features: of the made picture, maps (B, C, H, W) or vectors (B, C).
        target_features: of the true one, of the same shapes. Detached.
        masks: (B, 1, H, W) or (B, C) or (B, 1), 1 where the generator was given the target; of all
            other levels 0, so that they are free.

    **Conventions**: features and masks are pooled before they are compared, so that a shift of less
    than two pixels costs little; vectors in pairs of neighbours, as in the code that this equals.
    What is left over at an odd end is pooled by itself. The mean is over all elements, masked ones
    too. Half precision is computed and returned in float32. nan stays nan, also where masked.

    Raises ValueError for another dtype, shape, or number of levels.

    Reference: Shocher et al., Semantic Pyramid for Image Generation, 2020, arXiv:2003.06221.
    """
    check_layers(features, target_features, None)
    if len(masks) != len(features):
        raise ValueError(f"masks must be {len(features)}, one for each level, got {len(masks)}")
    levels = []
    for i, (x, y, mask) in enumerate(zip(features, target_features, masks, strict=True)):
        check_same_shape(f"target_features[{i}]", y, f"features[{i}]", x)
        check_floating(f"masks[{i}]", mask)
        wanted = (len(x), 1, *x.shape[2:])
        if x.ndim not in (2, 4) or tuple(mask.shape) not in (wanted, tuple(x.shape)):
            raise ValueError(
                f"masks[{i}] must fit features[{i}], {tuple(x.shape)}, maps or vectors, as "
                f"{wanted} does, got {tuple(mask.shape)}"
            )
        x, y, mask = (at_least_float32(v) for v in (x, y.detach(), mask))
        levels.append(reduce_loss(((_pooled(x) - _pooled(y)) * _pooled(mask)).abs(), "mean"))
    return torch.stack(levels).sum()


def diversity_loss(
    images: Float[Tensor, "batch *picture"], latents: Float[Tensor, "batch *code"]
) -> Float[Tensor, ""]:
    r"""How much latents differ for each difference of the pictures made of them, to be minimised.

    .. math:: L = \operatorname{mean} |z - z'| \,/\, (\operatorname{mean} |x - x'| + 10^{-8})

    Args:
        images: made with the same features, an even number: each of the first half is compared with
            its fellow in the second.
        latents: what they were made of.

    **Conventions**: one ratio of means, not a mean of ratios. An empty batch gives 0. Half
    precision is computed and returned in float32.

    Raises ValueError for another dtype, an odd number, or another number of latents.

    Reference: Shocher et al. 2020, arXiv:2003.06221.
    """
    check_floating("images", images)
    check_floating("latents", latents)
    if not images.ndim or not latents.ndim or len(images) % 2 or len(images) != len(latents):
        raise ValueError(
            "images and latents must be equally many, an even number, got "
            f"{tuple(images.shape)} and {tuple(latents.shape)}"
        )
    apart = []
    for values in (latents, images):
        first, second = at_least_float32(values).chunk(2) if len(values) else (values, values)
        apart.append(reduce_loss((first - second).abs(), "mean"))
    return apart[0] / (apart[1] + _TINY)


def _pooled(x: Tensor) -> Tensor:
    if x.ndim == 4:
        return F.max_pool2d(x, 2, ceil_mode=True)
    return F.max_pool1d(x[:, None], 2, ceil_mode=True)[:, 0]
