"""ConvNet-13: the network of semi-supervised learning (Laine and Aila 2016, Tarvainen 2017).

image ─ 3 convs 3×3 ─ pool ─ dropout ─ 3 convs 3×3 ─ pool ─ dropout
      ─ conv 3×3 without padding ─ conv 1×1 ─ conv 1×1 ─ average ─ linear

Weights are normalised, and batch normalisation subtracts means only; leaky ReLU of slope 0.1.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels, check_image_size


class MeanOnlyLayer(nn.Module):
    """g · v / ‖v‖ as weight of a convolution or linear layer, minus the batch's mean, plus b.

    A linear layer is one of `side` 1 on maps of 1 × 1. In evaluation the mean is the one that was
    collected with `momentum`, at first 0, as in the authors' code.

    Reference: Salimans and Kingma, Weight Normalization, 2016, arXiv:1602.07868, section 4.
    """

    def __init__(
        self, in_channels: int, channels: int, side: int, *, padding: int = 0, momentum: float
    ) -> None:
        super().__init__()
        self.v = nn.Parameter(torch.empty(channels, in_channels, side, side))
        self.g = nn.Parameter(torch.ones(channels))
        self.b = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.padding, self.momentum = padding, momentum
        nn.init.normal_(self.v, std=0.05)

    def forward(self, x: Tensor) -> Tensor:
        length = self.v.flatten(1).norm(dim=1)
        weight = self.v * (self.g / length)[:, None, None, None]
        x = F.conv2d(x, weight, padding=self.padding)
        mean = self.mean
        if self.training:
            mean = x.float().mean((0, 2, 3)) if x.dtype != torch.float64 else x.mean((0, 2, 3))
            with torch.no_grad():
                self.mean.lerp_(mean.to(self.mean.dtype), 1 - self.momentum)
        return x + (self.b - mean).to(x.dtype)[:, None, None]

    @torch.no_grad()
    def fit_(self, x: Tensor) -> Tensor:
        """Scale and shift so that x comes out with mean 0 and variance 1 in each channel."""
        self.g.fill_(1)
        self.b.zero_()
        unit = F.conv2d(
            x, self.v / self.v.flatten(1).norm(dim=1)[:, None, None, None], padding=self.padding
        )
        variance, mean = torch.var_mean(unit, (0, 2, 3), correction=0)
        self.g.copy_((variance + 1e-8).rsqrt())
        return (unit - mean[:, None, None]) * self.g[:, None, None]


class ConvNet13(nn.Module):
    """Images (batch, 3, height, width), at least 12 × 12, to logits (batch, num_classes).

    Args:
        num_classes: 10. With the paper's widths, 3,121,812 parameters.
        widths: channels of the first three, the second three, and each of the last three layers.
        dropout: probability, after each pooling.
        noise: deviation of what is added to the input in training, 0.15; images as wide as the
            authors' (mean 0, deviation 1).
        momentum: of the means of batch normalisation.

    `init_from_data_(images)` sets scales and shifts so that each layer's output has mean 0 and
    variance 1 for these images, which is how the authors begin. In training a batch of one tells
    nothing: the classifier's outputs are their own means.

    Reference: Tarvainen and Valpola, Mean Teachers, 2017, arXiv:1703.01780, table 5.
    """

    def __init__(
        self,
        num_classes: int = 10,
        *,
        widths: tuple[int, int, int, int, int] = (128, 256, 512, 256, 128),
        dropout: float = 0.5,
        noise: float = 0.15,
        momentum: float = 0.999,
    ) -> None:
        check_at_least("num_classes", num_classes)
        for width in widths:
            check_at_least("widths", width)
        super().__init__()
        a, b, c, d, e = widths

        def layer(before: int, after: int, side: int = 3, padding: int = 1) -> MeanOnlyLayer:
            return MeanOnlyLayer(before, after, side, padding=padding, momentum=momentum)

        def rest() -> list[nn.Module]:
            return [nn.MaxPool2d(2), nn.Dropout(dropout)]

        convs = [layer(3, a), layer(a, a), layer(a, a), *rest()]
        convs += [layer(a, b), layer(b, b), layer(b, b), *rest()]
        convs += [layer(b, c, 3, 0), layer(c, d, 1, 0), layer(d, e, 1, 0)]
        self.convs = nn.ModuleList(convs)
        self.classifier = layer(e, num_classes, 1, 0)
        self.noise = noise

    def features(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch features"]:
        """The averages before the classifier."""
        check_channels("x", x, 3)
        check_image_size(x, 12)
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        for layer in self.convs:
            x = layer(x)
            if isinstance(layer, MeanOnlyLayer):
                x = F.leaky_relu(x, 0.1)
        return x.mean((2, 3))

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        return self.classifier(self.features(x)[:, :, None, None])[:, :, 0, 0]

    @torch.no_grad()
    def init_from_data_(self, images: Float[Tensor, "batch 3 height width"]) -> "ConvNet13":
        check_channels("images", images, 3)
        check_image_size(images, 12)
        x = images
        for layer in self.convs:
            if isinstance(layer, MeanOnlyLayer):
                x = F.leaky_relu(layer.fit_(x), 0.1)
            elif isinstance(layer, nn.MaxPool2d):
                x = layer(x)
        self.classifier.fit_(x.mean((2, 3), keepdim=True))
        return self
