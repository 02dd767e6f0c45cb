"""Which blur is it? A network of sigmoid units on spectra (Yan & Shao 2016, IEEE TIP 25(4)).

    log spectrum of a patch, standardised ─ 128 ─ 32, sigmoid ─ Gaussian, motion or defocus

Its hidden layers may be learnt first without labels (`pretrain_layers`), and its last hidden layer
is where a `grnn` for each kind looks up the blur's parameters.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least


class BlurClassifier(nn.Module):
    """Features (batch, in_features) to logits (batch, num_classes).

    Args:
        num_classes: kinds of blur.
        in_features: of a patch; 512 is `log_spectrum` of 32 × 32 pixels.
        hidden: widths of the hidden layers.

    `layers` are the hidden ones; `describe` gives what the last of them says.

    Raises ValueError for no class or no hidden layer.
    """

    def __init__(
        self, num_classes: int = 3, *, in_features: int = 512, hidden: Sequence[int] = (128, 32)
    ) -> None:
        check_at_least("num_classes", num_classes)
        check_at_least("hidden", len(hidden))
        super().__init__()
        widths = [in_features, *hidden]
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in zip(widths, hidden, strict=False)])
        self.classifier = nn.Linear(widths[-1], num_classes)

    def describe(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch hidden"]:
        for layer in self.layers:
            x = layer(x).sigmoid()
        return x

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch classes"]:
        return self.classifier(self.describe(x))
