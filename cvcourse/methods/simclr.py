"""SimCLR: two views of a picture shall be each other's nearest in the batch (Chen et al. 2020).

    images ┬ augment ─ encoder ─ head ─ z0 ┐
           └ augment ─ encoder ─ head ─ z1 ┴ NT-Xent

What is used later is what the encoder gives, h, not the head's z. arXiv:2002.05709.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.losses import nt_xent_loss
from cvcourse.losses._checks import check_positive


class SimCLR(nn.Module):
    """Images to the loss of one step.

    Args:
        encoder: images to features (batch, features).
        head: features to embeddings, such as `SimCLRHead`.
        augment: images to a random view of each; called twice. What it varies is what the
            features will not tell.
        temperature: 0.1 for ImageNet, 0.5 for CIFAR-10.

    **Conventions**: the mean over the 2N views, as in the paper; the authors' code has twice that.

    Raises ValueError for a temperature not above 0, or features that are not (batch, features).
    """

    def __init__(
        self,
        encoder: nn.Module,
        head: nn.Module,
        augment: Callable[[Tensor], Tensor],
        *,
        temperature: float = 0.1,
    ) -> None:
        check_positive("temperature", temperature)
        super().__init__()
        self.encoder, self.head = encoder, head
        self.augment, self.temperature = augment, temperature

    def embed(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch dims"]:
        features = self.encoder(images)
        if features.ndim != 2:
            raise ValueError(f"encoder must give (batch, features), got {tuple(features.shape)}")
        return self.head(features)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, ""]:
        z0, z1 = (self.embed(self.augment(images)) for _ in range(2))
        return nt_xent_loss(z0, z1, self.temperature)
