"""DeepCluster: cluster the features, learn the clusters as classes, and again (Caron et al. 2018).

    each epoch:  features of all images, without augmentation, before the last ReLU
                 ─ whiten ─ k-means ─ labels
                 new classifier ─ one epoch of classification, clusters equally often

Labels have no identity over epochs: hence a new classifier each time. arXiv:1807.05520.
"""

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor, nn

from cvcourse.methods.clustering import k_means, whiten


def deepcluster_labels(
    features: Float[Tensor, "images features"],
    clusters: int = 10_000,
    *,
    dims: int = 256,
    iterations: int = 20,
    seed: int = 0,
) -> Int64[Tensor, "images"]:
    """An epoch's labels: features whitened to `dims` components, then k-means.

    As many clusters as ten times the classes that one expects worked best in the paper. Pass
    another seed each epoch. Raises ValueError as `whiten` and `k_means` do.
    """
    return k_means(whiten(features, dims), clusters, iterations=iterations, seed=seed)


@torch.no_grad()
def reset_classifier(layer: nn.Linear) -> None:
    """Weights from N(0, 0.01²), bias 0: for each epoch's new labels. Its optimiser starts anew."""
    nn.init.normal_(layer.weight, std=0.01)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def normalized_mutual_information(
    first: Integer[Tensor, "images"], second: Integer[Tensor, "images"]
) -> float:
    """I(A; B) / √(H(A) H(B)) of two labellings: 0 where they are independent, 1 where they agree.

    Names of the labels do not matter, so that clusters can be compared with those of the epoch
    before, which tells how settled they are, and with classes, which tells how good.

    **Conventions**: the geometric mean of the entropies, as in the paper; scikit-learn's default is
    the arithmetic one by now. 1 where both have one label only.

    Raises ValueError for different shapes; ModuleNotFoundError without scikit-learn.
    """
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"first and second must be (n,), got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    try:
        from sklearn.metrics import normalized_mutual_info_score
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "normalized_mutual_information needs scikit-learn, which is not installed: "
            "pip install 'cvcourse[lessons]'",
            name="sklearn",
        ) from error
    labellings = first.cpu().numpy(), second.cpu().numpy()
    return float(normalized_mutual_info_score(*labellings, average_method="geometric"))
