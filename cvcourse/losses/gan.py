"""What a discriminator is to say, and a generator to make it say: four losses of scores."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import check_floating
from cvcourse.losses._reduce import at_least_float32, reduce_loss


def non_saturating_gan_loss(
    scores: Float[Tensor, "batch *scores"], real: bool
) -> Float[Tensor, ""]:
    r"""Cross-entropy of scores: -log D for real pictures, -log(1 - D) for made ones, D = σ(score).

    The discriminator adds the losses of both; the generator wants its pictures to be real:
    `non_saturating_gan_loss(scores_of_made, True)` is -log D(G(z)), whose slope does not vanish
    where the discriminator is sure, as that of log(1 - D(G(z))) does.

    Args:
        scores: before the sigmoid, of a picture or of each of its patches.
        real: what they should be.

    **Conventions**: a mean over all scores; an empty batch gives 0. Half precision is computed and
    returned in float32.

    Raises ValueError for scores that are not floating point.

    Reference: Goodfellow et al., Generative Adversarial Nets, 2014, arXiv:1406.2661.
    """
    check_floating("scores", scores)
    x = at_least_float32(scores)
    return reduce_loss(F.softplus(-x if real else x), "mean")


def hinge_gan_loss(scores: Float[Tensor, "batch *scores"], real: bool) -> Float[Tensor, ""]:
    """max(0, 1 - score) for real pictures, max(0, 1 + score) for made ones: the discriminator's.

    The generator's is `wasserstein_gan_loss(scores_of_made, True)`, without a margin.

    **Conventions**: a mean over all scores; an empty batch gives 0. Half precision is computed and
    returned in float32.

    Raises ValueError for scores that are not floating point.

    Reference: Lim and Ye, Geometric GAN, 2017, arXiv:1705.02894.
    """
    check_floating("scores", scores)
    x = at_least_float32(scores)
    return reduce_loss((1 - x if real else 1 + x).relu(), "mean")


def wasserstein_gan_loss(scores: Float[Tensor, "batch *scores"], real: bool) -> Float[Tensor, ""]:
    """Minus the mean score of real pictures, the mean score of made ones.

    Bounded by what holds the critic's slope (a penalty, clipped weights), not by itself. With
    `real=True` it is also the generator's loss beside `hinge_gan_loss`.

    **Conventions**: an empty batch gives 0. Half precision is computed and returned in float32.

    Raises ValueError for scores that are not floating point.

    Reference: Arjovsky et al., Wasserstein GAN, 2017, arXiv:1701.07875.
    """
    check_floating("scores", scores)
    x = at_least_float32(scores)
    return reduce_loss(-x if real else x, "mean")


def least_squares_gan_loss(scores: Float[Tensor, "batch *scores"], real: bool) -> Float[Tensor, ""]:
    """Mean squared distance of a discriminator's scores to 1 for real, to 0 for made pictures.

    The generator wants its pictures to be real. For several scales, take the mean of their losses.

    **Conventions**: an empty batch gives 0. Half precision is computed and returned in float32.

    Raises ValueError for scores that are not floating point.

    Reference: Mao et al., Least Squares Generative Adversarial Networks, 2016, arXiv:1611.04076.
    """
    check_floating("scores", scores)
    return reduce_loss((at_least_float32(scores) - float(real)).square(), "mean")
