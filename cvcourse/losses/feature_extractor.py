"""Features of a frozen network, for perceptual and style losses."""

import copy
from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.losses._checks import check_floating

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class FeatureExtractor(nn.Module):
    """Outputs of chosen layers of a network, for pictures in [0, 1].

    Args:
        backbone: any network that takes (B, C, H, W). It is copied, so yours stays trainable.
            All of it runs: hand in `vgg.features[:16]` rather than `vgg` if that is enough.
        layers: names as in `backbone.named_modules()`, for example ["3", "8", "15"].
        mean, std: of the pictures that the backbone was trained on, for each channel.

    **Conventions**: parameters are frozen, gradients flow to the pictures. The copy is and stays
    in evaluation mode (batch norm uses its running statistics). Features are copies, taken when
    their layer is done: what the network then changes in place, it changes in its own. Of a layer
    that runs more than once they are the last.

    Raises ValueError for an unknown layer, no layer, one that does not run or gives no tensor, a
    std of 0, or pictures of another shape.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        layers: Sequence[str],
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ):
        super().__init__()
        if len(mean) != len(std) or not all(s > 0 for s in std):
            raise ValueError(f"std must be {len(mean)} numbers above 0, got {std!r}")
        self.backbone = copy.deepcopy(backbone).eval().requires_grad_(False)
        self.layers = tuple(layers)
        modules = dict(self.backbone.named_modules())
        unknown = [name for name in self.layers if name not in modules]
        if unknown or not self.layers:
            raise ValueError(f"layers must be names among {list(modules)}, got {layers!r}")
        like = next(self.backbone.parameters(), torch.empty(0))
        for statistic, values in (("mean", mean), ("std", std)):
            buffer = like.new_tensor(values).view(1, -1, 1, 1)
            self.register_buffer(statistic, buffer, persistent=False)
        self._features: dict[str, Tensor] = {}
        for name in self.layers:
            modules[name].register_forward_hook(partial(self._keep, name))

    def _keep(self, name: str, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        if not isinstance(output, Tensor):
            raise ValueError(f"layers must give tensors, got {type(output)} of {name!r}")
        self._features[name] = output.clone()

    def train(self, mode: bool = True) -> "FeatureExtractor":
        """Stays in evaluation mode, also as a part of a model in training."""
        return super().train(False)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> list[Tensor]:
        """One feature map for each layer, in the order of `layers`."""
        check_floating("images", images)
        if images.ndim != 4 or images.shape[1] != self.mean.shape[1]:
            raise ValueError(
                f"images must have shape (B, {self.mean.shape[1]}, H, W), got {tuple(images.shape)}"
            )
        self._features.clear()
        self.backbone((images - self.mean) / self.std)
        idle = [name for name in self.layers if name not in self._features]
        if idle:
            raise ValueError(f"layers must run when the backbone does, got {idle}, which did not")
        features = [self._features[name] for name in self.layers]
        self._features.clear()
        return features
