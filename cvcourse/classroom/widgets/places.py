"""A place on a picture and the box that it sees: what a detector without anchors learns there."""

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


def explore_place(
    image: Tensor, target: dict[str, Tensor], *, strides: Sequence[int], class_names: Sequence[str]
) -> Explorer:
    """Move a place over a picture (3, H, W), and see the four distances, centre-ness and level."""
    height, width = image.shape[-2:]

    def draw(x: int = width // 2, y: int = height // 2) -> Figure:
        return draw_place(image, target, x, y, strides=strides, class_names=class_names)

    return explore(draw, x=(1, width - 1), y=(1, height - 1))


def draw_place(
    image: Tensor,
    target: dict[str, Tensor],
    x: int,
    y: int,
    *,
    strides: Sequence[int],
    class_names: Sequence[str],
) -> Figure:
    """What the place (x, y) learns of the smallest box around it, and how central that box's are.

    strides: of a pyramid whose levels take places with their farthest side 4 to 8 strides away, the
        finest also nearer ones, the coarsest also farther ones.
    """
    place = torch.tensor([[x, y]], dtype=torch.float32)
    inside = [i for i, box in enumerate(target["boxes"]) if _sides(place, box).min() > 0]
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 0.51 * style.WIDTH))
    draw_image(left, image)
    draw_image(right, 0.3 * image.mean(0) + 0.6)
    told = "no object here, this place learns background"
    if inside:
        boxes = target["boxes"]
        index = min(inside, key=lambda i: float((boxes[i, 2:] - boxes[i, :2]).prod()))
        sides = _sides(place, boxes[index])[0]
        name = class_names[int(target["labels"][index])]
        draw_boxes(left, boxes[index, None], texts=[name], colour=style.VERMILION)
        _draw_arrows(left, x, y, boxes[index].tolist())
        _draw_centerness(right, boxes[index], image.shape[-2:])
        level = sum(float(sides.max()) > 8 * stride for stride in strides[:-1])
        told = "l {:.0f}, t {:.0f}, r {:.0f}, b {:.0f}".format(*sides.tolist())
        told += (
            f": stride {strides[level]}, centre-ness {centerness_of(place, boxes[[index]])[0]:.2f}"
        )
    for axes in (left, right):
        axes.plot(x, y, "o", color="black", markeredgecolor="white", markersize=9, zorder=9)
    left.set_title("what this place must say")
    right.set_title("centre-ness of all places in this object" if inside else "")
    figure.suptitle(f"Place ({x}, {y}): {told}")
    return style.describe(figure, f"A picture and a place at ({x}, {y}): {told}.")


def _sides(places: Tensor, box: Tensor) -> Tensor:
    """Left, top, right, bottom (n, 4): how far the sides of a box (4,) are from places (n, 2)."""
    return torch.cat([places - box[:2], box[2:] - places], dim=1)


def _draw_arrows(axes: Axes, x: float, y: float, box: list[float]) -> None:
    x1, y1, x2, y2 = box
    for letter, end in zip("ltrb", ((x1, y), (x, y1), (x2, y), (x, y2)), strict=True):
        for colour, width in (("black", 4), ("white", 2)):
            arrow = {"arrowstyle": "-|>", "color": colour, "lw": width, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", end, (x, y), arrowprops=arrow)
        axes.annotate(
            letter,
            ((end[0] + x) / 2, (end[1] + y) / 2),
            ha="center",
            va="center",
            bbox={"facecolor": "white", "pad": 1},
        )


def _draw_centerness(axes: Axes, box: Tensor, size: tuple[int, int]) -> None:
    height, width = size
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    places = torch.stack([x, y], dim=-1).flatten(0, 1)  # (H * W, 2)
    values = centerness_of(places, box.expand(len(places), 4))
    values = values.where(_sides(places, box).min(dim=1).values > 0, torch.nan)
    shown = axes.imshow(
        values.view(height, width).numpy(), extent=(0, width, height, 0), vmin=0, vmax=1
    )
    axes.figure.colorbar(shown, ax=axes, shrink=0.8, label="centre-ness")
