"""What features are good for: frozen and asked by others, or fine-tuned on few labels.

A trunk here is an `nn.Sequential` whose children are its blocks, from images (N, C, H, W) to maps.
A number alone says nothing of a pretext task: beside it stand the same trunk with random weights,
which is a strong baseline on small pictures, and the same trunk trained on the probe's labels.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from cvcourse.classroom.device import choose_device
from cvcourse.classroom.subjects.detecting import (
    average_precision_interval,
    batches,
    detect,
    loss_of,
)
from cvcourse.classroom.subjects.gains import wilson_interval
from cvcourse.classroom.training.evaluation import evaluating, settled
from cvcourse.classroom.training.fit import fit, warmup_cosine
from cvcourse.metrics import confusion_matrix, mean_iou
from cvcourse.models import FCOS
from cvcourse.models.segmentation.fcn_resnet import fcn_head

STRENGTHS = tuple(10.0**k for k in range(-4, 3))  # C of the logistic regression, the same for all
NEIGHBOURS = (1, 3, 5, 10, 20)
BATCH = 256

Split = tuple[Tensor, Tensor]  # images (N, C, H, W) and labels (N,)
Example = tuple[Tensor, dict[str, Tensor]]  # a picture (3, H, W) and its target
Question = Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]


def contenders(
    make: Callable[[], nn.Sequential],
    ways: Mapping[str, Callable[[nn.Sequential], object]],
    images: Tensor,
    seed: int,
) -> dict[str, nn.Sequential]:
    """Trunks of one size that began with the same weights: "random", and one for each of `ways`.

    make: a new trunk, from PyTorch's generator. ways: train a trunk in place, by name; one of them
    is "supervised". images: the random trunk's batch norms take their statistics from these, since
    without any it would be beaten by its scale alone.
    """
    if "supervised" not in ways or "random" in ways:
        raise ValueError(
            f"ways must have 'supervised', and not 'random', which is made here, got {list(ways)}"
        )
    torch.manual_seed(seed)
    random = make()
    trunks = {name: copy.deepcopy(random) for name in ways}
    settled(random, images)
    for name, way in ways.items():
        torch.manual_seed(seed)
        way(trunks[name])
    return {name: trunk.cpu().eval() for name, trunk in {"random": random, **trunks}.items()}


def block_features(trunk: nn.Sequential, images: Tensor, *, numbers: int = 1024) -> list[Tensor]:
    """Of each block, (N, at most about `numbers`): its maps, averaged over cells as far as needed.

    In evaluation mode and without gradients: frozen.
    """
    parts: list[list[Tensor]] = [[] for _ in trunk]
    device = next(trunk.parameters()).device
    with evaluating(trunk):
        for x in images.split(BATCH):
            x = x.to(device)
            for block, part in zip(trunk, parts, strict=True):
                x = block(x)
                side = max(1, int((numbers / x.shape[1]) ** 0.5))
                cells = [min(side, size) for size in x.shape[2:]]
                part.append(F.adaptive_avg_pool2d(x, cells).flatten(1).cpu())
    return [torch.cat(part) for part in parts]


def few_labels(labels: Tensor, per_class: int, seed: int) -> Tensor:
    """Indices of `per_class` examples of each class, drawn."""
    generator = torch.Generator().manual_seed(seed)
    counts = labels.bincount()
    if per_class < 1 or (counts[counts > 0] < per_class).any():
        raise ValueError(
            f"per_class must be from 1 to {int(counts[counts > 0].min())}, got {per_class}"
        )
    order = torch.randperm(len(labels), generator=generator)
    chosen = [order[labels[order] == k][:per_class] for k in labels.unique()]
    return torch.cat(chosen)


def probe(train: Split, val: Split, test: Split) -> dict[str, float]:
    """Accuracy on `test` of a linear probe and of nearest neighbours, from features (N, F) each.

    Features are standardised by `train`; strength and number of neighbours are those that are best
    on `val`, from `STRENGTHS` and `NEIGHBOURS`, the same for everyone.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train[0].double())
    x, seen, unseen = (scaler.transform(split[0].double()) for split in (train, val, test))
    y = train[1].numpy()
    candidates = {
        "linear": [LogisticRegression(C=c, max_iter=500) for c in STRENGTHS],
        "neighbours": [KNeighborsClassifier(k) for k in NEIGHBOURS if k <= len(y)],
    }
    scores = {}
    for name, models in candidates.items():
        fitted = [model.fit(x, y) for model in models]
        best = fitted[int(np.argmax([model.score(seen, val[1].numpy()) for model in fitted]))]
        scores[name] = float(best.score(unseen, test[1].numpy()))
    return scores


