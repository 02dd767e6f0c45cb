"""Two senses teach each other: pictures with sounds, pictures with texts, and no labels.

Do they belong together? (L³-Net, Arandjelović and Zisserman 2017, arXiv:1705.08168); and: what does
the text that comes with a picture talk about? (Gomez et al. 2017, arXiv:1705.08631, 2018).
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def correspondence_pairs(
    count: int, *, generator: torch.Generator | None = None
) -> tuple[Int64[Tensor, "pairs"], Int64[Tensor, "pairs"], Int64[Tensor, "pairs"]]:
    """For things of two kinds, row i of each together: 2 · count pairs, half of them false.

    Returns numbers of the first kind, numbers of the second, and 1 where they belong together. Each
    thing comes in one true and in one false pair, so that none is a sign of either. All on the CPU,
    as `generator` is.

    Raises ValueError for fewer than two things, of which no false pair can be made.
    """
    if count < 2:
        raise ValueError(f"count must be at least 2, got {count}")
    order = torch.randperm(count, generator=generator, device="cpu")
    partner = torch.empty_like(order)
    partner[order] = order.roll(1)  # one circle through all: nobody meets himself
    own = torch.arange(count, device="cpu")
    labels = torch.cat([torch.ones_like(own), torch.zeros_like(own)])
    return own.repeat(2), torch.cat([own, partner]), labels


def text_topics(
    counts: Float[Tensor, "texts words"], topics: int = 40, *, seed: int = 0
) -> Float[Tensor, "texts topics"]:
    """Shares of topics in each text, by latent Dirichlet allocation of scikit-learn.

    The targets of a network that sees the pictures (`F.binary_cross_entropy_with_logits` in the
    paper): it learns to see what the texts talk about.

    Args:
        counts: of words, at least one text and word.
        topics: 40 in the paper.

    Returns rows that sum to 1. Raises ValueError for another shape, negative counts, or fewer than
    one topic; ModuleNotFoundError without scikit-learn.
    """
    if counts.ndim != 2 or not counts.numel() or (counts < 0).any():
        raise ValueError(f"counts must be (texts, words), none below 0, got {tuple(counts.shape)}")
    if topics < 1:
        raise ValueError(f"topics must be at least 1, got {topics}")
    try:
        from sklearn.decomposition import LatentDirichletAllocation
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "text_topics needs scikit-learn, which is not installed: pip install "
            "'cvcourse[lessons]'",
            name="sklearn",
        ) from error
    model = LatentDirichletAllocation(topics, random_state=seed)
    shares = model.fit_transform(counts.detach().cpu().numpy())
    return torch.from_numpy(shares).to(counts)
