# %% overlap: negative sides are not cut at 0 -> overlap-values overlap-edges
import torch


def overlaps(detections, regions):
    a, b = detections[:, None], regions[None]
    shared = (a[..., 2:].minimum(b[..., 2:]) - a[..., :2].maximum(b[..., :2])).prod(-1)
    area_a, area_b = ((x[..., 2:] - x[..., :2]).prod(-1) for x in (a, b))
    return shared / (area_a + area_b - shared).clamp(min=1e-30), shared / area_a.clamp(min=1e-30)


# %% overlap: the share of the region in place of the detection -> overlap-values
def overlaps(detections, regions):
    a, b = detections[:, None], regions[None]
    sides = a[..., 2:].minimum(b[..., 2:]) - a[..., :2].maximum(b[..., :2])
    shared = sides.clamp(min=0).prod(-1)
    area_a, area_b = ((x[..., 2:] - x[..., :2]).prod(-1) for x in (a, b))
    return shared / (area_a + area_b - shared).clamp(min=1e-30), shared / area_b.clamp(min=1e-30)


# %% overlap: pixels are counted with both edges, as in old code -> overlap-values overlap-edges
def overlaps(detections, regions):
    a, b = detections[:, None], regions[None]
    sides = a[..., 2:].minimum(b[..., 2:]) - a[..., :2].maximum(b[..., :2]) + 1
    shared = sides.clamp(min=0).prod(-1)
    area_a, area_b = ((x[..., 2:] - x[..., :2] + 1).prod(-1) for x in (a, b))
    return shared / (area_a + area_b - shared), shared / area_a


# %% overlap: 0 / 0 for a box without area -> overlap-edges
def overlaps(detections, regions):
    a, b = detections[:, None], regions[None]
    sides = a[..., 2:].minimum(b[..., 2:]) - a[..., :2].maximum(b[..., :2])
    shared = sides.clamp(min=0).prod(-1)
    area_a, area_b = ((x[..., 2:] - x[..., :2]).prod(-1) for x in (a, b))
    return shared / (area_a + area_b - shared), shared / area_a


# %% overlap: an epsilon that is too large for small boxes -> overlap-edges
def overlaps(detections, regions):
    a, b = detections[:, None], regions[None]
    sides = a[..., 2:].minimum(b[..., 2:]) - a[..., :2].maximum(b[..., :2])
    shared = sides.clamp(min=0).prod(-1)
    area_a, area_b = ((x[..., 2:] - x[..., :2]).prod(-1) for x in (a, b))
    return shared / (area_a + area_b - shared + 1e-6), shared / (area_a + 1e-9)


# %% nms: a box that has fallen makes others fall -> nms-greedy nms-classes
def table(boxes):
    low = boxes[:, None, :2].maximum(boxes[None, :, :2])
    shared = (boxes[:, None, 2:].minimum(boxes[None, :, 2:]) - low).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return shared / (area[:, None] + area[None] - shared)


def suppress(boxes, scores, labels, threshold):
    order = scores.sort(descending=True, stable=True).indices
    rivals = (table(boxes) > threshold) & (labels[:, None] == labels[None])
    rivals = rivals[order][:, order].triu(1)
    return order[~rivals.any(0)]


# %% nms: all classes compete -> nms-classes
def table(boxes):
    low = boxes[:, None, :2].maximum(boxes[None, :, :2])
    shared = (boxes[:, None, 2:].minimum(boxes[None, :, 2:]) - low).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return shared / (area[:, None] + area[None] - shared)


def suppress(boxes, scores, labels, threshold):
    overlap, kept = table(boxes), []
    for i in scores.sort(descending=True, stable=True).indices.tolist():
        if all(overlap[i, j] <= threshold for j in kept):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


# %% nms: the indices come in their old order, not by score -> nms-greedy nms-classes
def table(boxes):
    low = boxes[:, None, :2].maximum(boxes[None, :, :2])
    shared = (boxes[:, None, 2:].minimum(boxes[None, :, 2:]) - low).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return shared / (area[:, None] + area[None] - shared)


def suppress(boxes, scores, labels, threshold):
    overlap, kept = table(boxes), []
    for i in scores.sort(descending=True, stable=True).indices.tolist():
        rivals = [j for j in kept if labels[j] == labels[i]]
        if all(overlap[i, j] <= threshold for j in rivals):
            kept.append(i)
    return torch.tensor(sorted(kept), dtype=torch.int64)


# %% nms: an overlap equal to the threshold suppresses -> nms-edges
def table(boxes):
    low = boxes[:, None, :2].maximum(boxes[None, :, :2])
    shared = (boxes[:, None, 2:].minimum(boxes[None, :, 2:]) - low).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return shared / (area[:, None] + area[None] - shared)


def suppress(boxes, scores, labels, threshold):
    overlap, kept = table(boxes), []
    for i in scores.sort(descending=True, stable=True).indices.tolist():
        rivals = [j for j in kept if labels[j] == labels[i]]
        if all(overlap[i, j] < threshold for j in rivals):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


# %% nms: classes are set apart by a shift that negative coordinates defeat -> nms-classes
def table(boxes):
    low = boxes[:, None, :2].maximum(boxes[None, :, :2])
    shared = (boxes[:, None, 2:].minimum(boxes[None, :, 2:]) - low).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return shared / (area[:, None] + area[None] - shared)


def suppress(boxes, scores, labels, threshold):
    if len(boxes) == 0:
        return torch.zeros(0, dtype=torch.int64)
    overlap, kept = table(boxes + (labels * boxes.max())[:, None]), []
    for i in scores.sort(descending=True, stable=True).indices.tolist():
        if all(overlap[i, j] <= threshold for j in kept):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


