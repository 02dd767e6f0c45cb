"""Scenes that are seen, heard and told; heads under many lights; what to compare networks with."""

from collections.abc import Callable, Mapping, Sequence
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from cvcourse.classroom.figures import describe
from cvcourse.classroom.figures.pictures import draw_image
from cvcourse.classroom.figures.style import WIDTH
from cvcourse.classroom.history import History
from cvcourse.classroom.training.fit import fit, warmup_cosine
from cvcourse.data import heads
from cvcourse.data.captions import bag_of_words, scene_caption, vocabulary
from cvcourse.data.scenes import Scenes
from cvcourse.data.sounds import BINS, RATE, log_spectrogram, scene_sound

CLASSES = ("background", "square", "triangle", "ring", "cross", "heart")
WORDS = vocabulary(CLASSES)
SENTENCES = 3  # that make a scene's text
MOST = 3  # objects
LOUDEST = 5.0  # of a log-spectrogram, about
WAYS = ("others by picture", "pictures by other")

World = dict[str, Tensor | list[str]]


def world(
    count: int, split: str, *, size: int = 24, seed: int = 0, objects: tuple[int, int] = (1, MOST)
) -> World:
    """Scenes of up to three objects, each a picture, a sound and a text of three sentences.

    images (N, 3, size, size), spectrograms (N, 1, 32, 16) and words (N, words of `WORDS`) are what
    a network may see; texts are the sentences; numbers (N,) of objects and kinds (N, 5), how many
    of each kind, are the truth.
    """
    scenes = Scenes(
        count, size=size, seed=seed, split=split, objects=objects, classes=CLASSES,
        placement="apart", scale=(0.3, 0.45), rotation=20.0, background="plain", shadow=0.0,
        texture=0.0,
    )  # fmt: skip
    images, sounds, texts, kinds = [], [], [], []
    for image, target in (scenes[i] for i in range(count)):
        images.append(image)
        sounds.append(scene_sound(scenes, target))
        texts.append("; ".join(scene_caption(scenes, target, k) for k in range(SENTENCES)))
        kinds.append(torch.bincount(target["labels"], minlength=len(CLASSES))[1:])
    kinds = torch.stack(kinds)
    return {
        "images": torch.stack(images), "spectrograms": log_spectrogram(torch.stack(sounds)),
        "words": bag_of_words(texts, WORDS), "texts": texts, "numbers": kinds.sum(1),
        "kinds": kinds,
    }  # fmt: skip


def faces(
    identities: int, each: int, split: str, *, size: int = 24, first: int = 0, shift: int = 2
) -> Tensor:
    """(identities, each, 3, size, size): simulated heads from number `first` on.

    Each picture has a light of its own, and its head is moved by up to `shift` pixels each way, as
    by a detector that is not exact.
    """
    found = []
    for head in range(first, first + identities):
        shape = heads.draw_head(head, size=size, split=split)
        generator = torch.Generator().manual_seed(head)
        moves = torch.randint(-shift, shift + 1, (each, 2), generator=generator).tolist()
        for k, move in enumerate(moves):
            light = heads.draw_light(100_000 + 1000 * head + k, split=split)
            lit = heads.shine(shape, light).image.clamp(0, 1).sqrt()
            moved = F.pad(lit, (shift,) * 4).roll(move, (1, 2))
            found.append(moved[:, shift : shift + size, shift : shift + size])
    return torch.stack(found).unflatten(0, (identities, each))


