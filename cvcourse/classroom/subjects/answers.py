"""One scene and everything known about it: the picture of the README, drawn by lesson 00."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import colour_of, describe, draw_boxes, draw_image
from cvcourse.classroom.figures.fields import flow_colours
from cvcourse.data.scenes import CLASSES

TITLES = (
    "the picture",
    "what is where",
    "which class is each pixel",
    "which object",
    "how far",
    "how is it turned",
    "where does it move",
    "the picture a moment later",
)


def show_answers(frames: Tensor, target: dict[str, Tensor], *, title: str | None = None) -> Figure:
    """The first of two frames (2, 3, H, W) of `Clips`, seven answers to it, and the second frame.

    Objects are shades of grey, for a colour means a class. Nearer is brighter in the map of depth;
    a normal's x, y and z are red, green and blue; the hue of motion is its direction.
    """
    seen = target["masks"][0].flatten(1).any(1)
    boxes, masks = target["boxes"][0][seen], target["masks"][0][seen]
    labels = target["labels"][seen]
    depth, flow = target["depth"][0].numpy(), target["flow"][0].numpy()
    figure, rows = plt.subplots(2, 4, figsize=(11, 5.9))
    picture, detection, semantic, instances, distance, normals, motion, later = rows.flat
    draw_image(picture, frames[0])
    draw_image(detection, frames[0])
    draw_boxes(detection, boxes, labels, class_names=CLASSES)
    _paint(semantic, frames[0], masks, [colour_of(int(label)) for label in labels])
    shades = [str(grey) for grey in np.linspace(0.95, 0.35, len(masks))]  # a colour means a class
    _paint(instances, frames[0], masks, shades)
    distance.imshow(depth, cmap="viridis_r", vmax=np.quantile(depth, 0.99))
    draw_image(normals, target["normals"][0] / 2 + 0.5)
    motion.imshow(flow_colours(flow, float(np.hypot(*flow).max())))
    draw_image(later, frames[1])
    for axes, name in zip(rows.flat, TITLES, strict=True):
        axes.set_title(name)
        axes.set_axis_off()
    figure.suptitle(title)
    return describe(figure, f"{title or 'One scene'}: {', '.join(TITLES)}.")


def _paint(axes: Axes, image: Tensor, masks: Tensor, colours: Sequence[str]) -> None:
    draw_image(axes, image)
    for mask, colour in zip(masks.numpy(), colours, strict=True):
        layer = np.zeros((*mask.shape, 4))
        layer[mask] = (*to_rgb(colour), 1)  # opaque: what is below would change the colour
        axes.imshow(layer, extent=(0, mask.shape[1], mask.shape[0], 0))