# %% decode: the centre moves by pixels, not by sizes of the anchor -> decode-values decode-wild
def decode(offsets, anchors, size, limit=62.5):
    sides, centre = anchors[:, 2:] - anchors[:, :2], (anchors[:, 2:] + anchors[:, :2]) / 2
    half = offsets[:, 2:].exp().clamp(max=limit) * sides / 2
    centre = centre + offsets[:, :2]
    border = torch.tensor([size[1], size[0]], dtype=anchors.dtype)
    return torch.cat([(centre + s * half).clamp(min=0).minimum(border) for s in (-1, 1)], 1)


# %% decode: height and width are swapped -> decode-values decode-wild
def decode(offsets, anchors, size, limit=62.5):
    sides, centre = anchors[:, 2:] - anchors[:, :2], (anchors[:, 2:] + anchors[:, :2]) / 2
    half = offsets[:, 2:].exp().clamp(max=limit) * sides / 2
    centre = centre + offsets[:, :2] * sides
    border = torch.tensor(size, dtype=anchors.dtype)
    return torch.cat([(centre + s * half).clamp(min=0).minimum(border) for s in (-1, 1)], 1)


# %% decode: the stretch is not limited -> decode-wild
def decode(offsets, anchors, size, limit=62.5):
    sides, centre = anchors[:, 2:] - anchors[:, :2], (anchors[:, 2:] + anchors[:, :2]) / 2
    half = offsets[:, 2:].exp() * sides / 2
    centre = centre + offsets[:, :2] * sides
    border = torch.tensor([size[1], size[0]], dtype=anchors.dtype)
    return torch.cat([(centre + s * half).clamp(min=0).minimum(border) for s in (-1, 1)], 1)


# %% decode: the logarithm is limited at 62.5 itself -> decode-wild
def decode(offsets, anchors, size, limit=62.5):
    sides, centre = anchors[:, 2:] - anchors[:, :2], (anchors[:, 2:] + anchors[:, :2]) / 2
    half = offsets[:, 2:].clamp(max=limit).exp() * sides / 2
    centre = centre + offsets[:, :2] * sides
    border = torch.tensor([size[1], size[0]], dtype=anchors.dtype)
    return torch.cat([(centre + s * half).clamp(min=0).minimum(border) for s in (-1, 1)], 1)


# %% ap: a second hit on one object counts -> ap-one ap-many ap-edges
def ap(tables, scores, threshold):
    objects = sum(table.shape[1] for table in tables)
    if objects == 0:
        return float("nan")
    pairs = [
        (s, t.max() if len(t) else 0)
        for S, T in zip(scores, tables, strict=True)
        for s, t in zip(S, T, strict=True)
    ]
    hits = [float(o >= threshold) for _, o in sorted(pairs, key=lambda p: -p[0])]
    found = torch.tensor(hits).cumsum(0)
    precision = found / torch.arange(1, len(hits) + 1)
    best = precision.flip(0).cummax(0).values.flip(0) if hits else precision
    return (found.diff(prepend=torch.zeros(1)) / objects * best).sum().item()


# %% ap: precision itself, not the best one from there on -> ap-one ap-many
def ap(tables, scores, threshold):
    objects = sum(table.shape[1] for table in tables)
    if objects == 0:
        return float("nan")
    ranked = [(s, i, n) for i, row in enumerate(scores) for n, s in enumerate(row.tolist())]
    free = [torch.ones(table.shape[1], dtype=torch.bool) for table in tables]
    total, found = 0.0, 0
    for place, (_, i, n) in enumerate(sorted(ranked, reverse=True), 1):
        overlap = torch.where(free[i], tables[i][n], -1.0)
        if len(overlap) and overlap.max() >= threshold:
            free[i][overlap.argmax()] = False
            found += 1
            total += found / place / objects
    return total


# %% ap: a mean over pictures -> ap-many
def one(table, scores, threshold):
    objects = table.shape[1]
    if objects == 0:
        return float("nan")
    free = torch.ones(objects, dtype=torch.bool)
    hits = []
    for n in scores.argsort(descending=True):
        overlap = torch.where(free, table[n], -1.0)
        hits.append(float(overlap.max() >= threshold))
        if hits[-1]:
            free[overlap.argmax()] = False
    found = torch.tensor(hits).cumsum(0)
    precision = found / torch.arange(1, len(hits) + 1)
    best = precision.flip(0).cummax(0).values.flip(0) if hits else precision
    return (found.diff(prepend=torch.zeros(1)) / objects * best).sum().item()


def ap(tables, scores, threshold):
    values = [one(t, s, threshold) for t, s in zip(tables, scores, strict=True)]
    values = [v for v in values if v == v]
    return sum(values) / len(values) if values else float("nan")


# %% ap: VOC's rule, the best object only even when it is taken -> ap-one ap-edges
def ap(tables, scores, threshold):
    objects = sum(table.shape[1] for table in tables)
    if objects == 0:
        return float("nan")
    ranked = [(s, i, n) for i, row in enumerate(scores) for n, s in enumerate(row.tolist())]
    free = [torch.ones(table.shape[1], dtype=torch.bool) for table in tables]
    hits = []
    for _, i, n in sorted(ranked, reverse=True):
        overlap = tables[i][n]
        hit = len(overlap) > 0 and bool(overlap.max() >= threshold and free[i][overlap.argmax()])
        if hit:
            free[i][overlap.argmax()] = False
        hits.append(float(hit))
    found = torch.tensor(hits).cumsum(0)
    precision = found / torch.arange(1, len(hits) + 1)
    best = precision.flip(0).cummax(0).values.flip(0) if hits else precision
    return (found.diff(prepend=torch.zeros(1)) / objects * best).sum().item()
