"""Heads between an encoder's features and a contrastive loss, and encoders that end in one.

SimCLR (Chen et al. 2020, arXiv:2002.05709), MoCo v1 and v2 (arXiv:1911.05722, arXiv:2003.04297),
PIRL (Misra and van der Maaten 2019, arXiv:1912.01991).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_each
from cvcourse.models.backbones.resnet import ResNet, resnet50
from cvcourse.ops._checks import check_tensor


class SimCLRHead(nn.Module):
    """Features (batch, features) to embeddings (batch, dim): linear, norm, ReLU, linear, norm.

    Linear layers without bias, and the last norm scales without shifting, as in the authors' code:
    with the defaults 4,460,672 parameters.
    """

    def __init__(self, features: int = 2048, hidden: int = 2048, dim: int = 128) -> None:
        for name, value in (("features", features), ("hidden", hidden), ("dim", dim)):
            check_at_least(name, value)
        super().__init__()
        last = nn.BatchNorm1d(dim)
        del last.bias
        last.register_buffer("bias", torch.zeros(dim))
        self.layers = nn.Sequential(
            nn.Linear(features, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True),
            nn.Linear(hidden, dim, bias=False), last,
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch dim"]:
        check_each("x", x, (self.layers[0].in_features,))
        return self.layers(x)


def moco_resnet50(dim: int = 128, *, version: int = 2) -> ResNet:
    """ResNet-50 that ends in MoCo's head: 23,770,304 parameters in v1, 27,966,656 in v2.

    v1 has a linear layer, v2 a hidden layer of 2,048 before it; names are those of the authors'
    `encoder_q`, which is all that their released files hold: `load_pretrained` reads them into
    this. For `cvcourse.methods.MoCo`.
    """
    check_at_least("dim", dim)
    if version not in (1, 2):
        raise ValueError(f"version must be 1 or 2, got {version}")
    encoder = resnet50(dim)
    if version == 2:
        wide = encoder.fc.in_features
        encoder.fc = nn.Sequential(nn.Linear(wide, wide), nn.ReLU(), encoder.fc)
    return encoder


class PIRLNetwork(nn.Module):
    """Images to embeddings, and their tiles, or one other view, to embeddings of the same kind.

        image ─ trunk ─ linear                                      f
        tiles ─ trunk ─ linear ─ all, one after another ─ linear    g

    Args:
        trunk: images to features (batch, features); ResNet-50 without its classifier by default,
            with which there are 24,180,160 parameters.
        features: of the trunk.
        dim: of an embedding.
        tiles: 9 of a jigsaw. With 1, for rotation, the second linear layer of g falls away.
    """

    def __init__(
        self,
        trunk: nn.Module | None = None,
        *,
        features: int = 2048,
        dim: int = 128,
        tiles: int = 9,
    ) -> None:
        for name, value in (("features", features), ("dim", dim), ("tiles", tiles)):
            check_at_least(name, value)
        super().__init__()
        if trunk is None:
            trunk = resnet50()
            trunk.fc = nn.Identity()
        self.trunk, self.tiles, self.features = trunk, tiles, features
        self.image_head = nn.Linear(features, dim)
        self.tile_head = nn.Linear(features, dim)
        self.join = nn.Linear(tiles * dim, dim) if tiles > 1 else nn.Identity()

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch dim"]:
        """f, of whole images."""
        return self.image_head(self._features(images))

    def transformed(
        self, tiles: Float[Tensor, "batch tiles channels side side2"]
    ) -> Float[Tensor, "batch dim"]:
        """g, of shuffled tiles (`shuffled_tiles`), or of turned images as `turned[:, None]`."""
        check_tensor("tiles", tiles)
        if tiles.ndim != 5 or tiles.shape[1] != self.tiles:
            raise ValueError(
                f"tiles must be (batch, {self.tiles}, channels, height, width), "
                f"got {tuple(tiles.shape)}"
            )
        each = self.tile_head(self._features(tiles.flatten(0, 1)))  # (B * tiles, dim)
        return self.join(each.unflatten(0, tiles.shape[:2]).flatten(1))

    def _features(self, images: Tensor) -> Tensor:
        found, wanted = self.trunk(images), (len(images), self.features)
        if found.shape != wanted:
            raise ValueError(f"trunk must give {wanted}, got {tuple(found.shape)}")
        return found
