"""Many small networks trained at once: one tensor for each layer, one axis for the networks."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from cvcourse.classroom.subjects.poses import posed


class Students(nn.Module):
    """`count` multilayer perceptrons side by side: (count, B, sizes[0]) to (count, B, sizes[-1]).

    Each has weights, and by a loss that sums over students gradients, of its own; so has each of
    them with an optimiser that works number by number, such as Adam.

    sizes: of input, hidden layers, and output. gains: (count,), what the weights of each begin
        with, as a multiple of `nn.Linear`'s; with another gain than 1 its biases begin with 0.
        He's initialisation (as wide) has √6.

    `layers[i]` is (count, sizes[i] + 1, sizes[i + 1]), the bias last.
    """

    def __init__(self, count: int, sizes: Sequence[int], gains: Tensor | None = None) -> None:
        super().__init__()
        gains = torch.ones(count) if gains is None else gains
        if len(gains) != count:
            raise ValueError(f"gains must be {count} numbers, got {len(gains)}")
        self.layers = nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            layer = (2 * torch.rand(count, inputs + 1, outputs) - 1) * inputs**-0.5
            layer *= gains[:, None, None]
            layer[gains != 1, -1] = 0
            self.layers.append(nn.Parameter(layer))

    def __len__(self) -> int:
        return len(self.layers[0])

    def features(self, x: Tensor, layers: int) -> Tensor:
        """What the first `layers` layers give, each with its ReLU."""
        for layer in self.layers[:layers]:
            x = _linear(layer, x).relu()
        return x

    def forward(self, x: Tensor) -> Tensor:
        return _linear(self.layers[-1], self.features(x, len(self.layers) - 1))


class Guided(nn.Module):
    """The first `layers` layers of students, then a regressor with ReLU to `channels` numbers."""

    def __init__(self, students: Students, layers: int, channels: int) -> None:
        super().__init__()
        self.lower = nn.ParameterList(students.layers[:layers])  # the students' own
        width = students.layers[layers - 1].shape[2]
        start = (2 * torch.rand(len(students), width + 1, channels) - 1) * width**-0.5
        self.regressor = nn.Parameter(start)

    def __len__(self) -> int:
        return len(self.regressor)

    def forward(self, x: Tensor) -> Tensor:
        for layer in [*self.lower, self.regressor]:
            x = _linear(layer, x).relu()
        return x


class Draws:
    """`steps` batches (students, size) of indices into copies of `pictures` pictures.

    allowed: for each student the indices of the pictures that it may see. Copy k of picture i is
        at i + k * pictures; copies are drawn with equal chances, by all alike for a seed.
    """

    def __init__(
        self,
        allowed: Sequence[Tensor],
        *,
        pictures: int,
        copies: int,
        size: int,
        steps: int,
        seed: int,
    ) -> None:
        if min(map(len, allowed)) < 1:
            raise ValueError("allowed must hold at least one picture for each student")
        self.counts = torch.tensor([[len(some)] for some in allowed])
        self.table = nn.utils.rnn.pad_sequence(list(allowed), batch_first=True)
        self.pictures, self.copies = pictures, copies
        self.size, self.steps, self.seed = size, steps, seed

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.steps):
            share = torch.rand(len(self.counts), self.size, generator=generator)
            which = (share * self.counts).long().clamp_(max=self.counts - 1)
            copy = torch.randint(self.copies, which.shape, generator=generator)
            yield self.table.gather(1, which) + self.pictures * copy


def jittered(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each picture (N, C, H, W) turned by up to 14°, resized by a tenth, moved by an eighth."""
    uniform = torch.rand(4, len(images), generator=generator) - 0.5
    return posed(images, 0.5 * uniform[0], 1 + 0.2 * uniform[1], uniform[2:].T / 2)


def _linear(layer: Tensor, x: Tensor) -> Tensor:
    return torch.baddbmm(layer[:, -1:], x, layer[:, :-1])
