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
from cvcourse.classroom.figures.labels import label_box
from cvcourse.classroom.figures.pictures import as_list, count_of, draw_image, grid, to_picture
from cvcourse.ops import box_iou

TRUTH = {"linestyle": "-", "linewidth": 1.8}
PREDICTION = {"linestyle": (0, (3.5, 1.8)), "linewidth": 2.0}
TRUTH_COLOUR, PREDICTION_COLOUR = style.BLUE, style.VERMILION


def show_boxes(
    images: Tensor | Sequence[Tensor],
    targets: dict | Sequence[dict] | None = None,
    predictions: dict | Sequence[dict] | None = None,
    titles: Sequence[str] | None = None,
    *,
    title: str,
    class_names: Sequence[str] | None = None,
    min_score: float = 0.0,
    most: int | None = 8,
    columns: int | None = None,
    alt: str | None = None,
) -> Figure:
    """Boxes on pictures: ground truth solid, predictions dashed, with class and score.

    Where both are given, truth is blue and predictions are vermilion, and a legend says so;
    otherwise each class has its colour.

    images: as in `show_images`. targets, predictions: one dict per picture with `boxes` (N, 4) xyxy
        in pixels, and `labels` (N,) and `scores` (N,) where there are any.
    class_names: `class_names[label]` is written at the box, where there are several classes besides
        the background, which is the first.
    min_score: predictions below it are left out.
    most: predictions, and true boxes, that are drawn in one picture: the surest predictions (the
        first, where they have no scores), and the true boxes that these overlap most; below the
        picture it says of how many. None: all.
    """
    if most is not None and most < 1:
        raise ValueError(f"most must be at least 1, but is {most}")
    images = as_list(images)
    truths = _per_image(targets, len(images), "targets")
    truths = [None if truth is None else _known(truth, "labels") for truth in truths]
    guesses = _per_image(predictions, len(images), "predictions")
    guesses = [
        None if guess is None else _above(_known(guess, "labels", "scores"), min_score)
        for guess in guesses
    ]
    both = targets is not None and predictions is not None
    several = _several_classes([*truths, *guesses], class_names)
    notes = [_left_out(truth, guess, most) for truth, guess in zip(truths, guesses, strict=True)]
    figure, cells = grid(
        images,
        title=title,
        columns=columns,
        titles=titles,
        legend_rows=int(both),
        notes=any(notes),
    )
    for axes, image, truth, guess, note in zip(cells, images, truths, guesses, notes, strict=True):
        draw_image(axes, image)
        axes.set_xlabel(note, fontsize=8.5, color="0.35", labelpad=2)
        guess = _surest(guess, most)
        truth = _nearest(truth, guess, most)
        sets = (truth, False, TRUTH_COLOUR), (guess, True, PREDICTION_COLOUR)
        for boxes, predicted, colour in sets:
            if boxes is not None:
                draw_boxes(
                    axes,
                    **boxes,
                    class_names=class_names,
                    named=several,
                    prediction=predicted,
                    below=both and not predicted,
                    colour=colour if both or not several else None,
                )
    if both:
        key = [
            Line2D([], [], color=TRUTH_COLOUR, label="ground truth", **TRUTH),
            Line2D([], [], color=PREDICTION_COLOUR, label="prediction", **PREDICTION),
        ]
        figure.legend(handles=key, loc="outside lower center", ncols=2, handlelength=2.8)
    return style.describe(figure, alt or f"{title}. {_told(truths, guesses, most)}.")


def draw_boxes(
    axes: Axes,
    boxes: Tensor,
    labels: Tensor | None = None,
    scores: Tensor | None = None,
    *,
    class_names: Sequence[str] | None = None,
    named: bool = True,
    prediction: bool = False,
    below: bool = False,
    colour: str | None = None,
    texts: Sequence[str] | None = None,
) -> None:
    """Boxes (N, 4) xyxy on `axes`, each in its class's colour, with class name and score.

    named: whether the class is written. prediction: dashed. below: the text is at the box's foot.
    colour, texts: instead of the class's.
    """
    boxes = torch.as_tensor(boxes).detach().cpu().float().reshape(-1, 4)
    line = PREDICTION if prediction else TRUTH
    for i, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        label = None if labels is None else int(labels[i])
        edge = colour or style.colour_of(0 if label is None else label)
        place = (x1, y1), x2 - x1, y2 - y1
        axes.add_patch(Rectangle(*place, fill=False, edgecolor="white", linewidth=3.2))
        axes.add_patch(Rectangle(*place, fill=False, edgecolor=edge, **line))
        if texts is not None:
            text = texts[i]
        else:
            name = ""
            if named and label is not None:
                name = class_names[label] if class_names else str(label)
            score = "" if scores is None else f"{float(scores[i]):.2f}"
            text = " ".join(filter(None, [name, score]))
        if text:
            label_box(axes, text, (x1, y1, x2, y2), edge, below=below)


