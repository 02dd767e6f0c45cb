# %% tversky: alpha and beta are swapped -> tversky-values
import torch


def tversky(p, labels, alpha, beta, void):
    judged = labels != void
    p, labels = p[:, judged], labels[judged]
    t = (labels == torch.arange(len(p))[:, None]).to(p)
    shared = (p * t).sum(1)
    below = shared + beta * (p * (1 - t)).sum(1) + alpha * ((1 - p) * t).sum(1)
    return torch.where(below > 0, shared / below.where(below > 0, 1), 1.0)


# %% tversky: void pixels count as background of every class -> tversky-edges
def tversky(p, labels, alpha, beta, void):
    t = (labels == torch.arange(len(p))[:, None]).to(p)
    shared = (p * t).sum(1)
    below = shared + alpha * (p * (1 - t)).sum(1) + beta * ((1 - p) * t).sum(1)
    return torch.where(below > 0, shared / below.where(below > 0, 1), 1.0)


# %% tversky: a number is added above and below in place of a rule for 0 / 0 -> tversky-edges
def tversky(p, labels, alpha, beta, void):
    judged = labels != void
    p, labels = p[:, judged], labels[judged]
    t = (labels == torch.arange(len(p))[:, None]).to(p)
    shared = (p * t).sum(1)
    below = shared + alpha * (p * (1 - t)).sum(1) + beta * ((1 - p) * t).sum(1)
    return (shared + 1e-5) / (below + 1e-5)


# %% tversky: the Dice score, whatever alpha and beta are -> tversky-values
def tversky(p, labels, alpha, beta, void):
    judged = labels != void
    p, labels = p[:, judged], labels[judged]
    t = (labels == torch.arange(len(p))[:, None]).to(p)
    below = p.sum(1) + t.sum(1)
    return torch.where(below > 0, 2 * (p * t).sum(1) / below.where(below > 0, 1), 1.0)


# %% tversky: probabilities are rounded to a mask first -> tversky-values tversky-edges
def tversky(p, labels, alpha, beta, void):
    judged = labels != void
    p, labels = (p[:, judged] > 0.5).to(p), labels[judged]
    t = (labels == torch.arange(len(p))[:, None]).to(p)
    shared = (p * t).sum(1)
    below = shared + alpha * (p * (1 - t)).sum(1) + beta * ((1 - p) * t).sum(1)
    return torch.where(below > 0, shared / below.where(below > 0, 1), 1.0)


# %% rises: the loss in place of its rises -> rises-values rises-empty
def rises(truth):
    total = truth.sum(1, keepdim=True)
    right, union = total - truth.cumsum(1), total + (~truth).cumsum(1)
    return 1 - right / union


# %% rises: one union for all, the whole picture's -> rises-values rises-empty
def rises(truth):
    total = truth.sum(1, keepdim=True)
    loss = 1 - (total - truth.cumsum(1)) / truth.shape[1]
    return loss.diff(dim=1, prepend=torch.zeros(len(loss), 1))


# %% rises: without foreground there is nothing to lose -> rises-empty
def rises(truth):
    total = truth.sum(1, keepdim=True)
    right, union = total - truth.cumsum(1), total + (~truth).cumsum(1)
    loss = (1 - right / union) * (total > 0)
    return loss.diff(dim=1, prepend=torch.zeros(len(loss), 1))


# %% rises: the first pixel keeps no rise -> rises-values rises-empty
def rises(truth):
    total = truth.sum(1, keepdim=True)
    right, union = total - truth.cumsum(1), total + (~truth).cumsum(1)
    return (1 - right / union).diff(dim=1, prepend=torch.ones(len(truth), 1))


# %% hinge: all pictures are sorted together -> hinge-batch hinge-edges
def lovasz_hinge(logits, labels, void):
    x, truth = logits[labels != void], labels[labels != void] == 1
    errors, order = torch.where(truth, 1 - x, 1 + x).relu().sort(descending=True)
    truth = truth[order]
    loss = 1 - (truth.sum() - truth.cumsum(0)) / (truth.sum() + (~truth).cumsum(0))
    return (errors * loss.diff(prepend=loss.new_zeros(1))).sum()


# %% hinge: void pixels count as background -> hinge-batch hinge-edges
def lovasz_hinge(logits, labels, void):
    costs = []
    for x, y in zip(logits.flatten(1), labels.flatten(1), strict=True):
        truth = y == 1
        errors, order = torch.where(truth, 1 - x, 1 + x).relu().sort(descending=True)
        truth = truth[order]
        loss = 1 - (truth.sum() - truth.cumsum(0)) / (truth.sum() + (~truth).cumsum(0))
        costs.append((errors * loss.diff(prepend=loss.new_zeros(1))).sum())
    return torch.stack(costs).mean()


# %% hinge: truth stays in the order of pixels -> hinge-one hinge-batch
def lovasz_hinge(logits, labels, void):
    costs = []
    for x, y in zip(logits, labels, strict=True):
        truth = y[y != void] == 1
        x = x[y != void]
        errors = torch.where(truth, 1 - x, 1 + x).relu().sort(descending=True).values
        loss = 1 - (truth.sum() - truth.cumsum(0)) / (truth.sum() + (~truth).cumsum(0))
        costs.append((errors * loss.diff(prepend=loss.new_zeros(1))).sum())
    return torch.stack(costs).mean()


# %% hinge: errors are not cut at 0 -> hinge-one hinge-batch
def lovasz_hinge(logits, labels, void):
    costs = []
    for x, y in zip(logits, labels, strict=True):
        truth = y[y != void] == 1
        x = x[y != void]
        errors, order = torch.where(truth, 1 - x, 1 + x).sort(descending=True)
        truth = truth[order]
        loss = 1 - (truth.sum() - truth.cumsum(0)) / (truth.sum() + (~truth).cumsum(0))
        costs.append((errors * loss.diff(prepend=loss.new_zeros(1))).sum())
    return torch.stack(costs).mean()


# %% hinge: pictures without foreground are skipped -> hinge-edges
def lovasz_hinge(logits, labels, void):
    costs = [0 * logits.sum()]
    for x, y in zip(logits, labels, strict=True):
        truth = y[y != void] == 1
        x = x[y != void]
        if not truth.any():
            continue
        errors, order = torch.where(truth, 1 - x, 1 + x).relu().sort(descending=True)
        truth = truth[order]
        loss = 1 - (truth.sum() - truth.cumsum(0)) / (truth.sum() + (~truth).cumsum(0))
        costs.append((errors * loss.diff(prepend=loss.new_zeros(1))).sum())
    return sum(costs) / max(len(costs) - 1, 1)
