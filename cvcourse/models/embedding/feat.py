"""Few-shot classification by prototypes, adapted to the episode or not.

Prototypical networks (Snell et al. 2017, arXiv:1703.05175) compare a query with the mean of each
class's few examples. FEAT (Ye et al. 2020, arXiv:1812.03664) first lets the prototypes of an
episode adapt to each other.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.losses._checks import check_positive
from cvcourse.ops._checks import check_ndim


class FewShot(nn.Module):
    """Embeddings of an episode to the logits of its queries.

        support ─ mean of each class ─ adapt ─┐
        queries ──────────────────────────────┴─ -‖q - c‖² / temperature

    Args:
        adapt: from prototypes (batch, ways, features) to as many, such as `SetAttention`; None for
            a prototypical network.
        temperature: of the logits, 64 or 32 in FEAT, 1 in prototypical networks.
        temperature2: of the regulariser's logits.
        metric: "euclidean", squared; or "cosine", where only prototypes are scaled to unit length,
            as in the authors' code.

    `adapt` is all that learns here; the encoder that made the embeddings is the caller's.
    """

    def __init__(
        self,
        adapt: nn.Module | None = None,
        *,
        temperature: float = 64.0,
        temperature2: float = 16.0,
        metric: str = "euclidean",
    ) -> None:
        check_positive("temperature", temperature)
        check_positive("temperature2", temperature2)
        if metric not in ("euclidean", "cosine"):
            raise ValueError(f"metric must be 'euclidean' or 'cosine', got {metric!r}")
        super().__init__()
        self.adapt = nn.Identity() if adapt is None else adapt
        self.temperature, self.temperature2, self.metric = temperature, temperature2, metric

    def prototypes(
        self, support: Float[Tensor, "batch shots ways features"]
    ) -> Float[Tensor, "batch ways features"]:
        return self.adapt(support.mean(1))

    def forward(
        self,
        support: Float[Tensor, "batch shots ways features"],
        queries: Float[Tensor, "batch per_class ways features"],
    ) -> Float[Tensor, "batch queries ways"]:
        """Queries are flattened with the class fastest: number i is of class i mod ways."""
        _check_episode(support, queries)
        return self._logits(queries.flatten(1, 2), self.prototypes(support), self.temperature)

    def regulariser(
        self,
        support: Float[Tensor, "batch shots ways features"],
        queries: Float[Tensor, "batch per_class ways features"],
    ) -> Float[Tensor, "batch instances ways"]:
        """Logits of the paper's contrastive term: all instances, unadapted, against each class's
        centre, the mean of its support and queries adapted as one set. Their labels are
        `episode_labels(shots + per_class, ways)`."""
        _check_episode(support, queries)
        together = torch.cat([support, queries], 1)  # (B, K + Q, ways, D)
        sets = together.transpose(1, 2).flatten(0, 1)  # (B * ways, K + Q, D)
        centres = self.adapt(sets).mean(1).unflatten(0, (-1, support.shape[2]))
        return self._logits(together.flatten(1, 2), centres, self.temperature2)

    def _logits(self, x: Tensor, centres: Tensor, temperature: float) -> Tensor:
        if self.metric == "cosine":
            return x @ F.normalize(centres, dim=2).mT / temperature
        squared = (x[:, :, None] - centres[:, None]).square().sum(3)
        return -squared / temperature


def _check_episode(support: Tensor, queries: Tensor) -> None:
    for name, value in (("support", support), ("queries", queries)):
        check_ndim(name, value, "(batch, instances, ways, features)")
    if support.shape[2:] != queries.shape[2:]:
        raise ValueError(
            f"support and queries must agree in ways and features, got "
            f"{tuple(support.shape[2:])} and {tuple(queries.shape[2:])}"
        )


def episode_labels(instances: int, ways: int, device=None) -> Tensor:
    """(instances * ways,) 0, 1, ..., ways - 1, 0, 1, ...: the class is the fastest."""
    return torch.arange(ways, device=device).repeat(instances)
