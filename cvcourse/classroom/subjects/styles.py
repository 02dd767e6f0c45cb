"""What the lessons on style share: a small VGG of their own, and two measures nobody optimises."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from cvcourse.classroom.device import is_first_process, rehearsal
from cvcourse.classroom.figures import style
from cvcourse.classroom.history import History
from cvcourse.classroom.printing import say
from cvcourse.classroom.run import Run
from cvcourse.classroom.training import fit, warmup_cosine
from cvcourse.data import pictures
from cvcourse.losses import gram_matrix, style_loss
from cvcourse.models.backbones.vgg import vgg19, vgg_features
from cvcourse.models.pretrained import TORCHVISION_WEIGHTS, load_pretrained
from cvcourse.ops import blur, gaussian_kernel, roi_align

STAGES = ((16, 16), (32, 32), (64, 64), (96, 96))  # channels; each stage halves the size
MEAN, STD = (0.45,) * 3, (0.25,) * 3  # of what the network sees
# Not shown to the network, so that a lesson may try it on pictures that it has never seen.
KEPT_APART = (
    "astronaut", "chelsea", "coffee", "rocket", "hubble",
    "brick", "flower", "gravel", "immunohistochemistry",
)  # fmt: skip
SEEN = tuple(name for name in pictures.names() if name not in KEPT_APART)
_SIDE, _CROP, _TRAINED = 256, 48, 176  # pixels; the right part of each picture is held out
_DIRECTIONS = 128


def sizes(run: Run) -> tuple[int, int]:
    """Pixels of a picture's side, and evaluations of the loss for one; few in a rehearsal."""
    return (48, 20) if rehearsal() == "lines" else run.pick(small=(96, 60), full=(384, 500))


def grey(name: str, size: int) -> Tensor:
    """The brightness of a picture, (1, size, size) in [0, 1]: the mean of its channels."""
    return pictures.load(name, size).mean(0, keepdim=True)


def random_features(seed: int, stages=STAGES, pool=nn.AvgPool2d) -> nn.Sequential:
    """The convolutions of a VGG with He et al.'s random weights and no biases."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        features = vgg_features(stages, pool=pool)
        for layer in features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
    return features


def published_features() -> nn.Sequential | None:
    """VGG-19's convolutions with ImageNet's weights and average pooling, or None, and says why."""
    try:
        net = load_pretrained(vgg19(pool=nn.AvgPool2d), TORCHVISION_WEIGHTS["vgg19"])
    except ConnectionError as error:
        if is_first_process():
            say(f"VGG-19 is not at hand ({error})")
        return None
    return net.features


def new_classifier(seed: int) -> nn.Sequential:
    """Pictures (B, 3, H, W) in [0, 1] to logits (B, 15): which picture is this a piece of?

    Its part `features` begins as `random_features(seed)`.
    """
    features = random_features(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Linear(STAGES[-1][-1], len(SEEN))
    parts = {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "head": head}
    return nn.Sequential(OrderedDict(centre=Centre(), features=features, **parts))


def learn_features(run: Run, classifier: nn.Module, seed: int) -> History:
    """Train `new_classifier` on pieces in colour: the loss networks of lessons 17 and 18."""
    crops = Crops(run.pick(small=400, full=6000), seed=seed, colour=True)
    recipe = {"lr": 3e-3, "scheduler": warmup_cosine, "live": False, "progress": False}
    return fit(classifier, crops, _recognise, steps=len(crops), **recipe)


def _recognise(classifier: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(classifier(batch[0]), batch[1])


class Centre(nn.Module):
    """(x - mean) / std."""

    def forward(self, images: Tensor) -> Tensor:
        return (images - MEAN[0]) / STD[0]


class Crops:
    """`steps` batches of pieces (size, 3, 48, 48) of the pictures in `SEEN`, and of which.

    A piece is 40 to 128 pixels wide in a picture of 256, perhaps mirrored, with another contrast
    (× 0.6 to 1.4) and brightness (± 0.2). held_out: from the right part of each picture, 40 to 80
    pixels wide. colour: pieces in their colours, not in grey.
    """

    def __init__(
        self,
        steps: int,
        size: int = 32,
        *,
        seed: int,
        held_out: bool = False,
        colour: bool = False,
    ) -> None:
        self.steps, self.size, self.seed, self.held_out = steps, size, seed, held_out
        load = pictures.load if colour else grey
        self.photographs = torch.stack([load(name, _SIDE) for name in SEEN])

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.steps):
            yield self._draw(generator)

    def _draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        labels = torch.randint(len(SEEN), (self.size,), generator=generator)
        share = torch.rand(4, self.size, generator=generator)
        left, right = (_TRAINED, _SIDE) if self.held_out else (0, _TRAINED)
        side = 40 + share[0] * (40 if self.held_out else 88)
        x, y = left + share[1] * (right - left - side), share[2] * (_SIDE - side)
        rois = torch.stack([labels.float(), x, y, x + side, y + side], 1)
        pieces = roi_align(self.photographs, rois, _CROP, aligned=True, sampling_ratio=2)
        mirrored = share[3] < 0.5
        pieces[mirrored] = pieces[mirrored].flip(-1)
        gain, shift = torch.rand(2, self.size, 1, 1, 1, generator=generator)
        pieces = (pieces * (0.6 + 0.8 * gain) + 0.4 * shift - 0.2).clamp(0, 1)
        return pieces.expand(-1, 3, -1, -1), labels


class StyleJudge:
    """100 · (w · C/C⁰ + mean of E_l/E_l⁰): lesson 16's loss of style, in units fixed once.

    extract: of brightness (B, 1, H, W) the maps of the layers of style, and last that of content.
    style: (1, 1, H, W). pieces: (N, 1, h, w), untouched; E_l⁰ is their mean squared distance from
    the style's Gram matrix, C⁰ that of their content from the style's mean. weight: w.
    """

    def __init__(
        self,
        extract: Callable[[Tensor], Sequence[Tensor]],
        style: Tensor,
        pieces: Tensor,
        weight: float = 0.3,
    ) -> None:
        self.extract = extract
        with torch.no_grad():
            *of_style, last = extract(style)
            self.grams = [gram_matrix(maps, "hw") for maps in of_style]
            *found, content = extract(pieces)
            pairs = zip(found, self.grams, strict=True)
            units = [(gram_matrix(maps, "hw") - gram).square().mean() for maps, gram in pairs]
            apart = (content - last.mean((2, 3), keepdim=True)).square().mean()
        self.of_style = [100 / len(units) / unit.item() for unit in units]
        self.of_content = 100 * weight / apart.item()

    @torch.no_grad()
    def kept(self, images: Tensor) -> Tensor:
        """What the content's layer says."""
        return self.extract(images)[-1]

    def __call__(self, made: Tensor, kept: Tensor) -> Tensor:
        """The loss of `made`, which should keep the content `kept`."""
        *found, last = self.extract(made)
        content = self.of_content * (last - kept).square().mean()
        return content + style_loss(found, self.grams, self.of_style, normalize="hw")


