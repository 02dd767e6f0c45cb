"""How StyleGAN2 learns, around its losses: styles that mix, and penalties now and then.

The penalties are computed in turns of their own, R1 after every 16th of the discriminator's, the
path length after every 4th of the generator's on half a batch, and multiplied by 16 and 4. Adam's
rate and memory are shortened so that the same time passes: `lazy_adam`.

Reference: Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2020,
arXiv:1912.04958, appendix B, and the authors' code.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def mix_styles(
    w: Float[Tensor, "batch layers features"],
    other: Float[Tensor, "batch layers features"],
    *,
    probability: float = 0.9,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch layers features"]:
    """With `probability`, the layers from a random one on are `other`'s, for the whole batch.

    Layers that follow each other cannot rely on one latent then, and each learns its own scale of
    the picture. The first layer stays.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"probability: expected 0 to 1, got {probability}")
    if w.ndim != 3 or w.shape != other.shape:
        raise ValueError(
            f"other: expected the shape of w, (batch, layers, features), got {tuple(w.shape)} and "
            f"{tuple(other.shape)}"
        )
    layers = w.shape[1]
    like = {"generator": generator, "device": "cpu"}
    mixes = torch.rand((), **like, dtype=torch.float32) < probability
    if layers < 2 or not mixes:
        return w
    crossover = int(torch.randint(1, layers, (), **like))
    return torch.cat([w[:, :crossover], other[:, crossover:]], 1)


def lazy_adam(
    interval: int, *, lr: float = 0.002, betas: tuple[float, float] = (0.0, 0.99)
) -> dict[str, float | tuple[float, float]]:
    """Adam's `lr` and `betas` where a penalty takes one more step in every `interval` steps.

    All of them to the power, and times, c = interval / (interval + 1).
    """
    if interval < 1:
        raise ValueError(f"interval: expected 1 or more, got {interval}")
    c = interval / (interval + 1)
    return {"lr": lr * c, "betas": (betas[0] ** c, betas[1] ** c)}
