"""A location on a picture and the box that it sees: what FCOS learns there."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.overlays import draw_boxes
from cvcourse.classroom.figures.pictures import draw_image
from cvcourse.classroom.widgets.explorer import Explorer, explore
from cvcourse.models.detection.fcos import centerness_of


def explore_location(
    image: Tensor,
    target: dict[str, Tensor],
    *,
    strides: Sequence[int],
    class_names: Sequence[str],
    start: tuple[int, int],
) -> Explorer:
    """Move a location over a picture (3, H, W): see its four distances, centre-ness and level.

    start: x and y of the location at first.
    """
    height, width = image.shape[-2:]

    def draw(x: int = start[0], y: int = start[1]) -> Figure:
        return draw_location(image, target, x, y, strides=strides, class_names=class_names)

    return explore(draw, x=(1, width - 1), y=(1, height - 1))


def draw_location(
    image: Tensor,
    target: dict[str, Tensor],
    x: int,
    y: int,
    *,
    strides: Sequence[int],
    class_names: Sequence[str],
) -> Figure:
    """What the location (x, y) learns of the smallest box around it, and how central others are.

    strides: of a pyramid whose levels take locations with their farthest side 4 to 8 strides away,
        the finest also nearer ones, the coarsest also farther ones.
    """
    location = torch.tensor([[x, y]], dtype=torch.float32)
    inside = [i for i, box in enumerate(target["boxes"]) if _sides(location, box).min() > 0]
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 0.51 * style.WIDTH))
    draw_image(left, image)
    draw_image(right, 0.3 * image.mean(0) + 0.6)
    told = "no object here, this location learns background"
    if inside:
        boxes = target["boxes"]
        index = min(inside, key=lambda i: float((boxes[i, 2:] - boxes[i, :2]).prod()))
        sides = _sides(location, boxes[index])[0]
        name = class_names[int(target["labels"][index])]
        draw_boxes(left, boxes[index, None], texts=[name], colour=style.VERMILION)
        _draw_arrows(left, x, y, boxes[index].tolist())
        _draw_centerness(right, boxes[index], image.shape[-2:])
        level = sum(float(sides.max()) > 8 * stride for stride in strides[:-1])
        told = "l {:.0f}, t {:.0f}, r {:.0f}, b {:.0f}".format(*sides.tolist())
        middle = centerness_of(location, boxes[[index]])[0]
        told += f": stride {strides[level]}, centre-ness {middle:.2f}"
    for axes in (left, right):
        axes.plot(x, y, "o", color="black", markeredgecolor="white", markersize=9, zorder=9)
    left.set_title("what this location must say")
    right.set_title("centre-ness of all locations in this object" if inside else "")
    figure.suptitle(f"Location ({x}, {y}): {told}")
    return style.describe(figure, f"A picture and a location at ({x}, {y}): {told}.")


def _sides(locations: Tensor, box: Tensor) -> Tensor:
    """Left, top, right, bottom (n, 4): from locations (n, 2) to the sides of a box (4,)."""
    return torch.cat([locations - box[:2], box[2:] - locations], dim=1)


def _draw_arrows(axes: Axes, x: float, y: float, box: list[float]) -> None:
    x1, y1, x2, y2 = box
    for letter, end in zip("ltrb", ((x1, y), (x, y1), (x2, y), (x, y2)), strict=True):
        for colour, width in (("black", 4), ("white", 2)):
            arrow = {"arrowstyle": "-|>", "color": colour, "lw": width, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", end, (x, y), arrowprops=arrow)
        length = max(abs(end[0] - x), abs(end[1] - y))
        along = 0.5 if length > 10 else 1 + 4 / max(length, 0.1)  # past the tip, if short
        axes.annotate(
            letter,
            (x + along * (end[0] - x), y + along * (end[1] - y)),
            ha="center",
            va="center",
            bbox={"facecolor": "white", "pad": 1},
        )


def _draw_centerness(axes: Axes, box: Tensor, size: tuple[int, int]) -> None:
    height, width = size
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    locations = torch.stack([x, y], dim=-1).flatten(0, 1)  # (H * W, 2)
    values = centerness_of(locations, box.expand(len(locations), 4))
    values = values.where(_sides(locations, box).min(dim=1).values > 0, torch.nan)
    shown = axes.imshow(
        values.view(height, width).numpy(), extent=(0, width, height, 0), vmin=0, vmax=1
    )
    axes.figure.colorbar(shown, ax=axes, shrink=0.8, label="centre-ness")
