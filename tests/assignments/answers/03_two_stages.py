# %% recall: proposals are taken in the order in which they come -> recall-one recall-many
import torch


def recall_at(tables, scores, ks, threshold):
    objects = sum(table.shape[1] for table in tables)
    found = [sum((t[:k] >= threshold).any(0).sum().item() for t in tables) for k in ks]
    return torch.tensor(found) / objects


# %% recall: hits of proposals are counted in place of objects -> recall-one recall-many
def recall_at(tables, scores, ks, threshold):
    objects = sum(table.shape[1] for table in tables)
    found = torch.zeros(len(ks))
    for table, score in zip(tables, scores, strict=True):
        table = table[score.argsort(descending=True)]
        found += torch.tensor([(table[:k] >= threshold).sum().item() for k in ks])
    return found / objects


# %% recall: an object counts only if it is its proposal's best one -> recall-one recall-many
def recall_at(tables, scores, ks, threshold):
    objects = sum(table.shape[1] for table in tables)
    found = torch.zeros(len(ks))
    for table, score in zip(tables, scores, strict=True):
        if table.numel() == 0:
            continue
        table = table[score.argsort(descending=True)]
        hits = (table >= threshold) & (table == table.max(1, keepdim=True).values)
        first = hits & (table.argmax(1)[:, None] == torch.arange(table.shape[1]))
        found += torch.stack([first[:k].any(0).sum() for k in ks])
    return found / objects


# %% recall: a mean over pictures -> recall-many
def recall_at(tables, scores, ks, threshold):
    rows = []
    for table, score in zip(tables, scores, strict=True):
        hits = table[score.argsort(descending=True)] >= threshold
        rows.append(torch.stack([hits[:k].any(0).float().mean() for k in ks]))
    return torch.stack(rows).nanmean(0)


# %% recall: the k best proposals of all pictures together -> recall-many
def recall_at(tables, scores, ks, threshold):
    objects = sum(table.shape[1] for table in tables)
    ranked = [(s, i, n) for i, row in enumerate(scores) for n, s in enumerate(row.tolist())]
    ranked.sort(reverse=True)
    found = []
    for k in ks:
        hit = [torch.zeros(table.shape[1], dtype=torch.bool) for table in tables]
        for _, i, n in ranked[:k]:
            hit[i] |= tables[i][n] >= threshold
        found.append(sum(h.sum().item() for h in hit))
    return torch.tensor(found) / objects if objects else torch.full((len(ks),), torch.nan)


# %% look: -1 and 1 are the centres of the border pixels -> look-values look-turn
def look(theta, output, source):
    y, x = (torch.linspace(-1, 1, n) for n in output)
    y, x = torch.meshgrid(y, x, indexing="ij")
    here = torch.stack([x, y, torch.ones_like(x)], -1)
    return (here @ theta.T + 1) / 2 * torch.tensor(source[::-1], dtype=theta.dtype)


# %% look: width and height of the source are swapped -> look-values look-turn
def look(theta, output, source):
    y, x = ((2 * torch.arange(n) + 1) / n - 1 for n in output)
    y, x = torch.meshgrid(y, x, indexing="ij")
    here = torch.stack([x, y, torch.ones_like(x)], -1)
    return (here @ theta.T + 1) / 2 * torch.tensor(source, dtype=theta.dtype)


# %% look: theta is applied from the other side -> look-turn
def look(theta, output, source):
    y, x = ((2 * torch.arange(n) + 1) / n - 1 for n in output)
    y, x = torch.meshgrid(y, x, indexing="ij")
    here = torch.stack([x, y], -1) @ theta[:, :2] + theta[:, 2]
    return (here + 1) / 2 * torch.tensor(source[::-1], dtype=theta.dtype)


# %% look: right points, cut off from the graph -> look-turn
def look(theta, output, source):
    y, x = ((2 * torch.arange(n) + 1) / n - 1 for n in output)
    y, x = torch.meshgrid(y, x, indexing="ij")
    here = torch.stack([x, y, torch.ones_like(x)], -1)
    size = torch.tensor(source[::-1], dtype=theta.dtype)
    return (here @ theta.detach().T + 1) / 2 * size


# %% look: counts pixels from their centres, half a pixel off -> look-values look-turn
def look(theta, output, source):
    y, x = ((2 * torch.arange(n) + 1) / n - 1 for n in output)
    y, x = torch.meshgrid(y, x, indexing="ij")
    here = torch.stack([x, y, torch.ones_like(x)], -1)
    return (here @ theta.T + 1) / 2 * torch.tensor(source[::-1], dtype=theta.dtype) - 0.5


