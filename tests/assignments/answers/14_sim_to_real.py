# %% decisions: the buffer is not emptied -> decisions-values decisions-thresholds
def decisions(marks, m, t_low, t_high):
    buffers, found = {}, []
    for end, mark in marks:
        buffers.setdefault(end, []).append(mark)
        if len(buffers[end]) >= m:
            mean = sum(buffers[end][-m:]) / m
            found.append((end, int(mean >= t_high) - int(mean <= t_low)))
    return found


# %% decisions: thresholds are left out -> decisions-thresholds
def decisions(marks, m, t_low, t_high):
    buffers, found = {}, []
    for end, mark in marks:
        buffer = buffers.setdefault(end, [])
        buffer.append(mark)
        if len(buffer) == m:
            mean = sum(buffer) / m
            found.append((end, int(mean > t_high) - int(mean < t_low)))
            buffers[end] = []
    return found


# %% decisions: one buffer for all ends -> decisions-values decisions-thresholds
def decisions(marks, m, t_low, t_high):
    buffer, found = [], []
    for end, mark in marks:
        buffer.append(mark)
        if len(buffer) == m:
            mean = sum(buffer) / m
            found.append((end, int(mean >= t_high) - int(mean <= t_low)))
            buffer = []
    return found


# %% decisions: those that stay are not told -> decisions-values decisions-thresholds
def decisions(marks, m, t_low, t_high):
    buffers, found = {}, []
    for end, mark in marks:
        buffer = buffers.setdefault(end, [])
        buffer.append(mark)
        if len(buffer) == m:
            mean = sum(buffer) / m
            way = int(mean >= t_high) - int(mean <= t_low)
            if way:
                found.append((end, way))
            buffers[end] = []
    return found


# %% move: outwards is up for both ends -> move-directions move-limits
def move(low, high, step, limits, i, side, outwards):
    low, high = low.clone(), high.clone()
    if side == "low":
        low[i] = (low[i] + outwards * step[i]).clamp(limits[i, 0], high[i])
    else:
        high[i] = (high[i] + outwards * step[i]).clamp(low[i], limits[i, 1])
    return low, high


# %% move: ends may cross -> move-limits
def move(low, high, step, limits, i, side, outwards):
    low, high = low.clone(), high.clone()
    if side == "low":
        low[i] = (low[i] - outwards * step[i]).clamp(limits[i, 0], limits[i, 1])
    else:
        high[i] = (high[i] + outwards * step[i]).clamp(limits[i, 0], limits[i, 1])
    return low, high


# %% move: both ends move -> move-directions move-limits
def move(low, high, step, limits, i, side, outwards):
    low, high = low.clone(), high.clone()
    low[i] = (low[i] - outwards * step[i]).clamp(limits[i, 0], high[i])
    high[i] = (high[i] + outwards * step[i]).clamp(low[i], limits[i, 1])
    return low, high


# %% hardest: the hardest, whatever their class -> hardest-values hardest-edges
import torch


def hardest(losses, labels, n, most):
    return losses.sort(descending=True, stable=True).indices[:n]


# %% hardest: cut to n first, then to the classes -> hardest-values
def hardest(losses, labels, n, most):
    taken, counts = [], {}
    for i in losses.sort(descending=True, stable=True).indices[:n].tolist():
        label = int(labels[i])
        if counts.get(label, 0) < most:
            taken.append(i)
            counts[label] = counts.get(label, 0) + 1
    return torch.tensor(taken, dtype=torch.int64)


# %% hardest: of equal losses the last comes first -> hardest-edges
def hardest(losses, labels, n, most):
    taken, counts = [], {}
    order = losses.flip(0).sort(descending=True, stable=True).indices
    for i in (len(losses) - 1 - order).tolist():
        label = int(labels[i])
        if len(taken) < n and counts.get(label, 0) < most:
            taken.append(i)
            counts[label] = counts.get(label, 0) + 1
    return torch.tensor(taken, dtype=torch.int64)


# %% hardest: in the batch's order -> hardest-values hardest-edges
def hardest(losses, labels, n, most):
    taken, counts = [], {}
    for i in losses.sort(descending=True, stable=True).indices.tolist():
        label = int(labels[i])
        if len(taken) < n and counts.get(label, 0) < most:
            taken.append(i)
            counts[label] = counts.get(label, 0) + 1
    return torch.tensor(sorted(taken), dtype=torch.int64)
