"""ViLBERT: a stream of words and one of regions that ask each other (Lu et al. 2019, 1908.02265).

    words ─ embed ─ 6 layers ─┐                  ┌─ layer ─┐             ┌─ first token ─ ReLU ─┐
                              ├─ co-attention ×6 ┤         ├ ... 6 times ┤                      × ─
    regions, boxes ─ embed ───┘                  └─ layer ─┘             └─ first region ─ ReLU ┘

In a co-attention layer the words' queries meet the regions' keys and values, and the reverse; then
each stream has a feed-forward of its own. Six text layers run before the first co-attention and no
visual one does. The first region is the whole picture. `PUBLISHED_NAMES` are those of the authors'
code (github.com/facebookresearch/vilbert-multi-task).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.ops._checks import (
    check_floating,
    check_mask,
    check_ndim,
    check_same_length,
    check_tensor,
)

EPS = 1e-12


class Stream(NamedTuple):
    """Width, layers, heads and hidden units of a transformer."""

    width: int
    layers: int
    heads: int
    hidden: int


TEXT = Stream(768, 12, 12, 3072)  # BERT-base
VISION = Stream(1024, 6, 8, 1024)


class Encoded(NamedTuple):
    """What the trunk gives: both streams, and their first tokens after a linear layer and ReLU."""

    text: Float[Tensor, "batch tokens text_width"]
    vision: Float[Tensor, "batch regions vision_width"]
    pooled_text: Float[Tensor, "batch co_width"]
    pooled_vision: Float[Tensor, "batch co_width"]


class Attend(nn.Module):
    """softmax(q kᵀ / √d + mask) v in several heads; returns that and the attention."""

    def __init__(self, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)

    def forward(
        self,
        query: Float[Tensor, "batch queries width"],
        key: Float[Tensor, "batch keys width"],
        value: Float[Tensor, "batch keys width"],
        mask: Float[Tensor, "batch 1 1 keys"],
    ) -> tuple[Float[Tensor, "batch queries width"], Float[Tensor, "batch heads queries keys"]]:
        query, key, value = (
            x.unflatten(2, (self.heads, -1)).transpose(1, 2) for x in (query, key, value)
        )  # (B, heads, length, d)
        scores = query @ key.mT / query.shape[3] ** 0.5
        attention = (scores + mask).softmax(3)
        out = self.dropout(attention).to(value.dtype) @ value
        return out.transpose(1, 2).flatten(2), attention


class FeedForward(nn.Module):
    """Wider, GELU, back, plus the input, normalised."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.expand, self.contract = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(width, EPS)

    def forward(
        self, x: Float[Tensor, "batch length width"]
    ) -> Float[Tensor, "batch length width"]:
        return self.norm(self.dropout(self.contract(F.gelu(self.expand(x)))) + x)


