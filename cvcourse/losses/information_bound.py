"""How much of a code a picture tells: InfoGAN's lower bounds of mutual information, to maximise."""

import math

import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.losses._checks import check_floating, check_integers, check_matrix, check_same_shape
from cvcourse.losses._reduce import at_least_float32


def categorical_information_bound(
    logits: Float[Tensor, "batch categories"], codes: Integer[Tensor, " batch"]
) -> Float[Tensor, ""]:
    r"""H(c) + E[log Q(c|x)] in nats, of codes drawn from K categories alike; at most H(c) = log K.

    .. math:: L_I = \log K + \frac1B \sum_b \log Q(c_b | x_b) \le I(c; x)

    Args:
        logits: (B, K), of Q for pictures that were made from `codes`.
        codes: (B,), the categories drawn.

    **Conventions**: a loss subtracts it, with weight 1 in the paper. In expectation it is a lower
    bound; below 0 where Q is worse than a guess. An empty batch gives 0. Half precision is computed
    and returned in float32.

    Raises ValueError for another shape or dtype.

    Reference: Chen et al., InfoGAN, 2016, arXiv:1606.03657, section 5.
    """
    check_matrix("logits", logits)
    check_integers("codes", codes)
    if codes.shape != logits.shape[:1]:
        raise ValueError(f"codes must have shape ({len(logits)},), got {tuple(codes.shape)}")
    x = at_least_float32(logits)
    if not x.numel():
        return x.sum()
    return math.log(x.shape[1]) - F.cross_entropy(x, codes.long())


def gaussian_information_bound(
    mean: Float[Tensor, "batch codes"],
    codes: Float[Tensor, "batch codes"],
    log_variance: Float[Tensor, "batch codes"] | None = None,
) -> Float[Tensor, ""]:
    r"""log N(c; μ, σ²) - log N(c; 0, 1), summed over the codes of a picture; a mean over pictures.

    Args:
        mean, log_variance: (B, K), of Q for pictures that were made from `codes`; without
            `log_variance`, σ is 1, as in the authors' run on MNIST.
        codes: (B, K), the numbers drawn.

    **Conventions**: the authors' estimate. Its second term stands for H(c) of a standard normal,
    though they draw codes from U(-1, 1): as a bound it is biased then, its gradient is not. An
    empty batch gives 0. Half precision is computed and returned in float32.

    Raises ValueError for other shapes or dtypes.

    Reference: Chen et al., InfoGAN, 2016, arXiv:1606.03657, and openai/InfoGAN.
    """
    check_matrix("mean", mean)
    check_floating("codes", codes)
    check_same_shape("codes", codes, "mean", mean)
    mu, c = at_least_float32(mean), at_least_float32(codes)
    gain = c.square() - (c - mu).square()
    if log_variance is not None:
        check_floating("log_variance", log_variance)
        check_same_shape("log_variance", log_variance, "mean", mean)
        s = at_least_float32(log_variance)
        gain = c.square() - (c - mu).square() / s.exp() - s
    return gain.sum() / 2 / max(1, len(mean))