def show_masks(
    images: Tensor | Sequence[Tensor],
    masks: Tensor | Sequence[Tensor],
    titles: Sequence[str] | None = None,
    *,
    title: str,
    class_names: Sequence[str] | None = None,
    labels: Sequence[Tensor] | None = None,
    ids: Sequence[Tensor] | None = None,
    background: int | None = 0,
    opacity: float = 0.55,
    columns: int | None = None,
    alt: str | None = None,
) -> Figure:
    """Masks on pictures, in colour and outlined.

    images: as in `show_images`. masks: for each picture either a map of classes (H, W) of integers,
        or one mask per instance (N, H, W) of booleans, zeros and ones (or of numbers, on from 0.5);
        integers (1, H, W) are a map of classes where no labels or ids are given.
    class_names: names for the legend; only classes that occur are listed.
    labels: for each picture the class of each instance (N,); without, instances differ in colour.
    ids: for each picture a number for each instance (N,) that decides its colour, instead of its
        class: the same object in several pictures gets the same colour.
    background: the class of a map that is not drawn (None: all are); 255 and negatives never are.
    """
    if labels is not None and ids is not None:
        raise ValueError("labels and ids both decide the colours: give one of them")
    images = as_list(images)
    masks = [masks] if isinstance(masks, Tensor) and len(images) == 1 else list(masks)
    if len(masks) != len(images):
        raise ValueError(f"masks must be one for each of {len(images)} images, not {len(masks)}")
    numbers = labels if labels is not None else ids
    numbers = [None] * len(images) if numbers is None else numbers
    maps = [of is None and _is_map(mask) for mask, of in zip(masks, numbers, strict=True)]
    layers = [
        _classes(mask, background) if is_map else _instances(mask, of)
        for mask, of, is_map in zip(masks, numbers, maps, strict=True)
    ]
    named = class_names is not None and (labels is not None or any(maps))
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
    """Whether it gives each pixel its class: integers, one a pixel."""
    mask = torch.as_tensor(mask)
    one = mask.ndim == 2 or (mask.ndim == 3 and len(mask) == 1)
    return one and mask.dtype != torch.bool and not mask.is_floating_point()


def _classes(mask: Tensor, background: int | None) -> list[tuple[int, np.ndarray]]:
    mask = torch.as_tensor(mask).detach().cpu().reshape(mask.shape[-2:])
    present = [c for c in mask.unique().tolist() if c >= 0 and c not in (background, 255)]
    return [(c, (mask == c).numpy()) for c in present]


def _instances(mask: Tensor, numbers: Tensor | None) -> list[tuple[int, np.ndarray]]:
    mask = torch.as_tensor(mask).detach().cpu()
    instances = mask if mask.ndim == 3 else mask[None]
    if not mask.is_floating_point() and instances.numel() and int(instances.max()) > 1:
        raise ValueError(
            "masks of instances must be booleans, or zeros and ones, but have numbers up to "
            f"{int(instances.max())} (a map of classes has two dimensions)"
        )
    colours = range(len(instances)) if numbers is None else [int(number) for number in numbers]
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


def _several_classes(all_boxes: list[dict | None], class_names: Sequence[str] | None) -> bool:
    """Whether there are several classes besides the background; without names, among the boxes."""
    if class_names is not None:
        return len(class_names) > 2
    labels = [boxes["labels"] for boxes in all_boxes if boxes is not None and "labels" in boxes]
    return len({int(label) for of_picture in labels for label in of_picture}) > 1


def _surest(boxes: dict | None, most: int | None) -> dict | None:
    """The `most` boxes of highest score, that one first, or the first ones without scores."""
    if boxes is None or "scores" not in boxes:
        return boxes and {key: value[:most] for key, value in boxes.items()}
    order = torch.as_tensor(boxes["scores"]).argsort(descending=True, stable=True)[:most]
    return {key: torch.as_tensor(value)[order] for key, value in boxes.items()}


def _nearest(truth: dict | None, drawn: dict | None, most: int | None) -> dict | None:
    """The `most` true boxes that drawn ones overlap most, in their order."""
    if truth is None or most is None or len(truth["boxes"]) <= most:
        return truth
    if drawn is None or not len(drawn["boxes"]):
        return {key: value[:most] for key, value in truth.items()}
    overlap = box_iou(*(torch.as_tensor(x["boxes"]).cpu().float() for x in (truth, drawn)))
    order = overlap.amax(1).argsort(descending=True, stable=True)[:most].sort().values
    return {key: torch.as_tensor(value).cpu()[order] for key, value in truth.items()}


def _left_out(truth: dict | None, guess: dict | None, most: int | None) -> str:
    """Such as `drawn: 8 of 24 true boxes, the surest 8 of 100 predictions`; nothing if all are."""
    parts = []
    for boxes, thing in ((truth, "true boxes"), (guess, "predictions")):
        if boxes is not None and most is not None and len(boxes["boxes"]) > most:
            surest = "the surest " if "scores" in boxes else ""
            parts.append(f"{surest}{most} of {len(boxes['boxes'])} {thing}")
    return f"drawn: {', '.join(parts)}" if parts else ""


def _told(truths: list[dict | None], guesses: list[dict | None], most: int | None) -> str:
    counts = []
    for of_pictures, thing, line in (
        (truths, "true box", "solid"),
        (guesses, "predicted box", "dashed"),
    ):
        known = [len(boxes["boxes"]) for boxes in of_pictures if boxes is not None]
        if known:
            drawn = sum(count if most is None else min(count, most) for count in known)
            of = "" if drawn == sum(known) else f"{drawn} of "
            counts.append(f"{of}{count_of(sum(known), thing, 'es')} ({line})")
    return f"{count_of(len(truths), 'picture')} with {' and '.join(counts) or 'no boxes'}"