# %% align: aligned=False, half a cell is not subtracted -> align-inside align-points align-border
def align(features, box, cells, points):
    tables = []
    for axis, length in enumerate(features.shape[:0:-1]):
        number = cells[1 - axis] * points
        place = box[axis] + (torch.arange(number) + 0.5) / number * (box[axis + 2] - box[axis])
        outside = (place < -1) | (place > length)
        place = place.clamp(0, length - 1)
        weight = (1 - (place[:, None] - torch.arange(length)).abs()).clamp(min=0)
        weight = weight.masked_fill(outside[:, None], 0)
        tables.append(weight.unflatten(0, (-1, points)).mean(1).to(features.dtype))
    return tables[1] @ features @ tables[0].T


# %% align: points run from side to side of each cell -> align-points align-border
def align(features, box, cells, points):
    tables = []
    for axis, length in enumerate(features.shape[:0:-1]):
        width = (box[axis + 2] - box[axis]) / cells[1 - axis]
        inside = torch.linspace(0, 1, points) if points > 1 else torch.tensor([0.5])
        place = box[axis] + (torch.arange(cells[1 - axis])[:, None] + inside).flatten() * width
        place = place - 0.5
        outside = (place < -1) | (place > length)
        place = place.clamp(0, length - 1)
        weight = (1 - (place[:, None] - torch.arange(length)).abs()).clamp(min=0)
        weight = weight.masked_fill(outside[:, None], 0)
        tables.append(weight.unflatten(0, (-1, points)).mean(1).to(features.dtype))
    return tables[1] @ features @ tables[0].T


# %% align: points beyond the border count as 0 bit by bit, as in the lesson -> align-border
def align(features, box, cells, points):
    tables = []
    for axis, length in enumerate(features.shape[:0:-1]):
        number = cells[1 - axis] * points
        place = box[axis] + (torch.arange(number) + 0.5) / number * (box[axis + 2] - box[axis])
        weight = (1 - (place[:, None] - 0.5 - torch.arange(length)).abs()).clamp(min=0)
        tables.append(weight.unflatten(0, (-1, points)).mean(1).to(features.dtype))
    return tables[1] @ features @ tables[0].T


# %% align: every point beyond the border takes the border's value -> align-border
def align(features, box, cells, points):
    tables = []
    for axis, length in enumerate(features.shape[:0:-1]):
        number = cells[1 - axis] * points
        place = box[axis] + (torch.arange(number) + 0.5) / number * (box[axis + 2] - box[axis])
        place = (place - 0.5).clamp(0, length - 1)
        weight = (1 - (place[:, None] - torch.arange(length)).abs()).clamp(min=0)
        tables.append(weight.unflatten(0, (-1, points)).mean(1).to(features.dtype))
    return tables[1] @ features @ tables[0].T


# %% align: rows and columns are swapped -> align-inside align-points align-border
def align(features, box, cells, points):
    tables = []
    for axis, length in enumerate(features.shape[:0:-1]):
        number = cells[axis] * points
        place = box[axis] + (torch.arange(number) + 0.5) / number * (box[axis + 2] - box[axis])
        place = place - 0.5
        outside = (place < -1) | (place > length)
        place = place.clamp(0, length - 1)
        weight = (1 - (place[:, None] - torch.arange(length)).abs()).clamp(min=0)
        weight = weight.masked_fill(outside[:, None], 0)
        tables.append(weight.unflatten(0, (-1, points)).mean(1).to(features.dtype))
    return tables[1] @ features @ tables[0].T


# %% align: the box becomes plain numbers -> align-slope
def align(features, box, cells, points):
    tables = []
    for axis, length in enumerate(features.shape[:0:-1]):
        number = cells[1 - axis] * points
        low, high = box[axis].item(), box[axis + 2].item()
        place = low + (torch.arange(number) + 0.5) / number * (high - low) - 0.5
        outside = (place < -1) | (place > length)
        place = place.clamp(0, length - 1)
        weight = (1 - (place[:, None] - torch.arange(length)).abs()).clamp(min=0)
        weight = weight.masked_fill(outside[:, None], 0)
        tables.append(weight.unflatten(0, (-1, points)).mean(1).to(features.dtype))
    return tables[1] @ features @ tables[0].T