def probe_trunks(
    trunks: Mapping[str, nn.Sequential],
    train: Split,
    val: Split,
    test: Split,
    *,
    per_class: int,
    seed: int,
    numbers: int = 1024,
) -> dict[str, float]:
    """`probe` of every block of every trunk, all with the same few labels of `train`.

    The keys are "random block 1 linear" and so on: what `once(seed)` gives to `repeated`. Paired
    by seed, `gain_of_trainings` compares two of them.
    """
    chosen = few_labels(train[1], per_class, seed)
    few = train[0][chosen], train[1][chosen]
    scores = {}
    for name, trunk in trunks.items():
        of_each = zip(
            *(block_features(trunk, split[0], numbers=numbers) for split in (few, val, test)),
            strict=True,
        )
        for block, features in enumerate(of_each, start=1):
            splits = zip(features, (few[1], val[1], test[1]), strict=True)
            for kind, accuracy in probe(*splits).items():
                scores[f"{name} block {block} {kind}"] = accuracy
    return scores


def segment_from(
    trunk: nn.Sequential,
    train: Split,
    test: Split,
    *,
    num_classes: int,
    steps: int = 200,
    lr: float = 2e-3,
    seed: int = 0,
) -> float:
    """mIoU on `test` of an FCN whose trunk starts from this one, all of it fine-tuned on `train`.

    train, test: images (N, C, H, W) and labels of pixels (N, H, W). The trunk is left as it is.
    """
    torch.manual_seed(seed)
    channels, _ = _channels_and_stride(trunk, train[0])
    model = nn.Sequential(copy.deepcopy(trunk), fcn_head(channels, num_classes, dropout=0.0))

    def logits(net: nn.Module, images: Tensor) -> Tensor:
        return F.interpolate(net(images), images.shape[2:], mode="bilinear")

    def loss(net: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        return F.cross_entropy(logits(net, batch[0]), batch[1])

    _train(model, _loader(train, seed), loss, steps, lr)
    total = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    with evaluating(model):
        for images, labels in DataLoader(TensorDataset(*test), BATCH):
            found = logits(model, images.to(choose_device())).argmax(1).cpu()
            total += confusion_matrix(found, labels, num_classes)
    return float(mean_iou(total))


def detect_from(
    trunk: nn.Sequential,
    train: Sequence[Example],
    test: Sequence[Example],
    *,
    num_classes: int,
    frozen: bool = False,
    steps: int = 200,
    lr: float = 2e-3,
    seed: int = 0,
) -> tuple[float, float]:
    """AP50 on `test`, and on `train`, of an FCOS on the last maps of this trunk.

    train, test: pictures (3, H, W) in [0, 1] as the trunk knows them, and torchvision's targets,
    with labels from 0.
    frozen: only the heads learn, of one hidden layer, from maps that are standardised by `train`,
        as the probe's features are, and cut at 5 deviations; else all is fine-tuned.

    The trunk is left as it is.
    """
    torch.manual_seed(seed)
    level = _Frozen if frozen else _OneLevel
    backbone = level(copy.deepcopy(trunk), torch.stack([image for image, _ in train]))
    model = FCOS(
        num_classes,
        backbone=backbone,
        min_size=None,
        image_mean=(0.0, 0.0, 0.0),
        image_std=(1.0, 1.0, 1.0),
        anchor_sizes=(backbone.stride,),
        head_layers=1,
        head_norm=partial(nn.GroupNorm, 1),
        size_divisible=backbone.stride,
        score_thresh=0.05,
    )
    _train(model, batches(train, min(8, len(train)), seed=seed), loss_of, steps, lr)
    scores = []
    for part in (test, train):
        images, targets = zip(*part, strict=True)
        scores.append(average_precision_interval(detect(model, images), targets, n=1)[0])
    return scores[0], scores[1]


class PretextCheck(NamedTuple):
    """Shares of right answers on held-out pictures, each (share, low, high), and chance."""

    chance: float
    solved: tuple[float, float, float]
    destroyed: tuple[float, float, float]


def check_pretext(
    make: Callable[[], nn.Sequential],
    question: Question,
    images: Tensor,
    held_out: Tensor,
    *,
    answers: int,
    destroy: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    steps: int = 200,
    lr: float = 2e-3,
    seed: int = 0,
) -> PretextCheck:
    """Can this trunk answer the question at all, and can it still when pictures are destroyed?

    question: from images and a generator to inputs and labels (M,) from 0 to answers - 1.
    destroy: takes away what the question is about, before it is asked; `scramble_phases` unless
        given. Who still answers lives on a shortcut. (A turn by a quarter shows in the amplitudes
        of a spectrum, too: there, `shuffle_pixels`.)

    Two trunks, each with a linear layer on its means, are trained: on pictures as they are, and on
    destroyed ones. The intervals are Wilson's, over questions.
    """
    destroy = destroy or scramble_phases
    shares = []
    for spoil in (None, destroy):
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        trunk = make()
        channels, _ = _channels_and_stride(trunk, images)
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, answers))
        model = nn.Sequential(trunk, head)

        def asked(batch: Tensor, spoil=spoil, generator=generator) -> tuple[Tensor, Tensor]:
            whole = batch.cpu()
            return question(whole if spoil is None else spoil(whole, generator), generator)

        def loss(net: nn.Module, batch: Sequence[Tensor], asked=asked) -> Tensor:
            inputs, labels = (part.to(choose_device()) for part in asked(batch[0]))
            return F.cross_entropy(net(inputs), labels)

        _train(model, _loader((images,), seed), loss, steps, lr)
        right = total = 0
        with evaluating(model):
            for part in held_out.split(BATCH):
                inputs, labels = asked(part)
                right += int((model(inputs.to(choose_device())).argmax(1).cpu() == labels).sum())
                total += len(labels)
        shares.append(wilson_interval(right, total))
    return PretextCheck(1 / answers, *shares)


