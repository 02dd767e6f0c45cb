"""Pictures with what is known or believed about them drawn on top: boxes and masks."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.pictures import as_list, count_of, draw_image, grid, to_picture

TRUTH = {"linestyle": (0, (4, 2.5)), "linewidth": 1.8}
PREDICTION = {"linestyle": "-", "linewidth": 2.0}


def show_boxes(
    images: Tensor | Sequence[Tensor],
    targets: dict | Sequence[dict] | None = None,
    predictions: dict | Sequence[dict] | None = None,
    titles: Sequence[str] | None = None,
    *,
    title: str,
    class_names: Sequence[str] | None = None,
    min_score: float = 0.0,
    columns: int | None = None,
    alt: str | None = None,
) -> Figure:
    """Boxes on pictures: ground truth dashed, predictions solid with class and score.

    images: as in `show_images`. targets, predictions: one dict per picture with `boxes` (N, 4) xyxy
        in pixels, and `labels` (N,) and `scores` (N,) where there are any.
    class_names: `class_names[label]` is written at the box and decides with it the colour.
    min_score: predictions below it are left out.
    """
    images = as_list(images)
    truths = _per_image(targets, len(images), "targets")
    guesses = _per_image(predictions, len(images), "predictions")
    both = targets is not None and predictions is not None
    figure, cells = grid(images, title=title, columns=columns, titles=titles, legend_rows=int(both))
    drawn = []
    for axes, image, truth, guess in zip(cells, images, truths, guesses, strict=True):
        draw_image(axes, image)
        if truth is not None:
            draw_boxes(axes, **_known(truth, "labels"), class_names=class_names, truth=True)
        if guess is not None:
            kept = _above(_known(guess, "labels", "scores"), min_score)
            draw_boxes(axes, **kept, class_names=class_names)
            drawn.append(len(kept["boxes"]))
    if both:
        key = [
            Line2D([], [], color="0.3", label="ground truth", **TRUTH),
            Line2D([], [], color="0.3", label="prediction", **PREDICTION),
        ]
        figure.legend(handles=key, loc="outside lower center", ncols=2)
    known = sum(len(truth["boxes"]) for truth in truths if truth is not None)
    counts = []
    if targets is not None:
        counts.append(f"{count_of(known, 'true box', 'es')} (dashed)")
    if predictions is not None:
        counts.append(f"{count_of(sum(drawn), 'predicted box', 'es')} (solid)")
    shown = f"{count_of(len(images), 'picture')} with {' and '.join(counts) or 'no boxes'}"
    return style.describe(figure, alt or f"{title}. {shown}.")


def draw_boxes(
    axes: Axes,
    boxes: Tensor,
    labels: Tensor | None = None,
    scores: Tensor | None = None,
    *,
    class_names: Sequence[str] | None = None,
    truth: bool = False,
    colour: str | None = None,
    texts: Sequence[str] | None = None,
) -> None:
    """Boxes (N, 4) xyxy on `axes`, each in its class's colour, with class name and score.

    truth: dashed and without a score. colour, texts: instead of the class's.
    """
    boxes = torch.as_tensor(boxes).detach().cpu().float().reshape(-1, 4)
    for i, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        label = None if labels is None else int(labels[i])
        edge = colour or style.colour_of(0 if label is None else label)
        line = TRUTH if truth else PREDICTION
        axes.add_patch(
            Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="white", linewidth=3.2)
        )
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=edge, **line))
        if texts is not None:
            text = texts[i]
        else:
            name = "" if label is None else (class_names[label] if class_names else str(label))
            score = "" if truth or scores is None else f"{float(scores[i]):.2f}"
            text = " ".join(filter(None, [name, score]))
        if text:
            _write(axes, text, x1, y2 if truth else y1, edge, below=truth)


def show_masks(
    images: Tensor | Sequence[Tensor],
    masks: Tensor | Sequence[Tensor],
    titles: Sequence[str] | None = None,
    *,
    title: str,
    class_names: Sequence[str] | None = None,
    labels: Sequence[Tensor] | None = None,
    background: int | None = 0,
    opacity: float = 0.55,
    columns: int | None = None,
    alt: str | None = None,
) -> Figure:
    """Masks on pictures, in colour and outlined.

    images: as in `show_images`. masks: for each picture either a map of classes (H, W) of integers,
        or one mask per instance (N, H, W) of booleans (or of numbers, on from 0.5).
    class_names: names for the legend; only classes that occur are listed.
    labels: for each picture the class of each instance (N,); without, instances differ in colour.
    background: the class of a map that is not drawn (None: all are); 255 and negatives never are.
    """
    images = as_list(images)
    masks = [masks] if isinstance(masks, Tensor) and len(images) == 1 else list(masks)
    if len(masks) != len(images):
        raise ValueError(f"masks must be one for each of {len(images)} images, not {len(masks)}")
    layers = [
        _layers(mask, None if labels is None else labels[i], background)
        for i, mask in enumerate(masks)
    ]
    named = class_names is not None and (labels is not None or _is_map(masks[0]))
    classes = sorted({label for picture in layers for label, _ in picture}) if named else []
    legend_rows = -(-len(classes) // 7)
    figure, cells = grid(
        images, title=title, columns=columns, titles=titles, legend_rows=legend_rows
    )
    for axes, image, picture in zip(cells, images, layers, strict=True):
        draw_image(axes, image)
        size = to_picture(image).shape[:2]
        for label, mask in picture:
            if mask.shape != size:
                raise ValueError(f"masks must be {size} pixels like the image, not {mask.shape}")
            _fill(axes, mask, style.colour_of(label), opacity)
    if classes:
        key = [Patch(color=style.colour_of(label), label=class_names[label]) for label in classes]
        figure.legend(handles=key, loc="outside lower center", ncols=-(-len(key) // legend_rows))
    what = ", ".join(class_names[label] for label in classes) if named else "instances"
    shown = f"{count_of(len(images), 'picture')} with masks of {what}"
    return style.describe(figure, alt or f"{title}. {shown}.")


def _is_map(mask: Tensor) -> bool:
    mask = torch.as_tensor(mask)
    return mask.ndim == 2 and mask.dtype not in (torch.bool, torch.float32)


def _layers(mask: Tensor, labels, background: int | None) -> list[tuple[int, np.ndarray]]:
    mask = torch.as_tensor(mask).detach().cpu()
    if _is_map(mask):
        present = [c for c in mask.unique().tolist() if c >= 0 and c not in (background, 255)]
        return [(c, (mask == c).numpy()) for c in present]
    instances = mask if mask.ndim == 3 else mask[None]
    colours = range(len(instances)) if labels is None else [int(label) for label in labels]
    return [(c, (m >= 0.5).numpy()) for c, m in zip(colours, instances.float(), strict=True)]


def _fill(axes: Axes, mask: np.ndarray, colour: str, opacity: float) -> None:
    layer = np.zeros((*mask.shape, 4), dtype=np.float32)
    layer[mask] = (*to_rgb(colour), opacity)
    height, width = mask.shape
    axes.imshow(layer, extent=(0, width, height, 0))
    if mask.any() and not mask.all():
        centres = np.arange(width) + 0.5, np.arange(height) + 0.5
        axes.contour(*centres, mask.astype(float), levels=[0.5], colors="white", linewidths=1.8)
        axes.contour(*centres, mask.astype(float), levels=[0.5], colors=colour, linewidths=1.0)


def _write(axes: Axes, text: str, x: float, y: float, colour: str, *, below: bool) -> None:
    """A small label at the corner of a box, inside the picture where the box is at its edge."""
    bottom, top = sorted(axes.get_ylim())
    inside = y - bottom < 0.08 * (top - bottom) if not below else top - y < 0.08 * (top - bottom)
    axes.annotate(
        text,
        (max(x, min(axes.get_xlim())), y),
        xytext=(0, 0),
        textcoords="offset points",
        va="top" if below != inside else "bottom",
        fontsize=8,
        color=style.readable_on(colour),
        bbox={"boxstyle": "square,pad=0.12", "facecolor": colour, "edgecolor": "none"},
        annotation_clip=True,
        clip_on=True,
    )


def _per_image(given, count: int, name: str) -> list[dict | None]:
    if given is None:
        return [None] * count
    given = [given] if isinstance(given, dict) else list(given)
    if len(given) != count:
        raise ValueError(f"{name} must be one dict for each of {count} images, not {len(given)}")
    return given


def _known(detections: dict, *optional: str) -> dict:
    return {key: detections[key] for key in ("boxes", *optional) if key in detections}


def _above(detections: dict, min_score: float) -> dict:
    if "scores" not in detections:
        return detections
    kept = torch.as_tensor(detections["scores"]) >= min_score
    return {key: torch.as_tensor(value)[kept] for key, value in detections.items()}
