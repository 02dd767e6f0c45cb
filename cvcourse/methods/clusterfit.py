"""ClusterFit: forget what a pretext task over-learnt, keep what it grouped (Yan et al. 2020).

    trained network ─ features ─ k-means, once ─ a new network learns the clusters from scratch

arXiv:1912.03330.
"""

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.losses._reduce import at_least_float32
from cvcourse.methods.clustering import k_means


def clusterfit_labels(
    features: Float[Tensor, "images features"],
    clusters: int = 16_000,
    *,
    iterations: int = 20,
    seed: int = 0,
) -> Int64[Tensor, "images"]:
    """Labels for a network that starts from scratch, not from the one that gave the features.

    Args:
        features: of the layer before the pretext's classifier, or of the layer that serves best;
            scaled to length 1 here.
        clusters: from 1,500 to 30,000 did about as well on ImageNet.

    Raises ValueError as `k_means` does.
    """
    unit = F.normalize(at_least_float32(features.detach()), dim=-1)
    return k_means(unit, clusters, iterations=iterations, seed=seed)
