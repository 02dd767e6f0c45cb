"""A network whose tasks share filters and choose among them (Abati et al. 2020, arXiv:2004.00070).

in every block, for task t:
        x ─ conv (shared) ─ batch norm t ─ ReLU ─ × gate t(x) ─ pool
gate:   x ─ average ─ linear 16 ─ batch norm ─ ReLU ─ linear ─ 0 or 1 for each filter
at the end:   average ─ linear t
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, check_each, check_image_size
from cvcourse.ops._checks import check_tensor


class ChannelGate(nn.Module):
    """Maps (batch, in_channels, height, width) to zeros and ones (batch, channels).

    In training drawn: σ((a + Gumbel noise) / temperature) rounded, with the gradient of what was
    rounded (straight through). In evaluation a > 0.

    Args:
        in_channels, channels: of the maps before, and to be gated.
        hidden: units of its perceptron.
        temperature: 2/3.
    """

    def __init__(
        self, in_channels: int, channels: int, *, hidden: int = 16, temperature: float = 2 / 3
    ) -> None:
        for name, value in (("in_channels", in_channels), ("channels", channels)):
            check_at_least(name, value)
        check_at_least("hidden", hidden)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(in_channels, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True),
            nn.Linear(hidden, channels),
        )  # fmt: skip
        nn.init.constant_(self.layers[-1].bias, 1.0)  # most gates begin open
        self.temperature = temperature

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        logits = self.layers(x.mean((2, 3))).float()
        if not self.training:
            return (logits > 0).to(x.dtype)
        uniform = torch.rand_like(logits).clamp(1e-6, 1 - 1e-6)
        noisy = torch.sigmoid((logits + torch.logit(uniform)) / self.temperature)
        hard = (noisy > 0.5).to(noisy.dtype)
        return (hard + (noisy - noisy.detach())).to(x.dtype)  # 0 and 1, not nearly


class GatedBlock(nn.Module):
    """One convolution for all tasks; for each its own batch norm, gate, and permitted filters.

    `permitted` (tasks, channels) says which filters a task may use. What a task did not use is shut
    for it once it is learnt, so that it cannot come upon a filter that others have changed since.
    """

    def __init__(self, in_channels: int, channels: int, *, hidden: int = 16) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.norms, self.gates = nn.ModuleList(), nn.ModuleList()
        self.register_buffer("permitted", torch.ones(0, channels, dtype=torch.bool))
        self.hidden = hidden

    def add_task(self) -> None:
        like = self.conv.weight
        channels, in_channels = like.shape[:2]
        self.norms.append(nn.BatchNorm2d(channels).to(like))
        self.gates.append(ChannelGate(in_channels, channels, hidden=self.hidden).to(like))
        all_of_them = self.permitted.new_ones(1, channels)
        self.permitted = torch.cat([self.permitted, all_of_them])

    def forward(self, x: Tensor, task: int) -> tuple[Tensor, Tensor]:
        check_tensor("x", x)
        gates = self.gates[task](x) * self.permitted[task]  # (B, C)
        x = self.norms[task](self.conv(x)).relu() * gates[:, :, None, None]
        return F.max_pool2d(x, 2), gates


class GatedNetwork(nn.Module):
    """Images and the number of a task to that task's logits (batch, classes of the task).

    Begins without a task; `add_task(classes)` adds one. Its smallest image is 2 ** len(widths)
    pixels high and wide.

    Args:
        in_channels: of the images.
        widths: filters of the blocks; three of 100 in the paper's small network.
        hidden: units of each gate.

    `features(x, task)` gives what the task's linear layer sees, and the gates of every block;
    `all_features(x)` gives the first for every task, which is what a task classifier sees.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        widths: tuple[int, ...] = (100, 100, 100),
        hidden: int = 16,
    ) -> None:
        for width in (in_channels, *widths):
            check_at_least("in_channels and widths", width)
        super().__init__()
        ends = [in_channels, *widths]
        self.blocks = nn.ModuleList(GatedBlock(a, b, hidden=hidden) for a, b in pairwise(ends))
        self.heads = nn.ModuleList()

    def add_task(self, classes: int) -> int:
        """Norms, gates and a linear layer for one more task; its number."""
        check_at_least("classes", classes)
        weight = self.blocks[-1].conv.weight
        with torch.device("cpu"):  # whatever the default is; then moved to the weights
            for block in self.blocks:
                block.add_task()
            self.heads.append(nn.Linear(len(weight), classes).to(weight))
        return len(self.heads) - 1

    def features(
        self, x: Float[Tensor, "batch channels height width"], task: int
    ) -> tuple[Float[Tensor, "batch features"], list[Float[Tensor, "batch _"]]]:
        check_channels("x", x, self.blocks[0].conv.in_channels)
        if not 0 <= task < len(self.heads):
            raise ValueError(f"task must be from 0 to {len(self.heads) - 1}, got {task}")
        check_image_size(x, 2 ** len(self.blocks))
        gates = []
        for block in self.blocks:
            x, of_block = block(x, task)
            gates.append(of_block)
        return x.mean((2, 3)), gates

    def all_features(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch tasks features"]:
        return torch.stack([self.features(x, task)[0] for task in range(len(self.heads))], 1)

    def forward(
        self, x: Float[Tensor, "batch channels height width"], task: int
    ) -> Float[Tensor, "batch classes"]:
        features, _ = self.features(x, task)
        return self.heads[task](features)


class TaskClassifier(nn.Module):
    """Features (batch, tasks, features) of all tasks' gates to logits (batch, tasks): whose is it?

    Args:
        tasks, features: as many as there are; a new one for each number of tasks.
        hidden: 64 units.
    """

    def __init__(self, tasks: int, features: int, *, hidden: int = 64) -> None:
        for name, value in (("tasks", tasks), ("features", features), ("hidden", hidden)):
            check_at_least(name, value)
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(tasks * features, hidden), nn.ReLU(), nn.Linear(hidden, tasks)
        )
        self.shape = (tasks, features)

    def forward(
        self, features: Float[Tensor, "batch tasks features"]
    ) -> Float[Tensor, "batch tasks"]:
        check_each("features", features, self.shape)
        return self.layers(features)
