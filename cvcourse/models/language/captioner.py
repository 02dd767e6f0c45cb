"""Show and tell: a picture is the first word that an LSTM reads (Vinyals et al. 2015, 1411.4555).

    image ─ trunk ─ mean ─ linear ─┐
                                   ├─ LSTM ─ linear ─ logits of the next word
    words so far ─ embed ──────────┘

While it learns it is given the true words before the one to tell. Afterwards the most probable
sentence is looked for, word after word, with a few beginnings kept (beam search).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from cvcourse.losses._checks import check_integers, check_logits
from cvcourse.losses._reduce import at_least_float32, reduce_loss
from cvcourse.models._blocks import LSTM, check_at_least
from cvcourse.models.backbones.resnet import ResNetFeatures
from cvcourse.ops._checks import check_ndim, check_rgb


class Captioner(nn.Module):
    """Images (batch, 3, height, width) and captions to the logits of each next word.

    Args:
        vocabulary: how many words there are.
        trunk: images to a list of maps, the last of which is averaged; by default ResNet-50.
        width: of the embedding and of the LSTM.
        dropout: of what goes into and comes out of the LSTM.
        start, end, padding: the words that begin, end and fill up a caption.

    Raises ValueError for counts below 1, or special words outside the vocabulary.
    Reference: Vinyals et al., Show and Tell: A Neural Image Caption Generator, 2015, 1411.4555.
    """

    def __init__(
        self,
        vocabulary: int = 10_000,
        *,
        trunk: nn.Module | None = None,
        width: int = 512,
        dropout: float = 0.3,
        start: int = 1,
        end: int = 2,
        padding: int = 0,
    ) -> None:
        for name, value in (("vocabulary", vocabulary), ("width", width)):
            check_at_least(name, value)
        for name, word in (("start", start), ("end", end), ("padding", padding)):
            if not 0 <= word < vocabulary:
                raise ValueError(f"{name} must be a word below {vocabulary}, got {word}")
        super().__init__()
        self.trunk = ResNetFeatures() if trunk is None else trunk
        self.picture = nn.Linear(self.trunk.out_channels[-1], width)
        self.words = nn.Embedding(vocabulary, width)
        self.lstm = LSTM(width, width, batch_first=True)
        self.next_word = nn.Linear(width, vocabulary)
        self.dropout = nn.Dropout(dropout)
        self.start, self.end, self.padding = start, end, padding
        for embedding in (self.words, self.next_word):
            nn.init.uniform_(embedding.weight, -0.1, 0.1)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"], captions: Int[Tensor, "batch words"]
    ) -> Float[Tensor, "batch words_to_tell vocabulary"]:
        """Logits of `captions[:, 1:]`, each from the picture and the words before it."""
        check_ndim("captions", captions, "(batch, words)")
        if captions.shape[1] < 2:
            raise ValueError(f"captions: expected two words or more, got {captions.shape[1]}")
        words = self.dropout(self.words(captions[:, :-1]))
        out, _ = self.lstm(words, self._seen(images))
        return self.next_word(self.dropout(out))

    @torch.no_grad()
    def generate(
        self, images: Float[Tensor, "batch 3 height width"], *, beam: int = 3, longest: int = 20
    ) -> list[list[int]]:
        """The most probable captions found, without `start` and `end`, at most `longest` words.

        `beam` beginnings are kept; 1 takes the most probable word each time. Probabilities are
        compared as they are, not divided by the number of words.
        """
        check_at_least("beam", beam), check_at_least("longest", longest)
        hidden, cell = self._seen(images)
        return [
            self._search((hidden[:, i : i + 1], cell[:, i : i + 1]), beam, longest)
            for i in range(len(images))
        ]

    def _seen(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The LSTM's state after the picture."""
        check_rgb("images", images)
        features = self.trunk(images)[-1].mean((2, 3))
        return self.lstm(self.dropout(self.picture(features))[:, None])[1]

    def _search(self, state, beam: int, longest: int) -> list[int]:
        """Beam search for one picture: log-probability, words, and whether the end is reached."""
        found = [(0.0, [self.start], False)]
        for _ in range(longest):
            last = torch.tensor([words[-1] for _, words, _ in found], device=state[0].device)
            out, state = self.lstm(self.words(last)[:, None], state)
            scores = F.log_softmax(self.next_word(out[:, 0]).float(), 1).tolist()
            options = []
            for i, (score, words, done) in enumerate(found):
                if done:
                    options.append((score, words, True, i))
                    continue
                for word, more in enumerate(scores[i]):
                    options.append((score + more, [*words, word], word == self.end, i))
            options.sort(key=lambda option: -option[0])
            kept = options[:beam]
            state = tuple(part[:, [i for *_, i in kept]] for part in state)
            found = [option[:3] for option in kept]
            if all(done for *_, done in found):
                break
        return [word for word in found[0][1][1:] if word != self.end]


def caption_loss(
    logits: Float[Tensor, "batch words_to_tell vocabulary"],
    captions: Int[Tensor, "batch words"],
    *,
    padding: int = 0,
) -> Float[Tensor, ""]:
    """Cross-entropy of `captions[:, 1:]`, mean over the words that are no padding.

    Without such words 0; at least float32. Raises ValueError for other shapes and dtypes.
    """
    check_ndim("logits", logits, "(batch, words to tell, vocabulary)")
    check_logits("logits", logits.mT)
    check_integers("captions", captions)
    if captions.shape != (len(logits), logits.shape[1] + 1):
        wanted = len(logits), logits.shape[1] + 1
        raise ValueError(f"captions must have shape {wanted}, got {tuple(captions.shape)}")
    told = captions[:, 1:].flatten().long()
    options = {"ignore_index": padding, "reduction": "none"}
    each = F.cross_entropy(at_least_float32(logits).flatten(0, 1), told, **options)
    return reduce_loss(each, "mean", (told != padding).sum())
