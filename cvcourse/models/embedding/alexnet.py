"""AlexNet of DeepCluster: edges instead of colours, batch normalisation (Caron et al. 2018).

image ─ grey ─ Sobel x and y, fixed ─ 5 convs with batch norm and ReLU, 3 pools
      ─ dropout ─ linear 4096 ─ ReLU ─ dropout ─ linear 4096 ─ (features) ─ ReLU ─ linear
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_image_size, norm_relu
from cvcourse.ops._checks import check_rgb

PUBLISHED_NAMES = {"features.module": "features"}  # facebookresearch/deepcluster, in parallel


class DeepClusterAlexNet(nn.Module):
    """Images (batch, 3, height, width), at least 63 × 63, to logits (batch, clusters).

    Args:
        clusters: 10,000 in the paper. So 99,242,480 parameters learn, and 24 of the edges do not.
        size: of the images in pixels, which decides about the first linear layer; 224.
        widths: channels of the five convolutions.
        hidden: of both linear layers.

    `embed` gives the features that are clustered: those of the last hidden layer before its ReLU.
    Without colours, clusters cannot be those of colours.

    Reference: Caron et al., Deep Clustering for Unsupervised Learning of Visual Features, 2018,
    arXiv:1807.05520.
    """

    def __init__(
        self,
        clusters: int = 10_000,
        *,
        size: int = 224,
        widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        hidden: int = 4096,
    ) -> None:
        check_at_least("clusters", clusters)
        check_at_least("size", size, 63)
        super().__init__()
        self.sobel = _sobel()
        a, b, c, d, e = widths
        self.features = nn.Sequential(
            *norm_relu(nn.Conv2d(2, a, 11, stride=4, padding=2)), nn.MaxPool2d(3, 2),
            *norm_relu(nn.Conv2d(a, b, 5, padding=2)), nn.MaxPool2d(3, 2),
            *norm_relu(nn.Conv2d(b, c, 3, padding=1)),
            *norm_relu(nn.Conv2d(c, d, 3, padding=1)),
            *norm_relu(nn.Conv2d(d, e, 3, padding=1)), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        small = (size + 4 - 11) // 4 + 1
        for _ in range(3):
            small = (small - 3) // 2 + 1
        self.classifier = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(e * small * small, hidden), nn.ReLU(inplace=True),
            nn.Dropout(0.5), nn.Linear(hidden, hidden), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.top_layer = nn.Linear(hidden, clusters)
        self.size = size
        nn.init.normal_(self.top_layer.weight, std=0.01)
        nn.init.zeros_(self.top_layer.bias)

    def maps(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels _ _"]:
        """What the convolutions give, for images of any size."""
        check_rgb("images", x)
        check_image_size(x, 63)
        return self.features(self.sobel(x))

    def embed(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch hidden"]:
        return self.classifier[:-1](self._flat(x))

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch clusters"]:
        return self.top_layer(self.classifier(self._flat(x)))

    def _flat(self, x: Tensor) -> Tensor:
        maps = self.maps(x).flatten(1)
        if maps.shape[1] != self.classifier[1].in_features:
            raise ValueError(
                f"images must be of the network's size, {self.size} pixels, "
                f"got {tuple(x.shape[-2:])}"
            )
        return maps


def _sobel() -> nn.Sequential:
    grey = nn.Conv2d(3, 1, 1)
    edges = nn.Conv2d(1, 2, 3, padding=1)
    across = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    with torch.no_grad():
        grey.weight.fill_(1 / 3)
        edges.weight.copy_(torch.stack([across, across.T])[:, None])
        for layer in (grey, edges):
            layer.bias.zero_()
    return nn.Sequential(grey, edges).requires_grad_(False)
