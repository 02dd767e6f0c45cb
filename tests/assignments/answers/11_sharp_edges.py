# %% unsure: low scores are taken for doubt -> unsure-values unsure-ties unsure-edges
import torch


def unsure(scores, count):
    index = scores.amax(0).flatten().sort(stable=True).indices[:count]
    width = scores.shape[2]
    return torch.stack([index // width, index % width], 1)


# %% unsure: the margin of probabilities, not of scores -> unsure-values unsure-ties
def unsure(scores, count):
    best, second = scores.softmax(0).flatten(1).sort(0, descending=True).values[:2]
    index = (best - second).sort(stable=True).indices[:count]
    width = scores.shape[2]
    return torch.stack([index // width, index % width], 1)


# %% unsure: column and row are swapped -> unsure-values unsure-ties unsure-edges
def unsure(scores, count):
    best, second = scores.flatten(1).sort(0, descending=True).values[:2]
    index = (best - second).sort(stable=True).indices[:count]
    width = scores.shape[2]
    return torch.stack([index % width, index // width], 1)


# %% unsure: divided by the height -> unsure-values unsure-ties unsure-edges
def unsure(scores, count):
    best, second = scores.flatten(1).sort(0, descending=True).values[:2]
    index = (best - second).sort(stable=True).indices[:count]
    height = scores.shape[1]
    return torch.stack([index // height, index % height], 1)


# %% unsure: equal margins from the end, by a sort that is turned round -> unsure-ties
def unsure(scores, count):
    best, second = scores.flatten(1).sort(0, descending=True).values[:2]
    index = (best - second).sort(descending=True, stable=True).indices.flip(0)[:count]
    width = scores.shape[2]
    return torch.stack([index // width, index % width], 1)


# %% unsure: topk, which has no rule for equal margins and none for more than all -> unsure-ties unsure-edges
def unsure(scores, count):
    best, second = scores.topk(2, dim=0).values.flatten(1)
    index = (second - best).topk(count).indices
    width = scores.shape[2]
    return torch.stack([index // width, index % width], 1)


# %% unsure: more than all fills up with the last pixel -> unsure-edges
def unsure(scores, count):
    best, second = scores.flatten(1).sort(0, descending=True).values[:2]
    order = (best - second).sort(stable=True).indices
    index = order[torch.arange(count).clamp(max=len(order) - 1)]
    width = scores.shape[2]
    return torch.stack([index // width, index % width], 1)


# %% update: penalties are added as if they were votes -> update-values update-self update-penalty
def update(q, unary, kernel, penalty):
    others = kernel - kernel.diag().diag()
    return (-unary + penalty @ q @ others).softmax(0)


# %% update: one pixel after the other -> update-values
def update(q, unary, kernel, penalty):
    others, q = kernel - kernel.diag().diag(), q.clone()
    for i in range(q.shape[1]):
        q[:, i] = (-unary[:, i] - penalty @ (q @ others[:, i])).softmax(0)
    return q


# %% update: the softmax is over the pixels -> update-values update-self update-penalty update-stable
def update(q, unary, kernel, penalty):
    others = kernel - kernel.diag().diag()
    return (-unary - penalty @ q @ others).softmax(1)


# %% update: a pixel votes on itself -> update-self update-penalty
def update(q, unary, kernel, penalty):
    return (-unary - penalty @ q @ kernel).softmax(0)


# %% update: one is taken off the diagonal, whatever stands there -> update-values update-self update-penalty
def update(q, unary, kernel, penalty):
    return (-unary - penalty @ q @ (kernel - torch.eye(len(kernel)))).softmax(0)


# %% update: Potts' penalty whatever the table says -> update-penalty
def update(q, unary, kernel, penalty):
    votes = q @ (kernel - kernel.diag().diag())
    return (-unary + votes).softmax(0)


# %% update: the table's diagonal does not count -> update-penalty
def update(q, unary, kernel, penalty):
    others = kernel - kernel.diag().diag()
    return (-unary - (penalty - penalty.diag().diag()) @ q @ others).softmax(0)


# %% update: exponentials without a shift -> update-stable
def update(q, unary, kernel, penalty):
    others = kernel - kernel.diag().diag()
    weight = (-unary - penalty @ q @ others).exp()
    return weight / weight.sum(0)


# %% update: an epsilon hides the nan -> update-stable
def update(q, unary, kernel, penalty):
    others = kernel - kernel.diag().diag()
    weight = (-unary - penalty @ q @ others).exp()
    return weight / (weight.sum(0) + 1e-12)
