"""Perceptual loss: distance of pictures in the features of a network."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import check_choice, check_layers, check_same_shape
from cvcourse.losses._reduce import at_least_float32, reduce_loss


def perceptual_loss(
    features: Sequence[Float[Tensor, "..."]],
    target_features: Sequence[Float[Tensor, "..."]],
    weights: Sequence[float] | None = None,
    criterion: str = "l2",
) -> Float[Tensor, ""]:
    r"""Weighted sum over layers of the mean difference of features.

    .. math:: L = \sum_l w_l \operatorname{mean} |x_l - y_l|^p, \quad p = 2 ("l2") or 1 ("l1")

    Args:
        features, target_features: feature maps of the two pictures, one for each layer and of
            equal shapes, as `FeatureExtractor` gives them. Targets are detached.
        weights: one for each layer; None: 1.
        criterion: "l2" | "l1".

    **Conventions**: each mean divides by all elements of the layer; an empty layer gives 0. Half
    precision is computed and returned in float32. nan stays nan.

    Raises ValueError for another dtype, shape, number of layers or criterion.

    Reference: Johnson et al. 2016, arXiv:1603.08155.
    """
    weights = check_layers(features, target_features, weights)
    check_choice("criterion", criterion, ("l2", "l1"))
    layers = []
    for i, (x, y) in enumerate(zip(features, target_features, strict=True)):
        check_same_shape(f"target_features[{i}]", y, f"features[{i}]", x)
        difference = at_least_float32(x) - at_least_float32(y).detach()
        error = difference.square() if criterion == "l2" else difference.abs()
        layers.append(weights[i] * reduce_loss(error, "mean"))
    return torch.stack(layers).sum()