def texture_distance(ours: Tensor, theirs: Tensor, piece: int = 7) -> float:
    """How far the pieces of one picture are, as a crowd, from those of another: 0 for the same.

    A sliced Wasserstein distance (as in Karras et al. 2017, 1710.10196): all pieces of both
    pictures, at full, half and quarter size, each less its own mean, are seen along 128 random
    directions and sorted; it is the mean difference of equal ranks, in grey levels of [0, 1]. Where
    a piece is does not matter, nor how bright it is.

    ours, theirs: (C, H, W) in [0, 1] (clipped), of one size. piece: its side in pixels.
    """
    _check_same("theirs", ours, theirs)
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(_DIRECTIONS, len(ours) * piece**2, generator=generator)
    directions = F.normalize(directions, dim=1).to(ours.device)
    apart = []
    for scale in (1, 2, 4):
        seen = []
        for picture in (ours, theirs):
            small = F.avg_pool2d(picture.clamp(0, 1)[None], scale)
            pieces = F.unfold(small, piece)[0].unflatten(0, (len(ours), -1))  # (C, piece², N)
            pieces = (pieces - pieces.mean(1, keepdim=True)).flatten(0, 1)
            seen.append((directions @ pieces).sort(1).values)
        apart.append((seen[0] - seen[1]).abs().mean())
    return torch.stack(apart).mean().item()


def edges_kept(ours: Tensor, content: Tensor, blur: float = 1.5) -> float:
    """Correlation of two pictures' edge strengths: 1 where the same things are at the same places.

    ours, content: (C, H, W) in [0, 1] (clipped), of one size. Their brightness is blurred by a
    Gaussian of `blur` pixels first, so that fine texture counts little; colours do not count.
    """
    _check_same("content", ours, content)
    strengths = torch.stack([_edges(picture, blur) for picture in (ours, content)])
    return torch.corrcoef(strengths)[0, 1].item()


def show_trades(
    panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
) -> Figure:
    """Two numbers that are traded for each other, in panels side by side.

    panels: by its name, ways by name: x and y, (settings, trainings) each. A way is a line through
        its settings' means, and a dot for each training of each setting.
    """
    size = (style.WIDTH, style.WIDTH / len(panels) + 1.0)
    figure, cells = plt.subplots(1, len(panels), figsize=size, sharex=True, squeeze=False)
    for axes, (name, ways) in zip(cells[0], panels.items(), strict=True):
        for i, (way, (x, y)) in enumerate(ways.items()):
            look = {"color": style.colour_of(i), "marker": "osD^vPX"[i]}
            axes.plot(x.mean(1), y.mean(1), label=way, **look)
            axes.plot(x.ravel(), y.ravel(), ".", color=look["color"], alpha=0.5)
        axes.set(title=name, xlabel=xlabel, ylim=(0, None))
    cells[0][0].set_ylabel(ylabel)
    figure.legend(*cells[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(title)
    return style.describe(
        figure, f"{title}. Panels: {', '.join(panels)}; in each {', '.join(ways)}."
    )


def _edges(picture: Tensor, sigma: float) -> Tensor:
    kernel = gaussian_kernel(sigma, size=2 * round(3 * sigma) + 1, device=picture.device)
    smooth = blur(picture.clamp(0, 1).mean(0)[None, None], kernel)[0, 0]
    return torch.hypot(smooth[1:].diff(dim=1), smooth.diff(dim=0)[:, 1:]).flatten()


def _check_same(name: str, ours: Tensor, theirs: Tensor) -> None:
    if ours.ndim != 3 or ours.shape != theirs.shape:
        raise ValueError(
            f"{name} must be one picture (C, H, W) of the other's shape {tuple(ours.shape)}, "
            f"got {tuple(theirs.shape)}"
        )