class SelfAttentionLayer(nn.Module):
    """BERT's layer: each normalisation comes after the sum."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.attend = Attend(heads, dropout)
        self.project, self.dropout = nn.Linear(width, width), nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width, EPS)
        self.mlp = FeedForward(width, hidden, dropout)

    def forward(
        self, x: Float[Tensor, "batch length width"], mask: Float[Tensor, "batch 1 1 length"]
    ) -> Float[Tensor, "batch length width"]:
        found, _ = self.attend(self.query(x), self.key(x), self.value(x), mask)
        return self.mlp(self.norm(self.dropout(self.project(found)) + x))


class CoAttentionLayer(nn.Module):
    """Each stream asks the other, in a common width, and adds what it finds.

    Two layers, `vision_unused` and `text_unused`, are in the authors' code and in their files, and
    no input ever goes through them.
    """

    def __init__(
        self, text: Stream, vision: Stream, co_width: int, co_heads: int, dropout: float
    ) -> None:
        super().__init__()
        for name, stream in (("vision", vision), ("text", text)):
            for role in ("query", "key", "value"):
                self.add_module(f"{name}_{role}", nn.Linear(stream.width, co_width))
            self.add_module(f"{name}_project", nn.Linear(co_width, stream.width))
            self.add_module(f"{name}_norm", nn.LayerNorm(stream.width, EPS))
            self.add_module(f"{name}_unused", nn.Linear(co_width, stream.width))
            self.add_module(f"{name}_mlp", FeedForward(stream.width, stream.hidden, dropout))
        self.text_asks, self.vision_asks = Attend(co_heads, dropout), Attend(co_heads, dropout)
        self.dropout = nn.Dropout(dropout)

    def attend(
        self,
        vision: Float[Tensor, "batch regions vision_width"],
        text: Float[Tensor, "batch tokens text_width"],
        vision_mask: Float[Tensor, "batch 1 1 regions"],
        text_mask: Float[Tensor, "batch 1 1 tokens"],
    ) -> tuple[Float[Tensor, "batch tokens co_width"], Float[Tensor, "batch regions co_width"]]:
        """What the words find among the regions, and the regions among the words."""
        for_text, _ = self.text_asks(
            self.text_query(text), self.vision_key(vision), self.vision_value(vision), vision_mask
        )
        for_vision, _ = self.vision_asks(
            self.vision_query(vision), self.text_key(text), self.text_value(text), text_mask
        )
        return for_text, for_vision

    def forward(
        self,
        vision: Float[Tensor, "batch regions vision_width"],
        text: Float[Tensor, "batch tokens text_width"],
        vision_mask: Float[Tensor, "batch 1 1 regions"],
        text_mask: Float[Tensor, "batch 1 1 tokens"],
    ) -> tuple[
        Float[Tensor, "batch regions vision_width"], Float[Tensor, "batch tokens text_width"]
    ]:
        for_text, for_vision = self.attend(vision, text, vision_mask, text_mask)
        vision = self.vision_norm(self.dropout(self.vision_project(for_vision)) + vision)
        text = self.text_norm(self.dropout(self.text_project(for_text)) + text)
        return self.vision_mlp(vision), self.text_mlp(text)


class ViLBERT(nn.Module):
    """The trunk: tokens, regions and their boxes to both streams.

    Args:
        vocabulary, positions, segments: sizes of the three embeddings of a token.
        region_features: length of a region's features.
        text, vision: `Stream`s: width, layers, heads, hidden units.
        co_width, co_heads: of the co-attention, and of what is pooled.
        text_at, vision_at: before which layer of each stream each co-attention stands.
        tasks: with 12-in-1's tokens, how many tasks there are; 0 for none.
        dropout: of features and of attention.

    The defaults are `bert_base_6layer_6conect`: 246,726,656 parameters, 11,020,800 of them in
    layers that the authors' code never uses.

    Raises ValueError for counts below 1, widths that heads do not divide, or unequal `text_at` and
    `vision_at`.
    Reference: Lu et al., ViLBERT: Pretraining Task-Agnostic Visiolinguistic Representations for
    Vision-and-Language Tasks, 2019, arXiv:1908.02265.
    """

    def __init__(
        self,
        *,
        vocabulary: int = 30_522,
        positions: int = 512,
        segments: int = 2,
        region_features: int = 2048,
        text: Stream = TEXT,
        vision: Stream = VISION,
        co_width: int = 1024,
        co_heads: int = 8,
        text_at: Sequence[int] = (6, 7, 8, 9, 10, 11),
        vision_at: Sequence[int] = (0, 1, 2, 3, 4, 5),
        tasks: int = 0,
        dropout: float = 0.1,
    ) -> None:
        _check_streams(text, vision, co_width, co_heads, text_at, vision_at)
        counts = {"vocabulary": vocabulary, "positions": positions, "segments": segments}
        for name, value in {**counts, "region_features": region_features}.items():
            check_at_least(name, value)
        super().__init__()
        self.words = nn.Embedding(vocabulary, text.width, padding_idx=0)
        self.positions = nn.Embedding(positions, text.width)
        self.segments = nn.Embedding(segments, text.width)
        self.tasks = nn.Embedding(tasks, text.width) if tasks else None
        self.text_norm = nn.LayerNorm(text.width, EPS)
        self.regions = nn.Linear(region_features, vision.width)
        self.boxes = nn.Linear(5, vision.width)
        self.vision_norm = nn.LayerNorm(vision.width, EPS)
        self.dropout = nn.Dropout(dropout)
        self.text_layers, self.vision_layers = (
            nn.ModuleList(
                SelfAttentionLayer(s.width, s.heads, s.hidden, dropout) for _ in range(s.layers)
            )
            for s in (text, vision)
        )
        self.co_layers = nn.ModuleList(
            CoAttentionLayer(text, vision, co_width, co_heads, dropout) for _ in text_at
        )
        self.text_pool = nn.Linear(text.width, co_width)
        self.vision_pool = nn.Linear(vision.width, co_width)
        self.text_at, self.vision_at = tuple(text_at), tuple(vision_at)
        self.apply(_init_weights)

    def forward(
        self,
        tokens: Int[Tensor, "batch tokens"],
        regions: Float[Tensor, "batch regions features"],
        boxes: Float[Tensor, "batch regions 5"],
        token_mask: Bool[Tensor, "batch tokens"] | None = None,
        region_mask: Bool[Tensor, "batch regions"] | None = None,
        *,
        segments: Int[Tensor, "batch tokens"] | None = None,
        tasks: Int[Tensor, " batch"] | None = None,
    ) -> Encoded:
        """Boxes are (x1, y1, x2, y2, share of the area), all in [0, 1]; masks are True where
        something is. With tasks, the text has one token more, the task's, after the first.

        Raises ValueError for inputs of other shapes or dtypes, integer masks among them, for no
        tokens or regions, more tokens than positions, and tasks where there are none or the
        reverse."""
        self._check(tokens, regions, boxes, tasks)
        self._check_rows(tokens, regions, token_mask, region_mask, segments, tasks)
        text, token_mask = self._embed(tokens, token_mask, segments, tasks)
        vision = self.dropout(self.vision_norm(self.regions(regions) + self.boxes(boxes)))
        text_mask = _additive(token_mask, text)
        vision_mask = _additive(region_mask, vision)
        v = t = 0
        for co_layer, v_at, t_at in zip(self.co_layers, self.vision_at, self.text_at, strict=True):
            for layer in self.text_layers[t:t_at]:
                text = layer(text, text_mask)
            for layer in self.vision_layers[v:v_at]:
                vision = layer(vision, vision_mask)
            vision, text = co_layer(vision, text, vision_mask, text_mask)
            v, t = v_at, t_at
        for layer in self.vision_layers[v:]:
            vision = layer(vision, vision_mask)
        for layer in self.text_layers[t:]:
            text = layer(text, text_mask)
        pooled = self.text_pool(text[:, 0]).relu(), self.vision_pool(vision[:, 0]).relu()
        return Encoded(text, vision, *pooled)

    def _embed(self, tokens, mask, segments, tasks) -> tuple[Tensor, Tensor | None]:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        segments = torch.zeros_like(tokens) if segments is None else segments
        text = self.words(tokens) + self.positions(places) + self.segments(segments)
        if tasks is not None:
            token = self.tasks(tasks)[:, None]
            text = torch.cat([text[:, :1], token, text[:, 1:]], 1)
            if mask is not None:
                mask = torch.cat([mask[:, :1], torch.ones_like(mask[:, :1]), mask[:, 1:]], 1)
        return self.dropout(self.text_norm(text)), mask

    def _check(self, tokens, regions, boxes, tasks) -> None:
        check_ndim("tokens", tokens, "(batch, tokens)")
        check_ndim("regions", regions, "(batch, regions, features)")
        check_same_length("tokens", tokens, "regions", regions)
        check_at_least("tokens", tokens.shape[1]), check_at_least("regions", regions.shape[1])
        check_floating("regions", regions), check_floating("boxes", boxes)
        if tokens.shape[1] > self.positions.num_embeddings:
            raise ValueError(
                f"tokens: expected at most {self.positions.num_embeddings}, got {tokens.shape[1]}"
            )
        if regions.shape[2] != self.regions.in_features:
            raise ValueError(
                f"regions: expected {self.regions.in_features} features, got {regions.shape[2]}"
            )
        if boxes.shape != (*regions.shape[:2], 5):
            raise ValueError(f"boxes: expected {(*regions.shape[:2], 5)}, got {tuple(boxes.shape)}")
        if (tasks is None) != (self.tasks is None):
            wanted = "none" if self.tasks is None else "one for each of the batch"
            raise ValueError(f"tasks: expected {wanted}, got {tasks}")

    def _check_rows(self, tokens, regions, token_mask, region_mask, segments, tasks) -> None:
        """What belongs to each token or region is as many, and of the dtype that it is read in."""
        numbers = {"tokens": (tokens, 2), "segments": (segments, 2), "tasks": (tasks, 1)}
        for name, (values, axes) in numbers.items():
            if values is not None:
                check_tensor(name, values)
                if values.dtype not in (torch.int32, torch.int64):
                    raise ValueError(f"{name} must be int32 or int64, got {values.dtype}")
                if values.shape != tokens.shape[:axes]:
                    wanted, got = tuple(tokens.shape[:axes]), tuple(values.shape)
                    raise ValueError(f"{name} must have shape {wanted}, got {got}")
        if token_mask is not None:
            check_mask("token_mask", token_mask, tokens.shape)
        if region_mask is not None:
            check_mask("region_mask", region_mask, regions.shape[:2])


def _check_streams(text, vision, co_width, co_heads, text_at, vision_at) -> None:
    widths = (("text", text.width, text.heads), ("vision", vision.width, vision.heads))
    for name, width, heads in (*widths, ("co_width", co_width, co_heads)):
        check_at_least(name, min(width, heads))
        if width % heads:
            raise ValueError(f"{name}: expected a width that heads divide, got {width}, {heads}")
    for name, at, stream in (("text_at", text_at, text), ("vision_at", vision_at, vision)):
        if list(at) != sorted(at) or (len(at) and not 0 <= at[0] <= at[-1] <= stream.layers):
            raise ValueError(
                f"{name}: expected rising numbers of layers from 0 to {stream.layers}, got {at}"
            )
    if len(text_at) != len(vision_at):
        raise ValueError(
            f"text_at and vision_at: expected as many, got {len(text_at)} and {len(vision_at)}"
        )


def _additive(mask: Tensor | None, x: Tensor) -> Tensor:
    """(B, 1, 1, length), 0 where something is, -10,000 where nothing is."""
    if mask is None:
        return x.new_zeros(len(x), 1, 1, x.shape[1])
    return (~mask).to(x.dtype)[:, None, None] * -1e4


class Transform(nn.Sequential):
    """Linear, GELU, normalisation: before what is predicted for each token or region."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width, EPS))


