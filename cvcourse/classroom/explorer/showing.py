"""What networks see of a picture, and how their answers are drawn and told."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from torch import Tensor, nn

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.overlays import draw_boxes
from cvcourse.classroom.figures.pictures import draw_image
from cvcourse.classroom.subjects import tasks
from cvcourse.classroom.subjects.detecting import SHAPES
from cvcourse.losses.feature_extractor import IMAGENET_MEAN, IMAGENET_STD
from cvcourse.metrics import psnr
from cvcourse.ops import resize_bicubic

MEAN, STD = (torch.tensor(x)[:, None, None] for x in (IMAGENET_MEAN, IMAGENET_STD))


class Answer(NamedTuple):
    """How to draw what a model says of a picture, and how sure it says it is."""

    draw: Callable[[Axes], None]
    confidence: str


def middle(image: Tensor, side: int) -> Tensor:
    """The largest square in the middle of a picture (3, H, W), as (3, side, side) in [0, 1]."""
    short = min(image.shape[1:])
    top, left = ((length - short) // 2 for length in image.shape[1:])
    square = image[None, :, top : top + short, left : left + short]
    return F.interpolate(square, (side, side), mode="bicubic", antialias=True)[0].clamp(0, 1)


def grey(image: Tensor, side: int) -> Tensor:
    return middle(image, side).mean(0, keepdim=True)


def fitted(image: Tensor, longest: int) -> Tensor:
    """The whole picture, its longer side `longest` pixels, if it was longer."""
    scale = longest / max(image.shape[1:])
    if scale >= 1:
        return image
    size = [max(1, round(scale * length)) for length in image.shape[1:]]
    return F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]


def _asked(network: nn.Module, seen: Tensor, normalise: bool):
    return network(((seen - MEAN) / STD if normalise else seen)[None])


@torch.no_grad()
def recognised(
    network: nn.Module, seen: Tensor, *, names: tuple[str, ...], normalise: bool = False
) -> Answer:
    shares, order = _asked(network, seen, normalise).softmax(1)[0].sort(descending=True)
    best = [(names[i], p) for i, p in zip(order[:5].tolist(), shares.tolist(), strict=False)]

    def draw(axes: Axes) -> None:
        labels, values = zip(*reversed(best), strict=True)
        axes.barh(labels, values, color=style.BLUE)
        axes.set(xlim=(0, 1), xlabel="probability")

    told = ", ".join(f"{name} {p:.2f}" for name, p in best[:3])
    return Answer(draw, f"{told} (of {len(names):,} names; it must choose one)")


@torch.no_grad()
def found(
    network: nn.Module, seen: Tensor, *, names: tuple[str, ...], least: float = 0.5
) -> Answer:
    (answer,) = network([seen])
    keep = answer["scores"] >= least
    most = answer["scores"].max().item() if len(answer["scores"]) else 0.0

    def draw(axes: Axes) -> None:
        image = seen
        if "masks" in answer:
            for i in keep.nonzero()[:, 0].tolist():
                mask = answer["masks"][i].reshape(seen.shape[1:]).float() > 0.5
                colour = torch.tensor(to_rgb(style.colour_of(int(answer["labels"][i]))))
                image = torch.where(mask, 0.5 * image + 0.5 * colour[:, None, None], image)
        draw_image(axes, image)
        draw_boxes(
            axes,
            answer["boxes"][keep],
            answer["labels"][keep],
            answer["scores"][keep],
            class_names=names,
            prediction=True,
        )

    told = f"{int(keep.sum())} with a score of {least} or more; the highest is {most:.2f}"
    return Answer(draw, told)


@torch.no_grad()
def labelled(
    network: nn.Module, seen: Tensor, *, names: tuple[str, ...], normalise: bool = False
) -> Answer:
    output = _asked(network, seen, normalise)
    output = output["out"] if isinstance(output, dict) else output
    return painted(output.softmax(1)[0], seen, names)


def painted(shares: Tensor, seen: Tensor, names: tuple[str, ...]) -> Answer:
    sure, label = shares.max(0)
    colours = torch.tensor([to_rgb(style.colour_of(i - 1)) for i in range(len(names))])

    def draw(axes: Axes) -> None:
        paint = colours[label].movedim(-1, 0)
        draw_image(axes, torch.where(label > 0, 0.4 * seen + 0.6 * paint, 0.7 * seen))
        for i in label.unique().tolist():
            if i:
                axes.plot([], [], "s", color=style.colour_of(i - 1), label=names[i])
        if label.any():
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, fontsize=8)

    shown = [(names[i], (label == i).float().mean().item()) for i in label.unique().tolist()]
    told = ", ".join(f"{name} {part:.0%}" for name, part in shown)
    return Answer(draw, f"{told}; mean probability of its choice {sure.mean():.2f}")


@torch.no_grad()
def per_pixel(network: nn.Module, seen: Tensor, *, task: str) -> Answer:
    output = network(seen[None])
    if task == "segments":
        return painted(output.softmax(1)[0], seen, SHAPES)
    value = tasks.answer(task, tasks.probable(task, output))[0]
    if task in ("edges", "occlusion"):
        value = value[0].clamp(0, 1)
    least, most = value.min(), value.max()
    told = {
        "depth": f"none: a distance a pixel, {least:.1f} to {most:.1f} here; near is bright",
        "normals": "none: it gives a direction a pixel",
    }
    told = told.get(task, f"its highest value is {value.max():.2f}")
    return Answer(lambda axes: tasks.draw_answer(axes, task, value), told)


@torch.no_grad()
def enlarged(network: nn.Module, seen: Tensor) -> Answer:
    given = resize_bicubic(resize_bicubic(seen[None], seen.shape[1] // 3), seen.shape[1])
    made = network(given).clamp(0, 1)
    ours, theirs = (psnr(x, seen[None]).item() for x in (made, given))
    told = f"none; {ours:.1f} dB, bicubic {theirs:.1f} dB, against the picture as it was"
    return Answer(lambda axes: draw_image(axes, made[0]), told)
