"""Style as correlations of features: Gram matrices and the loss on them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import check_choice, check_floating, check_layers
from cvcourse.losses._reduce import at_least_float32, inner_products, reduce_loss


def gram_matrix(
    x: Float[Tensor, "batch channels height width"], normalize: str | None = "chw"
) -> Float[Tensor, "batch channels channels"]:
    r"""How much each two channels fire together, wherever that is.

    .. math:: G_{ij} = \frac1{CHW} \sum_{hw} x_{ihw} x_{jhw}

    Args:
        x: features (B, C, H, W).
        normalize: divide by C·H·W ("chw", Johnson), by H·W ("hw") or not at all (None, Gatys, who
            has the loss divide by 4 C² (H·W)² instead).

    **Conventions**: the default equals pytorch/examples. An empty map gives zeros. Half precision
    is computed and returned in float32 (sums of squares overflow float16). nan stays nan.

    Raises ValueError for another dtype, shape or normalize.

    Reference: Gatys et al. 2015, arXiv:1508.06576; Johnson et al. 2016, arXiv:1603.08155.
    """
    check_floating("x", x)
    if x.ndim != 4:
        raise ValueError(f"x must have shape (B, C, H, W), got {tuple(x.shape)}")
    check_choice("normalize", normalize, ("chw", "hw", None))
    _, c, h, w = x.shape
    flat = at_least_float32(x).flatten(2)  # (B, C, HW)
    divisor = {"chw": c * h * w, "hw": h * w, None: 1}[normalize]
    return inner_products(flat, flat) / max(1, divisor)


def style_loss(
    features: Sequence[Float[Tensor, "batch _ _ _"]],
    target_features: Sequence[Float[Tensor, "_ *_"]],
    weights: Sequence[float] | None = None,
    normalize: str | None = "chw",
) -> Float[Tensor, ""]:
    r"""Weighted sum over layers of the mean squared difference of Gram matrices.

    .. math:: L = \sum_l w_l \operatorname{mean}(G(x_l) - G(y_l))^2

    Args:
        features: one map (B, C, H, W) for each layer.
        target_features: for each layer a map (B or 1, C, H', W'), or its Gram matrix
            (B or 1, C, C), computed once with the same `normalize`. Detached.
        weights: one for each layer; None: 1.
        normalize: as in `gram_matrix`.

    **Conventions**: means divide by B·C². A target batch of 1 (the style image) serves all. An
    empty batch gives 0. Half precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, number of layers or normalize.

    Reference: Johnson et al. 2016, arXiv:1603.08155.
    """
    weights = check_layers(features, target_features, weights)
    losses = []
    for i, (x, y) in enumerate(zip(features, target_features, strict=True)):
        gram = gram_matrix(x, normalize)
        target = gram_matrix(y, normalize) if y.ndim == 4 else at_least_float32(y)
        if target.shape[1:] != gram.shape[1:] or len(target) not in (1, len(gram)):
            raise ValueError(
                f"target_features[{i}] must be Gram matrices {tuple(gram.shape)} (or batch 1), "
                f"got {tuple(target.shape)}"
            )
        losses.append(weights[i] * reduce_loss((gram - target.detach()).square(), "mean"))
    return torch.stack(losses).sum()