def learn(
    net: nn.Module,
    tensors: Sequence[Tensor],
    loss: Callable[[nn.Module, Sequence[Tensor]], Tensor],
    *,
    steps: int,
    seed: int,
    batch: int = 64,
    lr: float = 3e-3,
) -> History:
    """Train on batches of `tensors`, such as images and spectrograms; ends in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(
        TensorDataset(*tensors), min(batch, len(tensors[0])), shuffle=True, drop_last=True,
        generator=generator,
    )  # fmt: skip
    history = fit(
        net, loader, loss, steps=steps, lr=lr, scheduler=warmup_cosine, gradient_clip=1.0,
        progress=False, live=False,
    )  # fmt: skip
    net.cpu().eval()
    return history


def listed(name: str, recalls: Tensor, ks: Sequence[int]) -> dict[str, float]:
    """Recalls (directions, ks) by name, as `repeated` wants its numbers; `unlisted` reads them."""
    return {
        f"{name} | {WAYS[way]}, {k}": float(recalls[way, i])
        for way in range(len(WAYS))
        for i, k in enumerate(ks)
    }


def unlisted(table: Mapping[str, np.ndarray], name: str, ks: Sequence[int]) -> np.ndarray:
    """(trainings, directions, ks) of a table that `repeated` made from what `listed` gave."""
    return np.array([[table[f"{name} | {way}, {k}"] for k in ks] for way in WAYS]).transpose(
        2, 0, 1
    )


def edges(images: Tensor, cell: int = 6) -> Tensor:
    """(N, features) histograms of the directions of edges, in cells of some pixels: scikit-image's.

    Two by two cells are normalised together. cell: its side in pixels, at most half a picture's.
    """
    from skimage.feature import hog

    cells = {"orientations": 8, "pixels_per_cell": (cell, cell), "cells_per_block": (2, 2)}
    rows = [hog(x.permute(1, 2, 0).numpy(), channel_axis=2, **cells) for x in images]
    return torch.tensor(np.stack(rows), dtype=torch.float32)


def colours(images: Tensor) -> Tensor:
    """(N, 64) the share of pixels of each of 4 × 4 × 4 colours."""
    red, green, blue = (images * 4).long().clamp(0, 3).flatten(2).unbind(1)
    return F.one_hot(16 * red + 4 * green + blue, 64).float().mean(1)


def by_hand(images: Tensor, cell: int = 6) -> Tensor:
    """Edges, in cells of so many pixels, and colours side by side."""
    return torch.cat([edges(images, cell), colours(images)], 1)


def area_and_loudness(scenes: World, pairs: tuple[Tensor, Tensor]) -> np.ndarray:
    """(pairs, 5) of a picture and a sound: their sizes, squares and product, for a linear rule.

    Area is the share of pixels that differ from the picture's median colour by more than 0.15 in
    some channel; loudness is the mean of the log-spectrogram. pairs: numbers of both.
    """
    ground = scenes["images"].flatten(2).median(2).values[..., None, None]
    area = ((scenes["images"] - ground).abs().amax(1) > 0.15).float().mean((1, 2))[pairs[0]]
    loudness = scenes["spectrograms"].mean((1, 2, 3))[pairs[1]]
    parts = [area, loudness, area.square(), loudness.square(), area * loudness]
    return torch.stack(parts, 1).numpy()


def _whitened(train: Tensor, parts: int) -> Callable[[Tensor], np.ndarray]:
    from sklearn.decomposition import PCA

    rows = train.flatten(1).numpy()
    exact = rows.shape[1] <= 1000  # more would take a minute
    solver = {"svd_solver": "covariance_eigh" if exact else "randomized", "random_state": 0}
    pca = PCA(min(parts, *rows.shape), whiten=True, **solver).fit(rows)
    return lambda x: pca.transform(x.flatten(1).numpy())


def correlated(
    train: tuple[Tensor, Tensor], *, parts: int = 60, directions: int = 16
) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Canonical correlation analysis (Hotelling 1936) between two kinds of features (N, ...).

    Of each kind the first `parts` principal components are whitened; then the singular vectors of
    their covariance are the directions that correlate most. Returns what maps features of the
    first and of the second kind into one space, each direction weighed by its correlation.
    """
    ways = [_whitened(x, parts) for x in train]
    a, b = (way(x) for way, x in zip(ways, train, strict=True))
    left, strength, right = np.linalg.svd(a.T @ b / (len(a) - 1), full_matrices=False)
    maps = left[:, :directions], right.T[:, :directions]
    weights = strength[:directions]

    def into(way: Callable, turn: np.ndarray) -> Callable[[Tensor], Tensor]:
        return lambda x: torch.from_numpy(way(x) @ turn * weights).float()

    return into(ways[0], maps[0]), into(ways[1], maps[1])


