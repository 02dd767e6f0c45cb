# %% wins: higher losses win -> wins-values wins-ties
import itertools

import torch


def wins(losses):
    losses = torch.where(losses.isnan(), torch.inf, losses.double())
    higher = (losses[:, None] > losses).double()
    equal = (losses[:, None] == losses).double()
    return (higher + equal / 2).mean(2)


# %% wins: a tie is nobody's win -> wins-ties
def wins(losses):
    losses = torch.where(losses.isnan(), torch.inf, losses.double())
    table = (losses[:, None] < losses).double().mean(2)
    table.fill_diagonal_(0.5)
    return table


# %% wins: a comparison with nan is false both ways -> wins-ties
def wins(losses):
    losses = losses.double()
    lower = (losses[:, None] < losses).double()
    equal = (losses[:, None] == losses).double()
    return (lower + equal / 2).mean(2)


# %% wins: the mean losses are compared, not the pictures -> wins-values wins-ties
def wins(losses):
    means = torch.where(losses.isnan(), torch.inf, losses.double()).mean(1)
    return (means[:, None] < means).double() + (means[:, None] == means).double() / 2


# %% shares: the left eigenvector -> shares-values shares-edges
def affinities(table, clip=0.001):
    table = table.double().clamp(clip, 1 - clip)
    values, vectors = torch.linalg.eig((table / table.T).T)
    largest = values.real.argmax()
    shares = vectors[:, largest].real.abs()
    size = len(table)
    inconsistency = (values.real[largest].item() - size) / (size - 1) if size > 1 else 0.0
    return shares / shares.sum(), inconsistency


# %% shares: the wins themselves in place of their ratios -> shares-values shares-edges shares-cycle
def affinities(table, clip=0.001):
    table = table.double().clamp(clip, 1 - clip)
    values, vectors = torch.linalg.eig(table)
    largest = values.real.argmax()
    shares = vectors[:, largest].real.abs()
    size = len(table)
    inconsistency = (values.real[largest].item() - size) / (size - 1) if size > 1 else 0.0
    return shares / shares.sum(), inconsistency


# %% shares: no clipping -> shares-edges
def affinities(table, clip=0.001):
    ratio = table.double() / table.double().T
    shares = torch.ones(len(table), dtype=torch.float64)
    for _ in range(500):
        shares = ratio @ shares
        largest = shares.sum().item()
        shares = shares / largest
    size = len(table)
    return shares, (largest - size) / (size - 1) if size > 1 else 0.0


# %% shares: the mean of the ratios of each row -> shares-values
def affinities(table, clip=0.001):
    table = table.double().clamp(clip, 1 - clip)
    shares = (table / table.T).mean(1)
    values = torch.linalg.eigvals(table / table.T).real
    size = len(table)
    inconsistency = (values.max().item() - size) / (size - 1) if size > 1 else 0.0
    return shares / shares.sum(), inconsistency


# %% shares: the inconsistency is not divided by S - 1 -> shares-cycle
def affinities(table, clip=0.001):
    table = table.double().clamp(clip, 1 - clip)
    values, vectors = torch.linalg.eig(table / table.T)
    largest = values.real.argmax()
    shares = vectors[:, largest].real.abs()
    return shares / shares.sum(), values.real[largest].item() - len(table)


# %% shares: 0 / 0 for one source -> shares-edges
def affinities(table, clip=0.001):
    table = table.double().clamp(clip, 1 - clip)
    values, vectors = torch.linalg.eig(table / table.T)
    largest = values.real.argmax()
    shares = vectors[:, largest].real.abs()
    size = len(table)
    return shares / shares.sum(), (values.real[largest].item() - size) / (size - 1)


# %% choice: one source after the other, each time the one that adds most -> choice-values choice-costs choice-pairs
def choose(ways, costs, budget):
    names = sorted({name for sources, _, _ in ways for name in sources})
    targets = sorted({target for _, target, _ in ways})

    def value(bought):
        usable = [way for way in ways if set(way[0]) <= set(bought)]
        return sum(max([way[2] for way in usable if way[1] == t], default=0) for t in targets)

    bought = []
    while True:
        spent = sum(costs[name] for name in bought)
        rest = [n for n in names if n not in bought and spent + costs[n] <= budget]
        best = max(rest, key=lambda name: value([*bought, name]), default=None)
        if best is None or value([*bought, best]) <= value(bought):
            break
        bought.append(best)
    if not bought:
        raise ValueError("nothing can be bought")
    return value(bought), tuple(sorted(bought))


# %% choice: prices are not looked at -> choice-costs
def choose(ways, costs, budget):
    names = sorted({name for sources, _, _ in ways for name in sources})
    targets = {target for _, target, _ in ways}
    best = None
    for size in range(min(budget, len(names)) + 1):
        for bought in itertools.combinations(names, size):
            usable = [way for way in ways if set(way[0]) <= set(bought)]
            into = {
                t: max([w for w in usable if w[1] == t], key=lambda w: w[2], default=None)
                for t in targets
            }
            if None in into.values():
                continue
            value = sum(way[2] for way in into.values())
            if best is None or value > best[0] + 1e-12:
                best = value, tuple(sorted({n for way in into.values() for n in way[0]}))
    if best is None:
        raise ValueError("the budget serves no taxonomy")
    return best


