"""Batch normalisation whose statistics and affine parameters never change.

Detectors are fine-tuned with one or two images a device: too few for batch statistics. So the
numbers of the pre-trained classifier are kept as buffers, and an affine map is all that is left.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FrozenBatchNorm2d(nn.Module):
    """`weight * (x - running_mean) / sqrt(running_var + eps) + bias`, all four of them buffers.

    **Conventions**: equals torchvision's layer; `num_batches_tracked` of an ordinary batch norm is
    dropped on loading, so that a classifier's `state_dict` fits with `strict=True`. torchvision's
    published Faster R-CNN, Mask R-CNN and RetinaNet were trained with `eps=0` (`load_pretrained`
    knows them).
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(num_features))
        self.register_buffer("bias", torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_load_state_dict_pre_hook(_drop_batch_counter)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        # the addition is in place: autograd keeps `scale` alone, no copy of the feature map
        return (x * scale[:, None, None]).add_(shift[:, None, None])

    def extra_repr(self) -> str:
        return f"{self.weight.numel()}, eps={self.eps}"


def _drop_batch_counter(module, state_dict, prefix, *_) -> None:
    state_dict.pop(prefix + "num_batches_tracked", None)