def scramble_phases(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images with the amplitudes of their spectra, and the phases of noise, alike in channels."""
    noise = torch.rand(len(images), 1, *images.shape[2:], generator=generator).to(images)
    turn = torch.polar(torch.ones_like(noise), torch.fft.fft2(noise).angle())
    turn[..., 0, 0] = 1  # the mean stays
    return torch.fft.ifft2(torch.fft.fft2(images) * turn).real


def shuffle_pixels(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images whose pixels change places, each image in its own way, alike in channels."""
    places = images[0, 0].numel()
    order = torch.rand(len(images), 1, places, generator=generator).argsort(2).to(images.device)
    return images.flatten(2).gather(2, order.expand(-1, images.shape[1], -1)).view(images.shape)


class _OneLevel(nn.Module):
    """A trunk's last maps, as the one level of a detector."""

    def __init__(self, trunk: nn.Sequential, images: Tensor) -> None:
        super().__init__()
        self.trunk = trunk
        self.out_channels, self.stride = _channels_and_stride(trunk, images)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"0": self.trunk(images)}


class _Frozen(_OneLevel):
    """The maps of a trunk that does not learn, each channel standardised by `images`.

    Cut at 5 deviations: a channel that is nearly always 0 would be all spikes otherwise.
    """

    def __init__(self, trunk: nn.Sequential, images: Tensor) -> None:
        super().__init__(trunk.requires_grad_(False).eval(), images)
        device = next(trunk.parameters()).device
        with evaluating(trunk):
            maps = torch.cat([trunk(x.to(device)) for x in images.split(BATCH)])
        self.register_buffer("mean", maps.mean((0, 2, 3), keepdim=True))
        self.register_buffer("scale", maps.std((0, 2, 3), keepdim=True).clamp(1e-6))

    def train(self, mode: bool = True) -> "_Frozen":
        super().train(mode)
        self.trunk.eval()  # batch norms, too, stay as they are
        return self

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"0": ((self.trunk(images) - self.mean) / self.scale).clamp(-5, 5)}


def _channels_and_stride(trunk: nn.Sequential, images: Tensor) -> tuple[int, int]:
    with evaluating(trunk):
        maps = trunk(images[:1].to(next(trunk.parameters()).device))
    return maps.shape[1], images.shape[2] // maps.shape[2]


def _loader(tensors: Sequence[Tensor], seed: int) -> DataLoader:
    size = min(32, len(tensors[0]))
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(
        TensorDataset(*tensors), size, shuffle=True, drop_last=True, generator=generator
    )


def _train(model: nn.Module, loader: DataLoader, loss: Callable, steps: int, lr: float) -> None:
    fit(
        model, loader, loss, steps=steps, lr=lr, scheduler=warmup_cosine, gradient_clip=1.0,
        progress=False, live=False,
    )  # fmt: skip