class PretrainingOutput(NamedTuple):
    words: Float[Tensor, "batch tokens vocabulary"]
    regions: Float[Tensor, "batch regions classes"]
    match: Float[Tensor, "batch 2"]


class PretrainingHeads(nn.Module):
    """Logits of masked words and masked regions' classes, and whether text and picture match.

    The words are told with the embedding's own matrix. `match` is from the product of what both
    streams pool.
    """

    def __init__(
        self, text_width: int, vision_width: int, co_width: int, vocabulary: int, classes: int
    ) -> None:
        super().__init__()
        self.word_transform = Transform(text_width)
        self.word_bias = nn.Parameter(torch.zeros(vocabulary))
        self.region_transform = Transform(vision_width)
        self.region_classes = nn.Linear(vision_width, classes)
        self.match = nn.Linear(co_width, 2)
        self.dropout = nn.Dropout(0.1)
        self.apply(_init_weights)

    def forward(
        self, encoded: Encoded, words: Float[Tensor, "vocabulary text_width"]
    ) -> PretrainingOutput:
        fused = self.dropout(encoded.pooled_text * encoded.pooled_vision)
        return PretrainingOutput(
            F.linear(self.word_transform(encoded.text), words, self.word_bias),
            self.region_classes(self.region_transform(encoded.vision)),
            self.match(fused),
        )


