"""Episodes of few-shot learning: N classes, K examples of each to learn from, others to ask about.

Vinyals et al. 2016, arXiv:1606.04080.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler


class EpisodeSampler(Sampler[list[int]]):
    """Batches of indices, an episode each: (shots + queries) × ways, the class fastest.

    As the `batch_sampler` of a `DataLoader`; what comes out, embedded and unflattened to
    (shots + queries, ways, features), splits into support and queries at `shots`.

    Args:
        labels: (n,) integers of the data set.
        ways: classes of an episode, at least 2.
        shots, queries: examples of each class to learn from, and to be asked about.
        episodes: how many.
        generator: on the CPU; the same seed gives the same episodes.

    Raises ValueError where fewer than `ways` classes have shots + queries examples.
    """

    def __init__(
        self,
        labels: Tensor,
        *,
        ways: int = 5,
        shots: int = 1,
        queries: int = 15,
        episodes: int = 100,
        generator: torch.Generator | None = None,
    ) -> None:
        counts = {"ways": ways, "shots": shots, "queries": queries, "episodes": episodes}
        for name, value in counts.items():
            least = 2 if name == "ways" else 1
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        labels = torch.as_tensor(labels, device="cpu")
        if labels.ndim != 1 or labels.is_floating_point():
            raise ValueError(
                f"labels must be integers (n,), got {labels.dtype} {tuple(labels.shape)}"
            )
        instances = shots + queries
        members = ((labels == label).nonzero()[:, 0] for label in labels.unique())
        self.members = [found for found in members if len(found) >= instances]
        if len(self.members) < ways:
            raise ValueError(
                f"labels must have {ways} classes with {instances} examples or more, "
                f"got {len(self.members)}"
            )
        self.ways, self.instances, self.episodes = ways, instances, episodes
        self.generator = generator

    def __len__(self) -> int:
        return self.episodes

    def __iter__(self) -> Iterator[list[int]]:
        for _ in range(self.episodes):
            chosen = self._permutation(len(self.members))[: self.ways]
            columns = []
            for k in chosen.tolist():
                found = self.members[k]
                columns.append(found[self._permutation(len(found))[: self.instances]])
            yield torch.stack(columns, 1).flatten().tolist()

    def _permutation(self, count: int) -> Tensor:
        return torch.randperm(count, generator=self.generator, device="cpu")
