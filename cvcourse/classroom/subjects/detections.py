"""What a detector finds, drawn and counted: for the lessons on detectors."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cvcourse.classroom.figures.overlays import show_boxes
from cvcourse.classroom.subjects.detecting import (
    DetectionData,
    best_and_worst,
    detect,
    mistakes,
)
from cvcourse.classroom.subjects.photographs import Coins, pieces_by_threshold
from cvcourse.metrics import coco_average_precision
from cvcourse.ops import box_iou, masks_to_boxes, nms


def average_precisions(
    model: nn.Module, pictures: DetectionData, names: Mapping[str, str], *, seen: int = 150
) -> dict[str, float]:
    """Scores of a detector on held-out pictures, and "AP in training" on the first `seen` others.

    names: what to call which entry of `coco_average_precision`, such as {"AP": "map"}. Pictures of
    the training set are mirrored as they are then, always the same ones.
    """
    report = coco_average_precision(detect(model, pictures.test.images), pictures.test.targets)
    numbers = {name: float(report[key]) for name, key in names.items()}
    with torch.random.fork_rng():
        torch.manual_seed(0)  # decides which are mirrored
        some = [pictures.train[i] for i in range(min(seen, len(pictures.train)))]
    images, targets = zip(*some, strict=True)
    report = coco_average_precision(detect(model, images), list(targets))
    return numbers | {"AP in training": float(report["map"])}


def score_of_fewest_mistakes(
    found: Sequence[dict[str, Tensor]], targets: Sequence[dict[str, Tensor]]
) -> float:
    """From which score on boxes make the fewest `mistakes` in all: of 0.2, 0.25, ..., 0.65."""
    wrong = {
        i / 20: sum(sum(mistakes(*pair, least=i / 20)) for pair in zip(found, targets, strict=True))
        for i in range(4, 14)
    }
    return min(wrong, key=wrong.get)


def one_name_each(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """For drawing: of boxes that overlap by half, whatever their class, only the surest."""
    kept = nms(found["boxes"], found["scores"], 0.5)
    return {key: value[kept] for key, value in found.items()}


def show_best_and_worst(
    images: Sequence[Tensor],
    found: Sequence[dict[str, Tensor]],
    targets: Sequence[dict[str, Tensor]],
    *,
    least: float,
    class_names: Sequence[str],
    count: int = 2,
    crowd: int | None = None,
) -> tuple[int, int, int]:
    """Draw the `count` pictures with fewest and with most mistakes; (missed, false, faultless).

    The three are of all pictures together: objects missed, boxes false, pictures without either. A
    line tells them. least: from which score on boxes count. crowd: pictures with more objects are
    counted, not drawn.
    """
    few = [i for i, of in enumerate(targets) if crowd is None or len(of["labels"]) <= crowd]
    of_few = [found[i] for i in few], [targets[i] for i in few]
    chosen, titles = best_and_worst(*of_few, count, least=least)
    shown = [few[i] for i in chosen]
    those = "" if crowd is None else f" with {crowd} objects at most"
    show_boxes(
        [images[i] for i in shown],
        [targets[i] for i in shown],
        [found[i] for i in shown],
        titles,
        class_names=class_names,
        min_score=least,
        columns=count,
        title=f"Fewest mistakes (above) and most (below) of {len(few)} held-out pictures{those}",
    )
    both = [mistakes(*pair, least=least) for pair in zip(found, targets, strict=True)]
    missed, false = (sum(part) for part in zip(*both, strict=True))
    faultless = both.count((0, 0))
    print(
        f"boxes with a score of {least} or more: {missed} of "
        f"{sum(len(target['labels']) for target in targets)} objects missed, {false} boxes false; "
        f"{faultless} of {len(both)} pictures without a mistake"
    )
    return missed, false, faultless


def show_coins(
    photograph: Coins,
    found: dict[str, Tensor],
    *,
    class_names: Sequence[str],
    least: float,
    title: str,
) -> tuple[int, int]:
    """Draw what a detector of shapes finds on the photograph; how many coins are right, and others.

    A coin is right if it has a box that is called "disk" and overlaps it by half. A line says so,
    and what the classical way (`pieces_by_threshold`) finds. found: `boxes`, `scores`, `labels`.
    least: from which score on boxes count.
    """
    boxes = photograph.boxes
    disks = {"boxes": boxes, "labels": torch.full((len(boxes),), class_names.index("disk"))}
    missed, others = mistakes(found, disks, least=least)
    pieces = masks_to_boxes(pieces_by_threshold(photograph.image), inclusive=False).float()
    simple = int((box_iou(boxes, pieces).max(1).values >= 0.5).sum())
    show_boxes(
        [photograph.image],
        None,
        [found],
        class_names=class_names,
        min_score=least,
        most=None,
        title=title,
    )
    print(
        f"coins: {len(boxes) - missed} of {len(boxes)} framed and called disks, {others} other "
        f"boxes; lesson 00's threshold frames {simple}, with {len(pieces)} boxes in all"
    )
    return len(boxes) - missed, others
