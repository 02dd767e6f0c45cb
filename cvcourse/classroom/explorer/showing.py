"""What networks see of a picture, and how their answers are drawn and told."""

from collections.abc import Callable
from textwrap import fill
from typing import NamedTuple

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from torch import Tensor, nn

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.fields import draw_flow
from cvcourse.classroom.figures.overlays import draw_boxes
from cvcourse.classroom.figures.pictures import draw_image
from cvcourse.classroom.subjects import motion, posing, tasks
from cvcourse.classroom.subjects.captioning import decode
from cvcourse.classroom.subjects.detecting import SHAPES
from cvcourse.classroom.subjects.restoring import middle
from cvcourse.losses.feature_extractor import IMAGENET_MEAN, IMAGENET_STD
from cvcourse.methods import flow_is_consistent
from cvcourse.metrics import endpoint_error, psnr
from cvcourse.models import Captioner, read_joints
from cvcourse.ops import resize_bicubic

LONGEST = 8.0  # pixels: the length of flow with full colour
MEAN, STD = (torch.tensor(x)[:, None, None] for x in (IMAGENET_MEAN, IMAGENET_STD))


class Pair(NamedTuple):
    """Two frames, which the question about motion asks about."""

    first: Tensor  # (3, H, W) in [0, 1]
    second: Tensor  # (3, H, W)
    flow: Tensor  # (2, H, W): what is at p in the first is at p + flow in the second; nan: unknown


class Answer(NamedTuple):
    """How to draw what a model says of a picture, and how sure it says it is."""

    draw: Callable[[Axes], None]
    confidence: str


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


@torch.no_grad()
def sentence(network: Captioner, seen: Tensor, *, words: tuple[str, ...]) -> Answer:
    """The most probable caption that three beginnings find, beside the one of a single (greedy)."""
    image, found = seen[None], {}
    for beam in (3, 1):
        (row,) = network.generate(image, beam=beam, longest=17)
        whole = [network.start, *row, *([network.end] if len(row) < 17 else [])]
        each = network(image, torch.tensor([whole]))[0].softmax(1)
        shares = each.gather(1, torch.tensor(whole[1:])[:, None])[:, 0]
        found[beam] = decode([row], words)[0], shares
    (said, shares), (plain, plainly) = found[3], found[1]
    told = [*said.split(), "the end"]
    least = int(shares.argmin())
    other = "the same" if plain == said else f"“{plain}”, {plainly.prod():.2f}"

    def draw(axes: Axes) -> None:
        draw_image(axes, seen)
        axes.set_xlabel(fill(said, 34))

    sure = f"probability {shares.prod():.2f}, least for “{told[least]}”, {shares[least]:.2f}"
    return Answer(draw, f"“{said}”, {sure}; word by word (greedy): {other}")


@torch.no_grad()
def posed(network: nn.Module, seen: Tensor) -> Answer:
    joints, names = posing.locate(network, seen[None])[0], posing.STICK.joints

    def draw(axes: Axes) -> None:
        draw_image(axes, 0.35 + 0.65 * seen)  # paler
        posing.draw_pose(axes, joints, posing.STICK, true=False)
        handles, labels = axes.get_legend_handles_labels()
        named = dict(zip(labels, handles, strict=True))
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.01)}
        axes.legend(named.values(), named, ncols=3, fontsize=8, **place)

    if isinstance(network, posing.Coordinates):
        return Answer(draw, "none: two numbers for each joint")
    peaks = read_joints(network(seen[None]))[1][0]
    least = int(peaks.argmin())
    told = f"its maps' peaks (1 where it is taught): mean {peaks.mean():.2f}, least "
    return Answer(draw, f"{told}{peaks[least]:.2f}, {names[least]}")


def moved(network: nn.Module, seen: Pair) -> Answer:
    """The flow of one of lesson 21's networks, and where its own answer backwards agrees."""
    first, second = seen.first[None], seen.second[None]
    flow, back = (motion.flow_between(network, *ab) for ab in ((first, second), (second, first)))
    agree = flow_is_consistent(flow, back).float().mean()
    return field(flow[0], seen, f"there and back agree in {agree:.0%} of the pixels; ")


def moved_by_tv_l1(network: nn.Module, seen: Pair) -> Answer:
    """Without a network: TV-L1 at lesson 21's setting, on brightness alone."""
    from skimage.registration import optical_flow_tvl1

    y, x = optical_flow_tvl1(*(part.mean(0).numpy() for part in seen[:2]), attachment=40)
    return field(torch.stack([torch.from_numpy(x), torch.from_numpy(y)]).float(), seen, "none; ")


def field(flow: Tensor, seen: Pair, told: str) -> Answer:
    """A flow (2, H, W) beside the true one."""
    known = seen.flow.isfinite().all(0)[None]
    errors = [endpoint_error(f[None], seen.flow[None], known) for f in (flow, 0 * flow)]
    told += "off by {:.1f} px in the mean; “nothing moves” by {:.1f}".format(*map(float, errors))
    return Answer(lambda axes: draw_flow(axes, flow, LONGEST), told)
