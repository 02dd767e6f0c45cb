# %% agreement: the arithmetic mean of the entropies -> agreement-values
def agreement(A, B):
    names_a, a = A.unique(return_inverse=True)
    names_b, b = B.unique(return_inverse=True)
    wide = len(names_b)
    joint = torch.bincount(a * wide + b, minlength=len(names_a) * wide)
    p = joint.view(-1, wide).double() / len(a)
    rows, columns = p.sum(1), p.sum(0)
    h_a, h_b = -(rows * rows.log()).sum(), -(columns * columns.log()).sum()
    if len(names_a) == 1 or wide == 1:
        return float(len(names_a) == wide)
    some = p > 0
    shared = (p[some] * (p / (rows[:, None] * columns))[some].log()).sum()
    return float(2 * shared / (h_a + h_b))


# %% agreement: pairs that never occur give nan -> agreement-values agreement-names
def agreement(A, B):
    names_a, a = A.unique(return_inverse=True)
    names_b, b = B.unique(return_inverse=True)
    wide = len(names_b)
    joint = torch.bincount(a * wide + b, minlength=len(names_a) * wide)
    p = joint.view(-1, wide).double() / len(a)
    rows, columns = p.sum(1), p.sum(0)
    h_a, h_b = -(rows * rows.log()).sum(), -(columns * columns.log()).sum()
    if len(names_a) == 1 or wide == 1:
        return float(len(names_a) == wide)
    shared = (p * (p / (rows[:, None] * columns)).log()).sum()
    return float(shared / (h_a * h_b).sqrt())


# %% agreement: the share of equal names -> agreement-values agreement-names agreement-one
def agreement(A, B):
    return float((A == B).double().mean())


# %% agreement: one group divides by zero -> agreement-one
def agreement(A, B):
    names_a, a = A.unique(return_inverse=True)
    names_b, b = B.unique(return_inverse=True)
    wide = len(names_b)
    joint = torch.bincount(a * wide + b, minlength=len(names_a) * wide)
    p = joint.view(-1, wide).double() / len(a)
    rows, columns = p.sum(1), p.sum(0)
    h_a, h_b = -(rows * rows.log()).sum(), -(columns * columns.log()).sum()
    some = p > 0
    shared = (p[some] * (p / (rows[:, None] * columns))[some].log()).sum()
    return float(shared / (h_a * h_b).sqrt())


# %% agreement: labels are taken to be small and from 0 -> agreement-names
def agreement(A, B):
    if len(A.unique()) == 1 or len(B.unique()) == 1:
        return float(len(A.unique()) == len(B.unique()))
    p = torch.zeros(int(A.max()) + 1, int(B.max()) + 1, dtype=torch.double)
    for a, b in zip(A.tolist(), B.tolist(), strict=True):
        p[a, b] += 1 / len(A)
    rows, columns = p.sum(1), p.sum(0)
    h_a, h_b = torch.special.entr(rows).sum(), torch.special.entr(columns).sum()
    some = p > 0
    shared = (p[some] * (p / (rows[:, None] * columns))[some].log()).sum()
    return float(shared / (h_a * h_b).sqrt())


# %% step: an empty cluster keeps its centre -> step-empty step-last
def lloyd_step(rows, centres):
    found = torch.cdist(rows, centres).argmin(1)
    new = centres.clone()
    for c in found.unique():
        new[c] = rows[found == c].mean(0)
    return found, new


# %% step: centres move half of the way -> step-values step-empty
def lloyd_step(rows, centres):
    k = len(centres)
    distance, found = torch.cdist(rows, centres).min(1)
    for empty in (found.bincount(minlength=k) == 0).nonzero()[:, 0]:
        sizes = found.bincount(minlength=k)
        may_go = distance.masked_fill(sizes[found] < 2, -1.0)
        found[may_go.argmax()] = empty
    new = torch.stack([rows[found == c].mean(0) for c in range(k)])
    return found, (centres + new) / 2


# %% step: the farthest row goes, even the last of its cluster -> step-last
def lloyd_step(rows, centres):
    k = len(centres)
    distance, found = torch.cdist(rows, centres).min(1)
    for empty in (found.bincount(minlength=k) == 0).nonzero()[:, 0]:
        place = distance.argmax()
        found[place], distance[place] = empty, -1.0
    new = torch.stack([rows[found == c].mean(0) for c in range(k)])
    return found, new


# %% step: the members are counted once, before any row moves -> step-last
def lloyd_step(rows, centres):
    k = len(centres)
    distance, found = torch.cdist(rows, centres).min(1)
    sizes = found.bincount(minlength=k)
    may_go = distance.masked_fill(sizes[found] < 2, -1.0)
    for empty in (sizes == 0).nonzero()[:, 0]:
        place = may_go.argmax()
        found[place], may_go[place] = empty, -1.0
    new = torch.stack([rows[found == c].mean(0) for c in range(k)])
    return found, new


# %% balanced: rows first, columns last -> balanced-values balanced-large
def balanced(scores, epsilon, rounds):
    log_q = scores / epsilon
    for _ in range(rounds):
        log_q = log_q - log_q.logsumexp(1, keepdim=True)
        log_q = log_q - log_q.logsumexp(0) + math.log(len(scores) / scores.shape[1])
    return log_q.exp()


# %% balanced: exponentials that overflow -> balanced-large
def balanced(scores, epsilon, rounds):
    q = (scores / epsilon).exp()
    for _ in range(rounds):
        q = q / q.sum(0) * len(scores) / scores.shape[1]
        q = q / q.sum(1, keepdim=True)
    return q


# %% balanced: rows only, a softmax -> balanced-values balanced-sizes balanced-large
def balanced(scores, epsilon, rounds):
    return (scores / epsilon).softmax(1)


# %% balanced: one round, however many are asked for -> balanced-values balanced-sizes
def balanced(scores, epsilon, rounds):
    log_q = scores / epsilon
    log_q = log_q - log_q.logsumexp(0) + math.log(len(scores) / scores.shape[1])
    log_q = log_q - log_q.logsumexp(1, keepdim=True)
    return log_q.exp()
