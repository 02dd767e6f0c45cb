"""STEFANN: another letter in the same font and colours (Roy et al. 2019, arXiv:1903.01192).

    glyph  ─ 3×3, 16 ─ 3×3, 16 ─ 3×3, 1 ─ 512 ┐
    letter ─ 512 ─────────────────────────────┴ 1024 ─ 1024 ─ 8×8, 16 ─ ×2, 3×3 three times ─ glyph

    coloured source ─ 3×3, 64 ┐
    binary target   ─ 3×3, 64 ┴ 64, 64 ─ /2, 128, 128 ─ /2, 256 thrice ─ ×2, 128 ─ ×2, 64 ─ 3

Both learn by the mean absolute difference. The authors' weights are for Keras: export each array to
NumPy and copy it; their dense layers are transposed, and their maps have channels last.
"""

import itertools

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_channels
from cvcourse.ops._checks import check_tensor, is_plain


class FANnet(nn.Module):
    """A glyph (batch, 1, side, side) and letters (batch,) to glyphs of those letters, from 0 up.

    Args:
        letters: how many there are, A to Z; the source's is not asked for.
        side: of glyphs, a multiple of 8.
        width: channels of the convolutions.
        hidden: features of glyph and letter, twice as many of both.
        dropout: in between, in training.

    4,218,098 parameters. Ink is light and paper 0; the authors leave grey values at 0 to 255.

    Raises ValueError for glyphs or letters of another shape; on the CPU, for a letter that is not.
    """

    def __init__(
        self,
        *,
        letters: int = 26,
        side: int = 64,
        width: int = 16,
        hidden: int = 512,
        dropout: float = 0.5,
    ) -> None:
        for name, value in (("letters", letters), ("width", width), ("hidden", hidden)):
            check_at_least(name, value)
        if side < 8 or side % 8:
            raise ValueError(f"side: expected a multiple of 8, got {side}")
        super().__init__()
        self.letters, self.side, self.width = letters, side, width
        conv = {"kernel_size": 3, "padding": 1}
        self.glyph = nn.Sequential(
            nn.Conv2d(1, width, **conv),
            nn.ReLU(),
            nn.Conv2d(width, width, **conv),
            nn.ReLU(),
            nn.Conv2d(width, 1, **conv),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(side**2, hidden),
            nn.ReLU(),
        )
        self.letter = nn.Sequential(nn.Linear(letters, hidden), nn.ReLU())
        self.joint = nn.Sequential(
            nn.Linear(2 * hidden, 2 * hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * hidden, (side // 8) ** 2 * width),
            nn.ReLU(),
        )
        widths = (width, width, width, 1)
        self.ups = nn.ModuleList([nn.Conv2d(a, b, **conv) for a, b in itertools.pairwise(widths)])
        _init_as_keras(self)

    def forward(
        self, glyph: Float[Tensor, "batch 1 side side"], letter: Integer[Tensor, " batch"]
    ) -> Float[Tensor, "batch 1 side side"]:
        check_tensor("glyph", glyph)
        if glyph.ndim != 4 or glyph.shape[1:] != (1, self.side, self.side):
            expected = f"(batch, 1, {self.side}, {self.side})"
            raise ValueError(f"glyph: expected {expected}, got {tuple(glyph.shape)}")
        check_tensor("letter", letter)
        if letter.shape != glyph.shape[:1] or letter.is_floating_point():
            got = f"{letter.dtype} {tuple(letter.shape)}"
            raise ValueError(f"letter: expected {len(glyph)} integers, got {got}")
        last = self.letters - 1
        if is_plain(letter) and letter.numel() and not 0 <= letter.min() <= letter.max() <= last:
            raise ValueError(f"letter: expected 0 to {last}, got {letter.tolist()}")
        place = torch.arange(self.letters, device=letter.device)
        one_hot = (letter[:, None] == place).to(glyph.dtype)
        x = self.joint(torch.cat([self.glyph(glyph), self.letter(one_hot)], 1))
        x = x.unflatten(1, (self.side // 8, self.side // 8, self.width)).permute(0, 3, 1, 2)
        for conv in self.ups:
            x = conv(F.interpolate(x, scale_factor=2)).relu()
        return x


class Colornet(nn.Module):
    """A coloured glyph (batch, 3, height, width) and another's mask (batch, 1, height, width) to
    that one in the first one's colours, (batch, 3, height, width).

    Args:
        width: channels of the first layers, doubled by each halving.

    2,180,739 parameters. Outside the glyph colours are 0. Paste the answer through the mask. Sizes
    that are not multiples of 4 are enlarged by zeros, and the answer is cut.

    Raises ValueError for pictures of another shape.
    """

    def __init__(self, *, width: int = 64) -> None:
        check_at_least("width", width)
        super().__init__()
        w = width
        self.colors = nn.Sequential(*_layer(3, w), nn.BatchNorm2d(w, eps=1e-3, momentum=0.01))
        self.mask = nn.Sequential(*_layer(1, w), nn.BatchNorm2d(w, eps=1e-3, momentum=0.01))
        self.layers = nn.Sequential(
            *_layer(2 * w, w),
            *_layer(w, w),
            nn.MaxPool2d(2),
            *_layer(w, 2 * w),
            *_layer(2 * w, 2 * w),
            nn.MaxPool2d(2),
            *_layer(2 * w, 4 * w),
            *_layer(4 * w, 4 * w),
            *_layer(4 * w, 4 * w),
            nn.Upsample(scale_factor=2),
            *_layer(4 * w, 2 * w),
            nn.Upsample(scale_factor=2),
            *_layer(2 * w, w),
            *_layer(w, 3),
        )
        _init_as_keras(self)

    def forward(
        self,
        colors: Float[Tensor, "batch 3 height width"],
        mask: Float[Tensor, "batch 1 height width"],
    ) -> Float[Tensor, "batch 3 height width"]:
        check_channels("colors", colors, 3)
        check_tensor("mask", mask)
        height, width = colors.shape[2:]
        if mask.shape != (len(colors), 1, height, width):
            expected = (len(colors), 1, height, width)
            raise ValueError(f"mask: expected {expected}, got {tuple(mask.shape)}")
        more = (0, -width % 4, 0, -height % 4)
        colors, mask = F.pad(colors, more), F.pad(mask, more)
        x = torch.cat([self.colors(colors), self.mask(mask)], 1)
        return self.layers(x)[..., :height, :width]


def _init_as_keras(model: nn.Module) -> None:
    """Glorot's weights and no biases: with PyTorch's a last ReLU can begin, and stay, at 0."""
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)


def _layer(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(0.2)]
