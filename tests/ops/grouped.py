"""Modulated convolution as the paper says it: weights for each picture, one group for each."""

import torch.nn.functional as F
from torch import Tensor

from cvcourse.ops import upfirdn2d


def modulated_conv2d(
    x: Tensor, weight: Tensor, style: Tensor, demodulate: bool = True, up: int = 1
) -> Tensor:
    batch, channels, height, width = x.shape
    out, side = len(weight), weight.shape[-1]
    w = weight[None] * style[:, None, :, None, None]  # (B, out, in, k, k)
    if demodulate:
        w = w * (w.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    x = x.reshape(1, batch * channels, height, width)
    if up == 1:
        x = F.conv2d(x, w.flatten(0, 1), padding=side // 2, groups=batch)
        return x.view(batch, out, height, width)
    w = w.transpose(1, 2).flatten(0, 1)  # (B · in, out, k, k)
    x = F.conv_transpose2d(x, w, stride=2, groups=batch)
    around = 2 - side // 2
    x = 4 * upfirdn2d(x.view(batch, out, *x.shape[2:]), padding=(around, around))
    return x
