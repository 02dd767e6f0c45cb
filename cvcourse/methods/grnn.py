"""General regression neural network: one pass of training, one parameter (Specht 1991)."""

import torch
from jaxtyping import Float
from torch import Tensor


def grnn(
    samples: Float[Tensor, "samples features"],
    targets: Float[Tensor, "samples *values"],
    queries: Float[Tensor, "queries features"],
    *,
    sigma: float,
) -> Float[Tensor, "queries *values"]:
    r"""Mean of the targets, each weighted by how near its sample is (Nadaraya & Watson 1964).

    .. math:: \hat y(q) = \frac{\sum_i y_i \, e^{-\|q - x_i\|^2 / 2σ^2}}
                               {\sum_i e^{-\|q - x_i\|^2 / 2σ^2}}

    Args:
        samples: x, whose features should be few and of one scale.
        targets: y, one number or more for each sample. Regress an angle ω of period π as
            (cos 2ω, sin 2ω).
        queries: q.
        sigma: σ > 0, in the units of the features; choose it on data kept for that.

    **Conventions**: far from all samples the target of the nearest, where the plain formula is
    0 / 0; differentiable in samples, targets and queries. Distances are exact differences, in
    float32 at least.

    Raises ValueError for shapes that do not fit, no sample, or a sigma that is not above 0.

    Reference: Specht, A General Regression Neural Network, 1991; in blur estimation: Yan & Shao,
    Blind Image Blur Estimation via Deep Learning, 2016.
    """
    if samples.ndim != 2 or not len(samples):
        raise ValueError(f"samples must be (samples >= 1, features), got {tuple(samples.shape)}")
    if len(targets) != len(samples):
        raise ValueError(f"targets must be {len(samples)}, one a sample, got {len(targets)}")
    if queries.ndim != 2 or queries.shape[1] != samples.shape[1]:
        raise ValueError(
            f"queries must be (queries, {samples.shape[1]}), got {tuple(queries.shape)}"
        )
    if not 0 < sigma < float("inf"):
        raise ValueError(f"sigma must be above 0 and finite, got {sigma}")
    dtype = torch.promote_types(samples.dtype, torch.float32)
    x, q, y = samples.to(dtype), queries.to(dtype), targets.to(dtype)
    distances = (q[:, None] - x).square().sum(2)  # (Q, N)
    weights = torch.softmax(-distances / (2 * sigma**2), dim=1)
    with torch.autocast(x.device.type, enabled=False):
        return (weights @ y.flatten(1)).unflatten(1, y.shape[1:]) if y.ndim > 1 else weights @ y
