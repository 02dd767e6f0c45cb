"""PIRL: features that do not tell how the picture was transformed (Misra, van der Maaten 2019).

    image ─ network ─ f(v) ──────┐
    its tiles, shuffled ─ g(v) ──┴ both near the image's place in a memory bank, far from others'
    memory ← normalize(½ memory + ½ f(v))

Jigsaw and rotation ask for the transformation (covariant features); here it must not matter.
arXiv:1912.01991.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor, nn

from cvcourse.losses._checks import check_integers, check_matrix, check_positive, check_range
from cvcourse.losses._reduce import at_least_float32
from cvcourse.methods._drawing import DRAWN
from cvcourse.methods.jigsaw import make_puzzles
from cvcourse.ops._checks import is_plain


def shuffled_tiles(
    images: Float[Tensor, "batch channels height width"],
    tile: int = 64,
    *,
    tiles: int = 9,
    normalize: bool = False,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch tiles channels tile tile"]:
    """Tiles of each image in an order of its own, any of all tiles! alike. As `make_puzzles`."""
    keys = torch.rand(max(1, len(images)), tiles, generator=generator, **DRAWN)
    orders = keys.argsort(1)
    return make_puzzles(images, orders, tile, normalize=normalize, generator=generator)[0]


class PIRL(nn.Module):
    """Memory bank and loss; both are in the `state_dict`, with the constant Z.

    Args:
        images: of the data set, each with a row in the memory.
        dim: of an embedding.
        negatives: drawn for each image of a batch, with replacement, from the whole memory but the
            image itself; 32,000 in the paper.
        weight: λ, of the transformed image's term; the image's own has 1 - λ.
        momentum: of the memory, which only the image's own embedding changes.
        temperature: 0.07.
        loss: "nce", noise-contrastive estimation as in the paper | "info_nce", cross-entropy over
            the positive and its negatives, as in the authors' later runs with a head of two layers
            and temperature 0.1.

    **Conventions**: as the authors' VISSL: NCE with noise of probability 1 / images and a constant
    Z, set once from the first batch. Scores are exp(s / T) / Z; a term is
    -log(P / (P + mPn)) - Σ log(mPn / (P' + mPn)), the mean over the batch. In evaluation mode
    memory and Z stay.

    Raises ValueError for numbers out of range, embeddings or indices of another shape.
    """

    def __init__(
        self,
        images: int,
        dim: int = 128,
        *,
        negatives: int = 32_000,
        weight: float = 0.5,
        momentum: float = 0.5,
        temperature: float = 0.07,
        loss: str = "nce",
    ) -> None:
        least = {"images": (images, 2), "dim": (dim, 1), "negatives": (negatives, 1)}
        for name, (value, low) in least.items():
            if value < low:
                raise ValueError(f"{name} must be at least {low}, got {value}")
        check_range("weight", weight, 0, 1)
        check_range("momentum", momentum, 0, 1)
        check_positive("temperature", temperature)
        if loss not in ("nce", "info_nce"):
            raise ValueError(f"loss must be 'nce' or 'info_nce', got {loss!r}")
        super().__init__()
        self.negatives, self.weight, self.momentum = negatives, weight, momentum
        self.temperature, self.loss = temperature, loss
        directions = F.normalize(torch.randn(images, dim, dtype=torch.float32), dim=1)
        self.register_buffer("memory", directions)
        self.register_buffer("z", torch.full((), -1.0, dtype=torch.float64))

    def forward(
        self,
        embeddings: Float[Tensor, "batch dim"],
        transformed: Float[Tensor, "batch dim"],
        indices: Integer[Tensor, "batch"],
        negatives: Integer[Tensor, "batch negatives"] | None = None,
    ) -> Float[Tensor, ""]:
        """λ · loss(memory, transformed) + (1 - λ) · loss(memory, embeddings), then the memory.

        embeddings, transformed: of the images and of what was made of them, of any length above 0.
        indices: of the images in the data set, each once. negatives: instead of random ones.
        """
        for name, value in (("embeddings", embeddings), ("transformed", transformed)):
            check_matrix(name, value)
            if value.shape != (len(indices), self.memory.shape[1]):
                raise ValueError(
                    f"{name} must have shape {(len(indices), self.memory.shape[1])}, "
                    f"got {tuple(value.shape)}"
                )
        check_integers("indices", indices)
        if is_plain(indices) and len(indices.unique()) < len(indices):
            raise ValueError("indices must be different, got an image twice")
        embeddings, transformed = (
            F.normalize(at_least_float32(x), dim=1).to(self.memory.dtype)
            for x in (embeddings, transformed)
        )
        if negatives is None:
            negatives = self.draw(indices)
        others = self.memory[torch.cat([indices[:, None], negatives], 1)]  # (B, 1 + N, D)
        of_transformed = self._term(transformed, others)
        of_images = self._term(embeddings, others)
        if self.training:
            self._remember(embeddings, indices)
        return self.weight * of_transformed + (1 - self.weight) * of_images

    def draw(self, indices: Integer[Tensor, "batch"]) -> Int64[Tensor, "batch negatives"]:
        """Numbers of other images, for each, uniformly."""
        count = len(self.memory)
        drawn = torch.randint(count - 1, (len(indices), self.negatives), device=indices.device)
        return drawn + (drawn >= indices[:, None])

    def _term(self, v: Tensor, others: Tensor) -> Tensor:
        with torch.autocast(v.device.type, enabled=False):
            similarity = (others @ v[:, :, None])[..., 0] / self.temperature  # (B, 1 + N)
        if self.loss == "info_nce":
            positive = torch.zeros(len(v), dtype=torch.int64, device=v.device)
            return F.cross_entropy(similarity, positive)
        scores = similarity.exp()
        if self.training and self.z < 0:
            self.z.fill_(scores.detach().double().mean() * len(self.memory))
        scores = scores / self.z.abs().to(scores.dtype)
        noise = (scores.shape[1] - 1) / len(self.memory)
        bottom = scores + noise + torch.finfo(torch.float32).eps
        right = (scores[:, 0] / bottom[:, 0]).log()
        wrong = (noise / bottom[:, 1:]).log().sum(1)
        return -(right + wrong).mean()

    @torch.no_grad()
    def _remember(self, v: Tensor, indices: Tensor) -> None:
        mixed = self.momentum * self.memory[indices] + (1 - self.momentum) * v
        self.memory[indices] = F.normalize(mixed, dim=1)
