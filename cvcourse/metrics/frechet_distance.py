"""How far two clouds of features are apart, as Gaussians: the FID on given features."""

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.metrics._checks import check_floating


def frechet_distance(
    features: Float[Tensor, "batch features"], target: Float[Tensor, "others features"]
) -> Float[Tensor, ""]:
    r"""Squared Fréchet distance of the Gaussians with the means and covariances of two samples.

    .. math:: d^2 = \|\mu_1 - \mu_2\|^2 +
        \mathrm{Tr}(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2})

    With the 2,048 features of Inception-v3 it is the Fréchet inception distance (FID), which is
    reported with these samples' sizes: it is biased upwards for small ones (below about 10,000).

    Args:
        features, target: (N, D) and (M, D), of made and of real pictures.

    **Conventions**: computed and returned in float64 (float32 where the device has no other).
    Covariances divide by N - 1, as NumPy's. The trace of the root is the sum of the singular values
    of A Bᵀ, where A and B are the centred samples: no covariance is made, so that N may be below D,
    features may be constant or repeated, and nothing is regularised or turns complex. Fewer than
    two of either: nan.

    Raises ValueError for other shapes, integers, or features of different lengths.

    Reference: Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
    Equilibrium, 2017, arXiv:1706.08500; Dowson and Landau 1982.
    """
    for name, sample in (("features", features), ("target", target)):
        check_floating(name, sample)
        if sample.ndim != 2:
            raise ValueError(f"{name} must be (batch, features), got {tuple(sample.shape)}")
    if features.shape[1] != target.shape[1]:
        raise ValueError(
            f"features and target must be of one length, got {features.shape[1]} and "
            f"{target.shape[1]}"
        )
    dtype = torch.float32 if features.device.type == "mps" else torch.float64
    (mean1, root1), (mean2, root2) = (_moments(x.to(dtype)) for x in (features, target))
    of_roots = torch.linalg.svdvals(root1 @ root2.mT).sum()
    spread = root1.square().sum() + root2.square().sum() - 2 * of_roots
    return (mean1 - mean2).square().sum() + spread.clamp(min=0)


def _moments(sample: Tensor) -> tuple[Tensor, Tensor]:
    """The mean, and a matrix R of at most D rows with Rᵀ R the covariance."""
    if len(sample) < 2:
        return sample.sum(0) * torch.nan, sample
    mean = sample.mean(0)
    root = (sample - mean) / (len(sample) - 1) ** 0.5
    return mean, torch.linalg.qr(root).R if len(root) > root.shape[1] else root
