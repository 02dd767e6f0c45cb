"""ALAE's three turns, and the rates at which its weights learn.

    1. E, D   real pictures are to score high in D(E(x)), made ones low, with R1 (γ 10) at the real
    2. F, G   made pictures are to score high; E and D keep still
    3. E, G, F   E(G(w)) is to be w = F(z), which is a constant as a target

In the paper the third moves E and G; in the authors' code both optimisers step, so that F moves
too, through the picture. The Adams (β 0 and 0.99) are shared: one for E and D, one for F and G.

Reference: Pidhorskyi et al., Adversarial Latent Autoencoders, 2020, arXiv:2004.04467.
"""

from collections import defaultdict
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.losses._checks import check_same_shape
from cvcourse.losses._reduce import reduce_loss
from cvcourse.methods.adversarial import forger_losses, judge_losses
from cvcourse.ops._checks import as_float


def latent_reciprocity_loss(
    encoder: Callable[[Tensor], Tensor],
    generator: Callable[[Tensor], Tensor],
    w: Float[Tensor, "batch features"],
    target: Float[Tensor, "batch features"] | None = None,
) -> Float[Tensor, ""]:
    """Mean squared distance of E(G(w)) from `target`, by default w, which is detached as a target.

    The picture is not: the generator, and what made w, get the gradient through it. With z as the
    target it is the ablation that regresses to the latents before F. Of an empty batch 0; at least
    float32. Raises ValueError for a target, or codes that are read, of another shape than w.
    """
    target = w if target is None else target
    if target.shape != w.shape:
        raise ValueError(f"target: expected the shape of w, {tuple(w.shape)}, got "
                         f"{tuple(target.shape)}")  # fmt: skip
    read = encoder(generator(w))
    check_same_shape("encoder(generator(w))", read, "w", w)
    read, target = as_float(read, target.detach())
    return reduce_loss((read - target).square(), "mean")


def alae_judge_losses(
    encoder: Callable[[Tensor], Tensor],
    critic: Callable[[Tensor], Tensor],
    images: Float[Tensor, "batch ..."],
    made: Float[Tensor, "others ..."],
    *,
    gamma: float = 10.0,
) -> dict[str, Float[Tensor, ""]]:
    """Turn 1, `judge_losses` of D after E."""
    return judge_losses(lambda x: critic(encoder(x)), images, made, gamma=gamma)


def alae_forger_losses(
    encoder: Callable[[Tensor], Tensor],
    critic: Callable[[Tensor], Tensor],
    made: Float[Tensor, "batch ..."],
) -> dict[str, Float[Tensor, ""]]:
    """Turn 2, `forger_losses` of D after E."""
    return forger_losses(lambda x: critic(encoder(x)), made)


def equalized_rates(model: nn.Module, lr: float) -> list[dict]:
    """Groups of parameters for an optimiser that normalises its steps, as Adam does.

    Layers of ALAE have `weight_rate` and `bias_rate`, by which their steps are multiplied: weights
    then learn as if they had been kept at deviation 1 and scaled at use. Others learn with `lr`.
    """
    if not lr > 0:
        raise ValueError(f"lr: expected a number above 0, got {lr}")
    groups = defaultdict(list)
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            groups[lr * getattr(module, f"{name}_rate", 1.0)].append(parameter)
    return [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]