class ViLBERTPretraining(nn.Module):
    """ViLBERT with the heads that it is pre-trained with: 250,044,029 parameters.

    Args:
        region_classes: of the detector that tells regions, 1600 and the background.
        trunk: a `ViLBERT`, by default the paper's.
    """

    def __init__(self, region_classes: int = 1601, *, trunk: ViLBERT | None = None) -> None:
        check_at_least("region_classes", region_classes)
        super().__init__()
        self.trunk = ViLBERT() if trunk is None else trunk
        self.heads = heads_of(self.trunk, region_classes)

    def forward(
        self,
        tokens: Int[Tensor, "batch tokens"],
        regions: Float[Tensor, "batch regions features"],
        boxes: Float[Tensor, "batch regions 5"],
        token_mask: Bool[Tensor, "batch tokens"] | None = None,
        region_mask: Bool[Tensor, "batch regions"] | None = None,
    ) -> PretrainingOutput:
        encoded = self.trunk(tokens, regions, boxes, token_mask, region_mask)
        return self.heads(encoded, self.trunk.words.weight)


def heads_of(trunk: ViLBERT, region_classes: int) -> PretrainingHeads:
    widths = trunk.words.embedding_dim, trunk.regions.out_features, trunk.text_pool.out_features
    return PretrainingHeads(*widths, trunk.words.num_embeddings, region_classes)


