"""12-in-1: one ViLBERT with a head for each kind of task (Lu et al. 2020, arXiv:1912.02315).

    trunk with a task token ─ pooled text × pooled picture ┬─ answers of VQA, of GQA
                            │                              ├─ one score (caption and picture fit)
                            │                              ├─ three classes (entailment)
                            │                              └─ two pictures together: true or false
                            └─ each region: is it the one that is meant?

Twelve data sets of four kinds share everything but these last layers: 268,028,859 parameters where
twelve models have about 3 billion. How they take turns: `cvcourse.methods.RoundRobin`.
"""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.models.language import vilbert
from cvcourse.models.language.vilbert import EPS, PretrainingOutput, ViLBERT, heads_of


class TaskOutput(NamedTuple):
    """Logits of all heads for the whole batch; `pair` is None for an odd batch."""

    vqa: Float[Tensor, "batch answers"]
    gqa: Float[Tensor, "batch answers_gqa"]
    fit: Float[Tensor, "batch 1"]
    entailment: Float[Tensor, "batch 3"]
    pair: Float[Tensor, "pairs 2"] | None
    regions: Float[Tensor, "batch regions"]
    tokens: Float[Tensor, "batch tokens"]
    pretraining: PretrainingOutput


class Answers(nn.Sequential):
    """Linear, GELU, normalisation, linear."""

    def __init__(self, width: int, hidden: int, answers: int) -> None:
        layers = nn.Linear(width, hidden), nn.GELU(), nn.LayerNorm(hidden, EPS)
        super().__init__(*layers, nn.Linear(hidden, answers))


class TwelveInOne(nn.Module):
    """Tokens, regions, boxes and a task for each of the batch to the logits of every head.

    Args:
        answers, answers_gqa: of VQA and GQA.
        region_classes: of the heads of pre-training, which stay.
        trunk: a `ViLBERT` with `tasks`, by default the paper's with 20 task tokens.
        dropout: of what the heads see.

    Two rows after another are the two pictures of one statement of `pair` (NLVR2). Padded regions
    score -10,000.

    Raises ValueError for counts below 1, or a trunk without task tokens.
    Reference: Lu et al., 12-in-1: Multi-Task Vision and Language Representation Learning, 2020.
    """

    def __init__(
        self,
        *,
        answers: int = 3129,
        answers_gqa: int = 1533,
        region_classes: int = 1601,
        trunk: ViLBERT | None = None,
        dropout: float = 0.1,
    ) -> None:
        counts = {"answers": answers, "answers_gqa": answers_gqa, "region_classes": region_classes}
        for name, value in counts.items():
            check_at_least(name, value)
        super().__init__()
        self.trunk = ViLBERT(tasks=20) if trunk is None else trunk
        if self.trunk.tasks is None:
            raise ValueError("trunk: expected one with task tokens, got tasks=0")
        width = self.trunk.text_pool.out_features
        self.heads = heads_of(self.trunk, region_classes)
        self.vqa = Answers(width, 2 * width, answers)
        self.gqa = Answers(width, 2 * width, answers_gqa)
        self.pair = Answers(2 * width, 2 * width, 2)
        self.fit = nn.Linear(width, 1)
        self.entailment = nn.Linear(width, 3)
        self.regions = nn.Linear(self.trunk.regions.out_features, 1)
        self.tokens = nn.Linear(self.trunk.words.embedding_dim, 1)
        self.dropout = nn.Dropout(dropout)
        for head in (self.vqa, self.gqa, self.pair, self.fit, self.entailment, self.regions):
            head.apply(vilbert._init_weights)
        self.tokens.apply(vilbert._init_weights)

    def forward(
        self,
        tokens: Int[Tensor, "batch tokens"],
        regions: Float[Tensor, "batch regions features"],
        boxes: Float[Tensor, "batch regions 5"],
        tasks: Int[Tensor, " batch"],
        token_mask: Bool[Tensor, "batch tokens"] | None = None,
        region_mask: Bool[Tensor, "batch regions"] | None = None,
    ) -> TaskOutput:
        encoded = self.trunk(tokens, regions, boxes, token_mask, region_mask, tasks=tasks)
        fused = self.dropout(encoded.pooled_text * encoded.pooled_vision)
        region_logits = self.regions(self.dropout(encoded.vision))[..., 0]
        if region_mask is not None:
            region_logits = region_logits - 1e4 * (~region_mask).to(region_logits.dtype)
        even = len(fused) % 2 == 0
        return TaskOutput(
            self.vqa(fused),
            self.gqa(fused),
            self.fit(fused),
            self.entailment(fused),
            self.pair(fused.view(-1, 2 * fused.shape[1])) if even else None,
            region_logits,
            self.tokens(self.dropout(encoded.text))[..., 0],
            self.heads(encoded, self.trunk.words.weight),
        )


PUBLISHED_NAMES = {
    **vilbert.PUBLISHED_NAMES,
    "vil_prediction.logit_fc": "vqa",
    "vil_prediction_gqa.logit_fc": "gqa",
    "vil_binary_prediction.logit_fc": "pair",
    "vil_logit": "fit",
    "vil_tri_prediction": "entailment",
    "vision_logit": "regions",
    "linguisic_logit": "tokens",
}