def ridge(train: tuple[Tensor, Tensor], strength: float) -> Callable[[Tensor], Tensor]:
    """Ridge regression from features (N, ...) to numbers (N, ...): what maps other features."""
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=strength).fit(*(x.flatten(1).numpy() for x in train))
    return lambda x: torch.from_numpy(model.predict(x.flatten(1).numpy())).float()


def tuned(
    fit: Callable[[object], tuple[Callable, Callable]],
    options: Sequence,
    pictures: Mapping[str, object],
    others: Mapping[str, object],
    recalls: Callable[[Tensor, Tensor], Tensor],
) -> tuple[object, Tensor]:
    """The option with the highest mean recall on "val", and its recalls on "test".

    fit: from an option to what maps `pictures`, and what maps `others`, into one space. recalls: of
    two such things.
    """
    fitted = {option: fit(option) for option in options}

    def found(option: object, split: str) -> Tensor:
        first, second = fitted[option]
        return recalls(first(pictures[split]), second(others[split]))

    best = max(options, key=lambda option: float(found(option, "val").mean()))
    return best, found(best, "test")


def guess_among_like(labels: Tensor, ks: Sequence[int]) -> np.ndarray:
    """(1, 2, ks), as `unlisted` gives: recalls of who knows the label of query and items, and
    guesses among items of one label. labels: (N,) of N pairs."""
    alike = (labels[:, None] == labels).sum(1)
    return np.array([[[(k / alike).clamp(max=1).mean().item() for k in ks]] * len(WAYS)])


def nearest_person(features: Tensor, shots: int) -> tuple[Tensor, Tensor]:
    """Whose mean is nearest by cosine: (people, asked) numbers, and the right ones (people, 1).

    features: (people, pictures, dims). Means are of the first `shots`, at most 5, pictures of each;
    asked are those from the sixth on.
    """
    vectors = F.normalize(features, dim=2)
    means = F.normalize(vectors[:, :shots].mean(1), dim=1)
    return (vectors[:, 5:] @ means.T).argmax(2), torch.arange(len(vectors))[:, None]


def fisherfaces(train: Tensor, parts: int) -> Callable[[Tensor], Tensor]:
    """Belhumeur et al. 1997: principal components, then directions that tell identities apart.

    train: (identities, each, ...). Returns what maps pictures (N, ...) to features.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    way = _whitened(train.flatten(0, 1), parts)
    who = np.arange(len(train)).repeat(train.shape[1])
    fisher = LinearDiscriminantAnalysis().fit(way(train.flatten(0, 1)), who)
    return lambda x: torch.from_numpy(fisher.transform(way(x))).float()


def show_senses(scenes: World, which: Sequence[int], *, title: str) -> Figure:
    """Pictures, spectrograms below them, and their texts."""
    figure, cells = plt.subplots(2, len(which), figsize=(WIDTH, 4.8))
    for (top, bottom), i in zip(cells.T, which, strict=True):
        draw_image(top, scenes["images"][i])
        told = [fill(f"• {sentence}", 21) for sentence in scenes["texts"][i].split("; ")]
        top.set_title("\n".join(told), fontsize=7)
        drawn = bottom.imshow(
            scenes["spectrograms"][i, 0], origin="lower", vmin=0, vmax=LOUDEST, cmap="cividis",
            extent=(0, 0.25, 0, BINS), aspect="auto",
        )  # fmt: skip
        bottom.set(xticks=(0, 0.25), xticklabels=("0", "¼"), yticks=(), xlabel="seconds")
    hertz = np.array([100, 400, 1600])
    octaves = np.log(hertz / 60) / np.log(RATE / 2 / 60)  # of those that the rows reach over
    cells[1][0].set_yticks(octaves * (BINS + 1) - 0.5, [str(h) for h in hertz])
    cells[1][0].set_ylabel("hertz")
    figure.colorbar(drawn, ax=cells, label="log (1 + 10 energy)", shrink=0.5, anchor=(0.0, 0.0))
    figure.suptitle(title)
    texts = "; ".join(scenes["texts"][i] for i in which)
    return describe(figure, f"{title}. Pictures, spectrograms of their sounds, and texts: {texts}.")
