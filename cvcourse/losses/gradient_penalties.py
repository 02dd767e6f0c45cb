"""Penalties on gradients: of the discriminator at real pictures, of the generator in w."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import REDUCTIONS, check_choice, check_floating, check_range
from cvcourse.losses._reduce import at_least_float32, reduce_loss


class PathLengthPenalty(NamedTuple):
    """The loss to add, and the running mean for the next call."""

    loss: Float[Tensor, "..."]
    mean_length: Float[Tensor, ""]


def r1_penalty(
    scores: Float[Tensor, "batch ..."],
    images: Float[Tensor, "batch ..."],
    *,
    reduction: Literal["none", "mean", "sum"] = "mean",
) -> Float[Tensor, "..."]:
    r"""Squared norm of the discriminator's gradient at real pictures, to be multiplied by γ/2.

    .. math:: R_1 = \frac1B \sum_b \left\| \nabla_{x_b} D(x_b) \right\|^2

    Args:
        scores: of `images`, with the graph between them; those of one picture are added up.
        images: leaves with `requires_grad_()`, or what scores were computed from.

    **Conventions**: one half times the weight is the caller's: γ/2 in StyleGAN2 and ALAE, λ/2 in
    StarGAN v2. The gradient can be differentiated again. Networks whose scores of one picture
    depend on the others (batch normalisation) get the gradient of the sum of all. An empty batch
    gives 0. Half precision is squared and returned in float32.

    Raises ValueError for other dtypes and lengths, and where `images` do not require a gradient.

    Reference: Mescheder et al., Which Training Methods for GANs do actually Converge?, 2018,
    arXiv:1801.04406.
    """
    check_floating("scores", scores)
    check_floating("images", images)
    check_choice("reduction", reduction, REDUCTIONS)
    _check_batch("scores", scores, images)
    gradient = at_least_float32(_gradient(scores.sum(), "images", images))
    squares = gradient.square().unsqueeze(-1).flatten(1)  # single numbers too have a last axis
    return reduce_loss(squares.sum(1), reduction)


def path_lengths(
    images: Float[Tensor, "batch channels height width"],
    latents: Float[Tensor, "batch ... features"],
    noise: Float[Tensor, "batch channels height width"] | None = None,
) -> Float[Tensor, " batch"]:
    r"""How far a picture moves for a step in w, in a random direction of pictures: ‖Jᵀ y‖.

    .. math:: J^T y = \nabla_w \langle G(w), y \rangle, \quad y \sim N(0, I) / \sqrt{HW}

    Args:
        images: made of `latents`, with the graph between them.
        latents: (B, D), or (B, L, D) with one for each layer, over which the square is averaged.
        noise: y before it is divided by √(HW); drawn if not given.

    **Conventions**: those of the authors' code: sum over the features, mean over the layers, root.
    Can be differentiated. Half precision is squared and returned in float32.

    Raises ValueError for other shapes and dtypes, and where `latents` do not require a gradient.

    Reference: Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2020,
    arXiv:1912.04958, section 3.2.
    """
    check_floating("images", images)
    check_floating("latents", latents)
    if images.ndim != 4:
        raise ValueError(f"images must have shape (B, C, H, W), got {tuple(images.shape)}")
    if latents.ndim < 2:
        raise ValueError(f"latents must have shape (B, ..., D), got {tuple(latents.shape)}")
    _check_batch("latents", latents, images)
    if noise is None:
        noise = torch.randn_like(images)
    check_floating("noise", noise)
    if noise.shape != images.shape:
        raise ValueError(
            f"noise must have the shape of images, {tuple(images.shape)}, got {tuple(noise.shape)}"
        )
    height, width = images.shape[2:]
    projected = (at_least_float32(images) * at_least_float32(noise)).sum() / (height * width) ** 0.5
    gradient = at_least_float32(_gradient(projected, "latents", latents))
    squares = gradient.square().sum(-1)  # of each latent
    return squares.view(len(latents), -1).mean(1).sqrt()


def path_length_penalty(
    lengths: Float[Tensor, " batch"],
    mean_length: Float[Tensor, ""],
    *,
    decay: float = 0.01,
    reduction: Literal["none", "mean", "sum"] = "mean",
) -> PathLengthPenalty:
    r"""Squared distance of path lengths from their running mean, which moves first.

    .. math:: a \leftarrow a + 0.01 \, (\bar\ell - a), \quad L = (\ell - a)^2

    Args:
        lengths: of `path_lengths`.
        mean_length: a, a number that begins at 0. With several processes, average it over them.

    **Conventions**: the mean is a constant in the gradient. The authors weigh this by 2, and by the
    number of steps between two of them (4). An empty batch gives 0 and leaves the mean.

    Raises ValueError for another shape, dtype or decay.

    Reference: Karras et al. 2020, arXiv:1912.04958, section 3.2, and the authors' code.
    """
    check_floating("lengths", lengths)
    check_floating("mean_length", mean_length)
    check_range("decay", decay, 0, 1)
    check_choice("reduction", reduction, REDUCTIONS)
    if lengths.ndim != 1:
        raise ValueError(f"lengths must have shape (B,), got {tuple(lengths.shape)}")
    if mean_length.ndim:
        raise ValueError(f"mean_length must be one number, got shape {tuple(mean_length.shape)}")
    lengths, mean = at_least_float32(lengths), at_least_float32(mean_length.detach())
    if len(lengths):
        mean = mean + decay * (lengths.detach().mean() - mean)
    return PathLengthPenalty(reduce_loss((lengths - mean).square(), reduction), mean)


def _gradient(value: Tensor, name: str, at: Tensor) -> Tensor:
    if not at.requires_grad:
        raise ValueError(f"{name} must require a gradient, got a tensor that does not")
    if not value.requires_grad:
        raise ValueError(f"{name} must be what the network was given, got a tensor without a graph")
    return torch.autograd.grad(value, at, create_graph=True)[0]


def _check_batch(name: str, tensor: Tensor, images: Tensor) -> None:
    if not tensor.ndim or not images.ndim or len(tensor) != len(images):
        raise ValueError(
            f"{name} must be as many as images, {tuple(images.shape)}, got {tuple(tensor.shape)}"
        )