# %% choice: one source of a pair is enough -> choice-pairs
def choose(ways, costs, budget):
    names = sorted({name for sources, _, _ in ways for name in sources})
    targets = {target for _, target, _ in ways}
    best = None
    for size in range(len(names) + 1):
        for bought in itertools.combinations(names, size):
            if sum(costs[name] for name in bought) > budget:
                continue
            usable = [way for way in ways if set(way[0]) & set(bought)]
            into = {
                t: max([w for w in usable if w[1] == t], key=lambda w: w[2], default=None)
                for t in targets
            }
            if None in into.values():
                continue
            value = sum(way[2] for way in into.values())
            if best is None or value > best[0] + 1e-12:
                best = value, bought
    if best is None:
        raise ValueError("the budget serves no taxonomy")
    return best


# %% choice: a target may stay without a way -> choice-pairs
def choose(ways, costs, budget):
    names = sorted({name for sources, _, _ in ways for name in sources})
    targets = {target for _, target, _ in ways}
    best = None
    for size in range(1, len(names) + 1):
        for bought in itertools.combinations(names, size):
            if sum(costs[name] for name in bought) > budget:
                continue
            usable = [way for way in ways if set(way[0]) <= set(bought)]
            into = [
                max([w for w in usable if w[1] == t], key=lambda w: w[2], default=None)
                for t in targets
            ]
            into = [way for way in into if way]
            value = sum(way[2] for way in into)
            if best is None or value > best[0] + 1e-12:
                best = value, tuple(sorted({n for way in into for n in way[0]}))
    if best is None:
        raise ValueError("the budget serves no taxonomy")
    return best


# %% choice: all of the budget is spent, and what nobody uses is listed -> choice-values
def choose(ways, costs, budget):
    names = sorted({name for sources, _, _ in ways for name in sources})
    targets = {target for _, target, _ in ways}
    best = None
    for size in range(len(names), -1, -1):
        for bought in itertools.combinations(names, size):
            if sum(costs[name] for name in bought) > budget:
                continue
            usable = [way for way in ways if set(way[0]) <= set(bought)]
            into = [max([w[2] for w in usable if w[1] == t], default=None) for t in targets]
            if None in into:
                continue
            if best is None or sum(into) > best[0] + 1e-12:
                best = sum(into), bought
    if best is None:
        raise ValueError("the budget serves no taxonomy")
    return best


# %% depth: divided by the prediction -> depth-values depth-unknown
def scores_of(p, t):
    difference = p.log() - t.log()
    within = torch.maximum(p / t, t / p) < 1.25
    return [((p - t).abs() / p).mean(), difference.std(correction=0), within.double().mean()]


def depth_scores(pred, target, valid):
    rows = [
        scores_of(p[v].double(), t[v].double())
        for p, t, v in zip(pred, target, valid, strict=True)
        if v.any()
    ]
    return tuple(torch.tensor(rows).mean(0).tolist())


# %% depth: all pixels of all pictures in one mean -> depth-unknown
def depth_scores(pred, target, valid):
    p, t = pred[valid].double(), target[valid].double()
    difference = p.log() - t.log()
    within = torch.maximum(p / t, t / p) < 1.25
    relative = ((p - t).abs() / t).mean()
    each = [
        (a[v].log() - b[v].log()).std(correction=0)
        for a, b, v in zip(pred.double(), target.double(), valid, strict=True)
        if v.any()
    ]
    assert len(difference)
    return relative.item(), torch.stack(each).mean().item(), within.double().mean().item()


# %% depth: unknown pixels are multiplied by 0, and nan times 0 is nan -> depth-unknown
def depth_scores(pred, target, valid):
    pred, target, count = pred.double(), target.double(), valid.sum((1, 2))
    difference = pred.log() - target.log()
    mean = (difference * valid).sum((1, 2)) / count
    spread = (((difference - mean[:, None, None]) ** 2 * valid).sum((1, 2)) / count).sqrt()
    relative = ((pred - target).abs() / target * valid).sum((1, 2)) / count
    within = torch.maximum(pred / target, target / pred) < 1.25
    share = (within * valid).sum((1, 2)) / count
    return relative.mean().item(), spread.mean().item(), share.mean().item()


# %% depth: the second score is the root mean square, which forgives no factor -> depth-values
def rms_scores(p, t):
    difference = p.log() - t.log()
    within = torch.maximum(p / t, t / p) < 1.25
    return [
        ((p - t).abs() / t).mean(),
        difference.square().mean().sqrt() + 0,
        within.double().mean(),
    ]


def depth_scores(pred, target, valid):
    rows = [
        rms_scores(p[v].double(), t[v].double())
        for p, t, v in zip(pred, target, valid, strict=True)
        if v.any()
    ]
    return tuple(torch.tensor(rows).mean(0).tolist())


# %% depth: only predictions that are too far count as wrong -> depth-values
def far_scores(p, t):
    difference = p.log() - t.log()
    return [
        ((p - t).abs() / t).mean(),
        difference.std(correction=0),
        (p / t < 1.25).double().mean(),
    ]


def depth_scores(pred, target, valid):
    rows = [
        far_scores(p[v].double(), t[v].double())
        for p, t, v in zip(pred, target, valid, strict=True)
        if v.any()
    ]
    return tuple(torch.tensor(rows).mean(0).tolist())
