# %% recall: a picture finds itself -> recall-values recall-diagonal
def recall(D, labels, k):
    nearest = D.topk(k, dim=1, largest=False).indices
    hit = (labels[nearest] == labels[:, None]).any(1)
    query = (labels[:, None] == labels).sum(1) > 1
    return float(hit[query].float().mean()) if query.any() else math.nan


# %% recall: every picture is a query -> recall-values recall-diagonal
def recall(D, labels, k):
    others = D.clone().fill_diagonal_(torch.inf)
    nearest = others.topk(k, dim=1, largest=False).indices
    return float((labels[nearest] == labels[:, None]).any(1).float().mean())


# %% recall: the diagonal is taken to be the nearest -> recall-values
def recall(D, labels, k):
    nearest = D.topk(k + 1, dim=1, largest=False).indices[:, 1:]
    hit = (labels[nearest] == labels[:, None]).any(1)
    query = (labels[:, None] == labels).sum(1) > 1
    return float(hit[query].float().mean()) if query.any() else math.nan


# %% mining: the nearest negative, however near -> mining-values mining-none
def semi_hard(D, labels):
    same = labels[:, None] == labels
    other = ~torch.eye(len(labels), dtype=torch.bool)
    anchors, positives = (same & other & (~same).any(1)[:, None]).nonzero(as_tuple=True)
    rows = D[anchors].masked_fill(same[anchors], torch.inf)
    return anchors, positives, rows.min(1).indices


# %% mining: without one farther, the first item -> mining-values mining-none
def semi_hard(D, labels):
    same = labels[:, None] == labels
    other = ~torch.eye(len(labels), dtype=torch.bool)
    anchors, positives = (same & other & (~same).any(1)[:, None]).nonzero(as_tuple=True)
    beyond = ~same[anchors] & (D[anchors] > D[anchors, positives][:, None])
    return anchors, positives, D[anchors].masked_fill(~beyond, torch.inf).min(1).indices


# %% mining: as near as the positive counts as farther -> mining-values mining-none
def semi_hard(D, labels):
    same = labels[:, None] == labels
    other = ~torch.eye(len(labels), dtype=torch.bool)
    anchors, positives = (same & other & (~same).any(1)[:, None]).nonzero(as_tuple=True)
    rows, negative = D[anchors], ~same[anchors]
    beyond = negative & (rows >= D[anchors, positives][:, None])
    nearest = rows.masked_fill(~beyond, torch.inf).min(1).indices
    farthest = rows.masked_fill(~negative, -torch.inf).max(1).indices
    return anchors, positives, torch.where(beyond.any(1), nearest, farthest)


# %% mining: an anchor without negatives is kept -> mining-none
def semi_hard(D, labels):
    same = labels[:, None] == labels
    other = ~torch.eye(len(labels), dtype=torch.bool)
    anchors, positives = (same & other).nonzero(as_tuple=True)
    rows, negative = D[anchors], ~same[anchors]
    beyond = negative & (rows > D[anchors, positives][:, None])
    nearest = rows.masked_fill(~beyond, torch.inf).min(1).indices
    farthest = rows.masked_fill(~negative, -torch.inf).max(1).indices
    return anchors, positives, torch.where(beyond.any(1), nearest, farthest)


# %% mining: a large number in place of infinity -> mining-scale
def semi_hard(D, labels):
    same = labels[:, None] == labels
    other = ~torch.eye(len(labels), dtype=torch.bool)
    anchors, positives = (same & other & (~same).any(1)[:, None]).nonzero(as_tuple=True)
    rows, negative = D[anchors], ~same[anchors]
    beyond = negative & (rows > D[anchors, positives][:, None])
    nearest = rows.masked_fill(~beyond, 100.0).min(1).indices
    farthest = rows.masked_fill(~negative, -100.0).max(1).indices
    return anchors, positives, torch.where(beyond.any(1), nearest, farthest)


# %% lifted: pairs counted twice in the divisor -> lifted-values lifted-large lifted-none
def lifted(D, labels, m):
    same = labels[:, None] == labels
    i, j = same.triu(1).nonzero(as_tuple=True)
    if not len(i) or same.all():
        return D.sum() * 0
    rows = (m - D).masked_fill(same, -torch.inf).logsumexp(1)
    J = D[i, j] + torch.logaddexp(rows[i], rows[j])
    return J.relu().square().sum() / (4 * len(i))


# %% lifted: not squared -> lifted-values lifted-large lifted-none
def lifted(D, labels, m):
    same = labels[:, None] == labels
    i, j = same.triu(1).nonzero(as_tuple=True)
    if not len(i) or same.all():
        return D.sum() * 0
    rows = (m - D).masked_fill(same, -torch.inf).logsumexp(1)
    J = D[i, j] + torch.logaddexp(rows[i], rows[j])
    return J.relu().sum() / (2 * len(i))


# %% lifted: the negatives of one end only -> lifted-values lifted-large lifted-none
def lifted(D, labels, m):
    same = labels[:, None] == labels
    i, j = same.triu(1).nonzero(as_tuple=True)
    if not len(i) or same.all():
        return D.sum() * 0
    rows = (m - D).masked_fill(same, -torch.inf).logsumexp(1)
    return (D[i, j] + rows[i]).relu().square().sum() / (2 * len(i))


# %% lifted: the log of a sum of exponentials -> lifted-large
def lifted(D, labels, m):
    same = labels[:, None] == labels
    i, j = same.triu(1).nonzero(as_tuple=True)
    if not len(i) or same.all():
        return D.sum() * 0
    rows = (m - D).exp().masked_fill(same, 0.0).sum(1)
    J = D[i, j] + (rows[i] + rows[j]).log()
    return J.relu().square().sum() / (2 * len(i))


# %% lifted: zero pairs divide by zero -> lifted-none
def lifted(D, labels, m):
    same = labels[:, None] == labels
    i, j = same.triu(1).nonzero(as_tuple=True)
    rows = (m - D).masked_fill(same, -torch.inf).logsumexp(1)
    J = D[i, j] + torch.logaddexp(rows[i], rows[j])
    return J.relu().square().sum() / (2 * len(i))
