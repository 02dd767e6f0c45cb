"""What a benchmark's server does with a file of results in COCO's format."""

import contextlib
import io
import os
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from cvcourse.ops import box_convert


def official_score(
    path: str | os.PathLike, targets: Sequence[dict[str, Tensor]]
) -> dict[str, float]:
    """AP, AP50 and AP75 of `results.json`, by pycocotools, which the benchmark itself uses.

    path: a list of `{"image_id": index of the picture, "category_id": label, "bbox": [x, y, width,
        height], "score": confidence}`. targets: `boxes` (xyxy) and `labels` of each picture, which
        the server keeps to itself.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    notes = []
    for image_id, target in enumerate(targets):
        boxes = box_convert(target["boxes"], "xyxy", "xywh").tolist()
        for box, label in zip(boxes, target["labels"].tolist(), strict=True):
            note = {"image_id": image_id, "category_id": label, "bbox": box, "iscrowd": 0}
            note |= {"id": len(notes) + 1, "area": box[2] * box[3]}  # id 0 would count as unmatched
            notes.append(note)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": image_id} for image_id in range(len(targets))],
            "annotations": notes,
            "categories": [{"id": label} for label in sorted({n["category_id"] for n in notes})],
        }
        truth.createIndex()
        if Path(path).read_text(encoding="utf-8").strip() == "[]":  # which loadRes cannot read
            return {"AP": 0.0, "AP50": 0.0, "AP75": 0.0}
        judge = COCOeval(truth, truth.loadRes(str(path)), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return dict(zip(("AP", "AP50", "AP75"), map(float, judge.stats[:3]), strict=True))
