"""Draw docs/answers.png, the picture of the README: one scene and everything known about it."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from cvcourse.classroom import colour_of, draw_boxes, draw_image
from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.fields import flow_colours
from cvcourse.data.scenes import CLASSES, Clips

OUTPUT = Path(__file__).parents[1] / "docs" / "answers.png"


def paint(axes, image, masks, colours):
    draw_image(axes, image)
    for mask, colour in zip(masks.numpy(), colours, strict=True):
        layer = np.zeros((*mask.shape, 4))
        layer[mask] = (*plt.matplotlib.colors.to_rgb(colour), 0.75)
        axes.imshow(layer)


def main():
    style.use()
    clips = Clips(40, frames=2, size=256, seed=3, objects=6, scale=(0.25, 0.5), noise=0.5)
    frames, target = clips[7]
    seen = target["masks"][0].flatten(1).any(1)
    boxes, masks, labels = (
        target["boxes"][0][seen],
        target["masks"][0][seen],
        target["labels"][seen],
    )
    depth, flow = target["depth"][0].numpy(), target["flow"][0].numpy()

    figure, rows = plt.subplots(2, 4, figsize=(11, 5.9))
    picture, detection, semantic, instances, distance, normals, motion, later = rows.flat
    draw_image(picture, frames[0])
    draw_image(detection, frames[0])
    draw_boxes(detection, boxes, labels, class_names=CLASSES)
    paint(semantic, frames[0], masks, [colour_of(int(label)) for label in labels])
    paint(instances, frames[0], masks, [colour_of(i) for i in range(len(masks))])
    distance.imshow(depth, cmap="viridis_r", vmax=np.quantile(depth, 0.99))
    draw_image(normals, target["normals"][0] / 2 + 0.5)
    motion.imshow(flow_colours(flow, float(np.quantile(np.hypot(*flow), 0.99))))
    draw_image(later, frames[1])
    titles = [
        "the picture",
        "what is where",
        "which class is each pixel",
        "which object",
        "how far",
    ]
    titles += ["how is it turned", "where does it move", "the picture a moment later"]
    for axes, title in zip(rows.flat, titles, strict=True):
        axes.set_title(title)
        axes.set(xticks=[], yticks=[])
    OUTPUT.parent.mkdir(exist_ok=True)
    figure.savefig(OUTPUT, dpi=90)


if __name__ == "__main__":
    main()
