"""Limited-context inpainting: pictures right nearby and wrong as a whole (Jenni et al. 2020).

patch ─ middle erased ─ PatchInpainter ─ pasted back ─┐
untouched, turned, warped pictures ───────────────────┴─ TransformationClassifier ─ which of six
both patches ─ PatchPairDiscriminator ─ real or filled in
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from cvcourse.models._blocks import check_at_least, check_channels
from cvcourse.ops._checks import check_tensor

MEAN_COLOR = (123.68, 116.78, 103.94)  # of 0 to 255, taken from what the classifier sees
EPS, MOMENTUM = 1e-3, 0.025  # of the authors' batch norms


class PatchInpainter(nn.Module):
    """Patches (batch, 3, side, side) in [-1, 1] to patches, whole or with their middle filled in.

    Args:
        width: channels of the first convolution, doubled with each halving of the side.
        halvings: three for the authors' STL-10, of which `side` is a multiple of 8.

    With 48 and 3, 3,101,235 parameters. Both uses share its weights: as an autoencoder of whole
    patches it leaves the traces of a decoder in untouched pictures too.

    Reference: Jenni et al., Steering Self-Supervised Feature Learning Beyond Local Pixel
    Statistics, 2020, arXiv:2004.02331; networks of sjenni/LCI.
    """

    def __init__(self, width: int = 48, *, halvings: int = 3) -> None:
        check_at_least("width", width)
        check_at_least("halvings", halvings)
        super().__init__()
        widths = [width << i for i in range(halvings + 1)]
        layers = [nn.Conv2d(3, width, 3, padding=1), nn.LeakyReLU(0.1)]
        for i in range(halvings):
            layers += _normed(nn.Conv2d(widths[i], widths[i + 1], 4, 2, 1, bias=False))
        self.encoder = nn.Sequential(*layers)
        layers, channels = [], widths[-1]
        for wide in widths[-2::-1]:
            layers += _normed(nn.ConvTranspose2d(channels, wide, 4, 2, 1, bias=False))
            channels = wide
        last = nn.Conv2d(channels, 3, 3, padding=1)
        self.decoder = nn.Sequential(*layers, last, nn.Tanh())
        self.unit = 2**halvings

    def forward(
        self, patches: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        check_channels("patches", patches, 3)
        if any(side % self.unit for side in patches.shape[2:]):
            raise ValueError(
                f"patches must have sides that {self.unit} divides, got {tuple(patches.shape[2:])}"
            )
        return self.decoder(self.encoder(patches))


class PatchPairDiscriminator(nn.Module):
    """Pairs of patches (batch, 6, height, width) to logits (batch,) of their being real.

    Args:
        width: channels of the first convolutions, doubled with each halving.
        halvings: of the side, two in the authors' code.

    Every layer's weight is divided by its largest singular value, estimated in training.
    """

    def __init__(self, width: int = 64, *, halvings: int = 2) -> None:
        check_at_least("width", width)
        check_at_least("halvings", halvings)
        super().__init__()
        layers, channels = [], 6
        for i in range(halvings):
            wide = width << i
            layers += [spectral_norm(nn.Conv2d(channels, wide, 3, padding=1)), nn.LeakyReLU(0.1)]
            layers += [spectral_norm(nn.Conv2d(wide, wide, 4, 2, 1)), nn.LeakyReLU(0.1)]
            channels = wide
        wide = width << halvings
        layers += [spectral_norm(nn.Conv2d(channels, wide, 3, padding=1)), nn.LeakyReLU(0.1)]
        self.layers = nn.Sequential(*layers)
        self.score = spectral_norm(nn.Linear(wide, 1))

    def forward(self, pairs: Float[Tensor, "batch 6 height width"]) -> Float[Tensor, " batch"]:
        check_channels("pairs", pairs, 6)
        return self.score(self.layers(pairs).sum((2, 3)))[:, 0]


class TransformationClassifier(nn.Module):
    """Images (batch, 3, side, side) in [-1, 1] to logits (batch, num_classes) of what was done.

    AlexNet with a batch norm after every convolution but the last, without its third pooling.

    Args:
        num_classes: 6: untouched, filled in, turned by one, two, three quarters, warped.
        side: a multiple of 16; 64 in the authors' code for STL-10.
        widths: of the five convolutions, the second, fourth and fifth in two groups.
        hidden: features of the last but one and two layers.
    """

    def __init__(
        self,
        num_classes: int = 6,
        *,
        side: int = 64,
        widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        hidden: int = 4096,
    ) -> None:
        check_at_least("num_classes", num_classes, 2)
        if side < 16 or side % 16:
            raise ValueError(f"side must be a multiple of 16, got {side}")
        super().__init__()
        a, b, c, d, e = widths
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.features = nn.ModuleList(
            [
                nn.Sequential(nn.ZeroPad2d((3, 4, 3, 4)), *_rectified(3, a, 11, stride=4)),
                nn.Sequential(pool, *_rectified(a, b, 5, padding=2, groups=2)),
                nn.Sequential(pool, *_rectified(b, c, 3, padding=1)),
                nn.Sequential(*_rectified(c, d, 3, padding=1, groups=2)),
                nn.Sequential(*_rectified(d, e, 3, padding=1, groups=2)),
            ]
        )
        self.classifier = nn.Sequential(
            *_rectified(e, hidden, side // 16), *_rectified(hidden, hidden, 1),
            nn.Flatten(), nn.Linear(hidden, num_classes),
        )  # fmt: skip
        self.side = side

    def maps(
        self, images: Float[Tensor, "batch 3 side side"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        """Those of the five convolutions, to be probed."""
        check_tensor("images", images)
        if images.shape[1:] != (3, self.side, self.side):
            raise ValueError(
                f"images must have shape (B, 3, {self.side}, {self.side}), "
                f"got {tuple(images.shape)}"
            )
        x = 127.5 * images - (images.new_tensor(MEAN_COLOR)[:, None, None] - 127.5)
        maps = []
        for layer in self.features:
            x = layer(x)
            maps.append(x)
        return maps

    def forward(
        self, images: Float[Tensor, "batch 3 side side"]
    ) -> Float[Tensor, "batch num_classes"]:
        return self.classifier(self.maps(images)[-1])


def _normed(conv: nn.Module) -> list[nn.Module]:
    return [conv, nn.BatchNorm2d(conv.out_channels, EPS, MOMENTUM), nn.LeakyReLU(0.1)]


def _rectified(in_channels: int, channels: int, side: int, **options) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, channels, side, bias=False, **options)
    return [conv, nn.BatchNorm2d(channels, EPS, MOMENTUM), nn.ReLU()]