def _init_weights(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear | nn.Embedding):
        nn.init.normal_(layer.weight, std=0.02)
    if isinstance(layer, nn.Linear):
        nn.init.zeros_(layer.bias)


CO_ATTENTION_NAMES = {
    **{
        f"biattention.{role}{i}": f"{stream}_{role}"
        for i, stream in ((1, "vision"), (2, "text"))
        for role in ("query", "key", "value")
    },
    "biOutput.dense1": "vision_project",
    "biOutput.LayerNorm1": "vision_norm",
    "biOutput.q_dense1": "vision_unused",
    "biOutput.dense2": "text_project",
    "biOutput.LayerNorm2": "text_norm",
    "biOutput.q_dense2": "text_unused",
    "v_intermediate.dense": "vision_mlp.expand",
    "v_output.dense": "vision_mlp.contract",
    "v_output.LayerNorm": "vision_mlp.norm",
    "t_intermediate.dense": "text_mlp.expand",
    "t_output.dense": "text_mlp.contract",
    "t_output.LayerNorm": "text_mlp.norm",
}
_LAYER_NAMES = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "project",
    "attention.output.LayerNorm": "norm",
    "intermediate.dense": "mlp.expand",
    "output.dense": "mlp.contract",
    "output.LayerNorm": "mlp.norm",
}
_STACKS = {
    "layer": ("text_layers", _LAYER_NAMES),
    "v_layer": ("vision_layers", _LAYER_NAMES),
    "c_layer": ("co_layers", CO_ATTENTION_NAMES),
}
# of stacks of up to 24 layers
PUBLISHED_NAMES = {
    "bert.embeddings.word_embeddings": "trunk.words",
    "bert.embeddings.position_embeddings": "trunk.positions",
    "bert.embeddings.token_type_embeddings": "trunk.segments",
    "bert.embeddings.task_embeddings": "trunk.tasks",
    "bert.embeddings.LayerNorm": "trunk.text_norm",
    "bert.v_embeddings.image_embeddings": "trunk.regions",
    "bert.v_embeddings.image_location_embeddings": "trunk.boxes",
    "bert.v_embeddings.LayerNorm": "trunk.vision_norm",
    **{
        f"bert.encoder.{theirs}.{i}.{old}": f"trunk.{ours}.{i}.{new}"
        for theirs, (ours, names) in _STACKS.items()
        for i in range(24)
        for old, new in names.items()
    },
    "bert.t_pooler.dense": "trunk.text_pool",
    "bert.v_pooler.dense": "trunk.vision_pool",
    "cls.predictions.bias": "heads.word_bias",
    "cls.predictions.decoder": None,  # the embedding of words, once more
    "cls.predictions.transform.dense": "heads.word_transform.0",
    "cls.predictions.transform.LayerNorm": "heads.word_transform.2",
    "cls.bi_seq_relationship": "heads.match",
    "cls.imagePredictions.transform.dense": "heads.region_transform.0",
    "cls.imagePredictions.transform.LayerNorm": "heads.region_transform.2",
    "cls.imagePredictions.decoder": "heads.region_classes",
}
