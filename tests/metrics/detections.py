"""Random detections and targets that meet every rule of COCO's evaluation."""

import numpy as np
import torch


def random_images(
    seed, *, images=8, classes=3, objects=6, crowd=0.2, ties=True, side=200, masks=False, area=False
):
    """(preds, target): noisy, doubled, missed and invented boxes over objects of all sizes.

    With `ties` scores repeat, and coordinates lie on a coarse grid, so that IoUs do.
    """
    rng = np.random.default_rng(seed)
    preds, target = [], []
    for _ in range(images):
        count = rng.integers(0, 2 * objects)
        boxes, labels = _boxes(rng, count, side), rng.integers(0, classes, count)
        copies = rng.integers(0, 3, count)
        found, found_labels = boxes.repeat(copies, axis=0), labels.repeat(copies)
        size = found[:, 2:] - found[:, :2]
        found = found + 0.08 * np.tile(size, 2) * rng.normal(size=found.shape)
        invented = rng.integers(0, 4)
        found = np.concatenate([found, _boxes(rng, invented, side)])
        found_labels = np.concatenate([found_labels, rng.integers(0, classes, invented)])
        scores = rng.random(len(found))
        if ties:
            scores, boxes, found = scores.round(1), (boxes / 8).round() * 8, (found / 8).round() * 8
            boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 8)
        preds.append({"boxes": found, "labels": found_labels, "scores": scores})
        target.append({"boxes": boxes, "labels": labels, "iscrowd": rng.random(count) < crowd})
        if area:
            target[-1]["area"] = rng.uniform(0, 3 * 96**2, count)
    for image in (*preds, *target):
        for key, value in image.items():
            image[key] = torch.from_numpy(np.asarray(value))
        if masks:
            image["masks"] = _ellipses(image.pop("boxes"), side)
    return preds, target


def _boxes(rng, count, side):
    corner, size = rng.uniform(0, side, (count, 2)), np.exp(rng.normal(3.6, 0.9, (count, 2)))
    return np.concatenate([corner, corner + size], axis=1)


def _ellipses(boxes, side):
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    x1, y1, x2, y2 = (column[:, None, None] for column in boxes.T)
    u, v = (2 * x - x1 - x2) / (x2 - x1), (2 * y - y1 - y2) / (y2 - y1)
    return u**2 + v**2 <= 1
