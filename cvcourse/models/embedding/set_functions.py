"""FEAT's set-to-set functions: prototypes that know of each other.

Each adapts the embeddings of a set of classes to one another before queries are compared with them:
attention (FEAT itself), a bidirectional LSTM, DeepSets, and a graph convolution. Ye et al. 2020,
arXiv:1812.03664.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import LSTM, check_at_least
from cvcourse.ops._checks import check_tensor

PUBLISHED_NAMES = {  # Sha-Lab/FEAT
    "slf_attn.w_qs": "query",
    "slf_attn.w_ks": "key",
    "slf_attn.w_vs": "value",
    "slf_attn.fc": "project",
    "slf_attn.layer_norm": "norm",
    "bilstm.lstm": "lstm",
    "set_func.gen1": "of_others.0",
    "set_func.gen2": "of_others.2",
    "set_func.gen3": "of_both.0",
    "set_func.gen4": "of_both.2",
    "graph_func.gc1": "layers.0",
    "graph_func.gc2": "layers.1",
}


class SetAttention(nn.Module):
    """Sets (batch, items, features) to sets of that shape: one layer of self-attention.

    One head as wide as the features, softmax(Q Kᵀ / √d) V, a linear layer, the input added, and
    layer normalisation. The order of the items does not matter: permuted in, permuted out.

    Args:
        features: d. With 64, 16,576 parameters; with 640, 1,640,320.
        dropout, attention_dropout: probabilities, of a feature after the linear layer, and of an
            item in the attention.
    """

    def __init__(
        self, features: int, *, dropout: float = 0.5, attention_dropout: float = 0.1
    ) -> None:
        check_at_least("features", features)
        super().__init__()
        self.query, self.key, self.value = (
            nn.Linear(features, features, bias=False) for _ in range(3)
        )
        self.project = nn.Linear(features, features)
        self.norm = nn.LayerNorm(features)
        self.dropout, self.attention_dropout = nn.Dropout(dropout), attention_dropout
        for layer in (self.query, self.key, self.value):
            nn.init.normal_(layer.weight, std=features**-0.5)
        nn.init.xavier_normal_(self.project.weight)

    def forward(
        self, items: Float[Tensor, "batch items features"]
    ) -> Float[Tensor, "batch items features"]:
        _check_sets(items, self.query.in_features)
        attended = F.scaled_dot_product_attention(
            self.query(items),
            self.key(items),
            self.value(items),
            dropout_p=self.attention_dropout if self.training else 0.0,
        )
        return self.norm(self.dropout(self.project(attended)) + items)


class SetLSTM(nn.Module):
    """Sets (batch, items, features) to sets of that shape: items read one after another, both ways.

    What it adds to an item depends on the order of the items, unlike the other set functions. The
    state begins at zero (the authors' code draws it anew from [0, 1) at every call).

    Args:
        features: even; half of them for each direction.
    """

    def __init__(self, features: int) -> None:
        check_at_least("features", features)
        if features % 2:
            raise ValueError(f"features must be even, got {features}")
        super().__init__()
        self.lstm = LSTM(features, features // 2, batch_first=True, bidirectional=True)

    def forward(
        self, items: Float[Tensor, "batch items features"]
    ) -> Float[Tensor, "batch items features"]:
        _check_sets(items, self.lstm.input_size)
        return items + self.lstm(items)[0]


class DeepSets(nn.Module):
    """Sets (batch, items, features) to sets of that shape, by the maximum of the other items.

    x + g2([x ; g1(max over the others)]), each g a hidden layer four times as wide.

    **Conventions**: as in the authors' code an item counts as 0 among "the others", which is
    harmless where embeddings are not negative.
    """

    def __init__(self, features: int) -> None:
        check_at_least("features", features)
        super().__init__()
        wide = 4 * features
        self.of_others = nn.Sequential(
            nn.Linear(features, wide), nn.ReLU(), nn.Linear(wide, features)
        )
        self.of_both = nn.Sequential(
            nn.Linear(2 * features, wide), nn.ReLU(), nn.Linear(wide, features)
        )

    def forward(
        self, items: Float[Tensor, "batch items features"]
    ) -> Float[Tensor, "batch items features"]:
        _check_sets(items, self.of_others[0].in_features)
        others = 1 - torch.eye(items.shape[1], dtype=items.dtype, device=items.device)
        largest = (items[:, None] * others[..., None]).amax(2)  # (B, items, features)
        return items + self.of_both(torch.cat([items, self.of_others(largest)], 2))


class GraphConvolution(nn.Module):
    """Sets (batch, items, features) to sets of that shape: two layers over a graph of the items.

    Each layer is A X W + b, with the rows of A + I normalised, and a ReLU between; the input is
    added. By default every item is joined with every other, as the paper has it; the authors' code
    joins only items of one class, which leaves prototypes, one a class, alone.

    Args:
        features: of an item; four times as many in between.
        dropout: probability of dropping a feature between the layers.
    """

    def __init__(self, features: int, *, dropout: float = 0.5) -> None:
        check_at_least("features", features)
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Linear(features, 4 * features), nn.Linear(4 * features, features)]
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        items: Float[Tensor, "batch items features"],
        joined: Float[Tensor, "items items"] | None = None,
    ) -> Float[Tensor, "batch items features"]:
        """joined: 1 where two items are joined, 0 elsewhere; the diagonal counts as 1."""
        _check_sets(items, self.layers[0].in_features)
        count = items.shape[1]
        if joined is None:
            joined = items.new_ones(count, count)
        joined = joined.to(items).clone().fill_diagonal_(1)
        adjacency = joined / joined.sum(1, keepdim=True)
        first, second = self.layers  # rows of the adjacency sum to 1, so the bias may go through it
        hidden = self.dropout(F.relu(adjacency @ first(items)))
        return items + adjacency @ second(hidden)


def _check_sets(items: Tensor, features: int) -> None:
    check_tensor("items", items)
    if items.ndim != 3 or items.shape[2] != features:
        raise ValueError(f"items must have shape (B, items, {features}), got {tuple(items.shape)}")
