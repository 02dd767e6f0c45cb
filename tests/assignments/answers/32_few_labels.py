# %% weight: the share of labels is left out -> weight-values weight-ends
def consistency_weight(step, length, highest, labelled, total):
    ramp = 1.0 if step >= length else math.exp(-5 * (1 - step / length) ** 2)
    return highest * ramp


# %% weight: a straight ramp -> weight-values
def consistency_weight(step, length, highest, labelled, total):
    ramp = 1.0 if step >= length else step / length
    return highest * labelled / total * ramp


# %% weight: the ramp is not squared -> weight-values
def consistency_weight(step, length, highest, labelled, total):
    ramp = 1.0 if step >= length else math.exp(-5 * (1 - step / length))
    return highest * labelled / total * ramp


# %% weight: the ramp comes down again after its end -> weight-ends
def consistency_weight(step, length, highest, labelled, total):
    ramp = 1.0 if length == 0 else math.exp(-5 * (1 - step / length) ** 2)
    return highest * labelled / total * ramp


# %% weight: a length of 0 is divided by -> weight-ends
def consistency_weight(step, length, highest, labelled, total):
    share = min(step / length, 1)
    return highest * labelled / total * math.exp(-5 * (1 - share) ** 2)


# %% ensemble: targets without the division -> ensemble-values ensemble-rows ensemble-first
def ensemble(memory, updates, rows, answers, decay):
    targets = memory[rows]
    memory, updates = memory.clone(), updates.clone()
    memory[rows] = decay * memory[rows] + (1 - decay) * answers
    updates[rows] += 1
    return targets, memory, updates


# %% ensemble: targets after this answer -> ensemble-values ensemble-rows ensemble-first
def ensemble(memory, updates, rows, answers, decay):
    memory, updates = memory.clone(), updates.clone()
    memory[rows] = decay * memory[rows] + (1 - decay) * answers
    updates[rows] += 1
    share = 1 - decay ** updates[rows].to(memory.dtype)
    return memory[rows] / share[:, None], memory, updates


# %% ensemble: rows by place in the batch -> ensemble-rows
def ensemble(memory, updates, rows, answers, decay):
    rows = torch.arange(len(rows))
    n = updates[rows]
    share = 1 - decay ** n.to(memory.dtype)
    targets = memory[rows] / torch.where(n > 0, share, 1)[:, None]
    targets = torch.where(n[:, None] > 0, targets, 0)
    memory, updates = memory.clone(), updates.clone()
    memory[rows] = decay * memory[rows] + (1 - decay) * answers
    updates[rows] += 1
    return targets, memory, updates


# %% ensemble: one count of updates for all -> ensemble-rows
def ensemble(memory, updates, rows, answers, decay):
    n = updates.max()
    share = 1 - decay ** n.to(memory.dtype) if n > 0 else 1
    targets = memory[rows] / share
    memory, updates = memory.clone(), updates.clone()
    memory[rows] = decay * memory[rows] + (1 - decay) * answers
    updates[rows] += 1
    return targets, memory, updates


# %% ensemble: nothing is divided by nothing -> ensemble-first
def ensemble(memory, updates, rows, answers, decay):
    share = 1 - decay ** updates[rows].to(memory.dtype)
    targets = memory[rows] / share[:, None]
    memory, updates = memory.clone(), updates.clone()
    memory[rows] = decay * memory[rows] + (1 - decay) * answers
    updates[rows] += 1
    return targets, memory, updates


# %% loss: squares are summed over the classes -> loss-values loss-gradient
def whole_loss(logits, labels, target, counts, weight):
    known = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    squares = (logits.softmax(1) - target.detach()).square().sum(1)
    return (known + weight * (counts * squares).sum()) / len(logits)


# %% loss: labels are divided by the labelled alone -> loss-values
def whole_loss(logits, labels, target, counts, weight):
    known = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    known = known / (labels >= 0).sum().clamp(min=1)
    squares = (logits.softmax(1) - target.detach()).square().mean(1)
    return known + weight * (counts * squares).sum() / len(logits)


# %% loss: every target counts -> loss-values loss-counts
def whole_loss(logits, labels, target, counts, weight):
    known = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    squares = (logits.softmax(1) - target.detach()).square().mean(1)
    return (known + weight * squares.sum()) / len(logits)


# %% loss: targets of labelled pictures never count -> loss-values
def whole_loss(logits, labels, target, counts, weight):
    known = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    squares = (logits.softmax(1) - target.detach()).square().mean(1)
    return (known + weight * (counts * (labels < 0) * squares).sum()) / len(logits)


# %% loss: a gradient flows into the target -> loss-gradient
def whole_loss(logits, labels, target, counts, weight):
    known = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    squares = (logits.softmax(1) - target).square().mean(1)
    return (known + weight * (counts * squares).sum()) / len(logits)
