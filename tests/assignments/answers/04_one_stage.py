# %% prior: the sign of the bias -> prior-bias
import torch
from torch.nn.functional import softplus


def prior_bias(share):
    return ((1 - share) / share).log()


def share_of_negatives(bias, ratio):
    return ratio * softplus(bias) / (softplus(-bias) + ratio * softplus(bias))


# %% prior: the logarithm alone, as if 1 - share were 1 -> prior-bias
from torch.nn.functional import softplus


def prior_bias(share):
    return share.log()


def share_of_negatives(bias, ratio):
    return ratio * softplus(bias) / (softplus(-bias) + ratio * softplus(bias))


# %% prior: the two losses are swapped -> prior-share
from torch.nn.functional import softplus


def prior_bias(share):
    return -((1 - share) / share).log()


def share_of_negatives(bias, ratio):
    return ratio * softplus(-bias) / (softplus(bias) + ratio * softplus(-bias))


# %% prior: logarithms of probabilities that round to 0 and 1 -> prior-share
def prior_bias(share):
    return -((1 - share) / share).log()


def share_of_negatives(bias, ratio):
    p = bias.sigmoid()
    return -ratio * (1 - p).log() / (-p.log() - ratio * (1 - p).log())


# %% prior: the part of the anchors in place of the loss -> prior-share
def prior_bias(share):
    return -((1 - share) / share).log()


def share_of_negatives(bias, ratio):
    return torch.full_like(bias, ratio / (ratio + 1))


# %% mine: undecided anchors are taken for negatives -> mine-hardest mine-batch mine-edges
def mine(loss, positive, undecided, ratio, least):
    wanted = (ratio * positive.sum(1, keepdim=True)).clamp(min=least)
    order = loss.masked_fill(positive, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    return positive | (~positive & (order.argsort(1) < wanted))


# %% mine: one count and one order for the whole batch -> mine-batch mine-edges
def mine(loss, positive, undecided, ratio, least):
    negative = ~(positive | undecided)
    wanted = max(least, int(ratio * positive.sum()))
    candidates = loss.masked_fill(~negative, -torch.inf).flatten()
    order = candidates.sort(descending=True, stable=True).indices
    return positive | (negative & (order.argsort().view_as(loss) < wanted))


# %% mine: what exceeds the k-th loss, so that equal losses all come -> mine-edges
def mine(loss, positive, undecided, ratio, least):
    negative = ~(positive | undecided)
    candidates = loss.masked_fill(~negative, -torch.inf)
    kept = positive.clone()
    for row, values in enumerate(candidates):
        k = min(max(least, int(ratio * positive[row].sum())), int(negative[row].sum()))
        if k:
            kept[row] |= negative[row] & (values >= values.topk(k).values[-1])
    return kept


# %% mine: the first k places are kept whatever lies there -> mine-edges
def mine(loss, positive, undecided, ratio, least):
    negative = ~(positive | undecided)
    wanted = (ratio * positive.sum(1, keepdim=True)).clamp(min=least)
    order = (
        loss.masked_fill(~negative, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    )
    return positive | (order.argsort(1) < wanted)


# %% mine: a picture without objects gives nothing -> mine-batch mine-edges
def mine(loss, positive, undecided, ratio, least):
    negative = ~(positive | undecided)
    wanted = ratio * positive.sum(1, keepdim=True)
    order = (
        loss.masked_fill(~negative, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    )
    return positive | (negative & (order.argsort(1) < wanted))


# %% mine: the order of places is taken for the places -> mine-hardest mine-batch mine-edges
def mine(loss, positive, undecided, ratio, least):
    negative = ~(positive | undecided)
    wanted = (ratio * positive.sum(1, keepdim=True)).clamp(min=least)
    order = (
        loss.masked_fill(~negative, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    )
    return positive | (negative & (order < wanted))


# %% focal: logarithms of probabilities, and 1 - p -> focal-large slope-large
def parts(logits, targets, alpha):
    p = logits.sigmoid()
    return (
        targets * p + (1 - targets) * (1 - p),
        targets * alpha + (1 - targets) * (1 - alpha),
        2 * targets - 1,
    )


def focal(logits, targets, alpha, gamma):
    true, weight, _ = parts(logits, targets, alpha)
    return -weight * (1 - true) ** gamma * true.log()


def focal_slope(logits, targets, alpha, gamma):
    true, weight, sign = parts(logits, targets, alpha)
    return sign * weight * (1 - true) ** gamma * (gamma * true * true.log() + true - 1)


# %% focal: alpha weighs both kinds -> focal-values focal-large slope-values slope-large
from torch.nn.functional import softplus


def focal(logits, targets, alpha, gamma):
    z = (2 * targets - 1) * logits
    return alpha * (-z).sigmoid() ** gamma * softplus(-z)


def focal_slope(logits, targets, alpha, gamma):
    sign = 2 * targets - 1
    z = sign * logits
    inner = -gamma * z.sigmoid() * softplus(-z) - (-z).sigmoid()
    return sign * alpha * (-z).sigmoid() ** gamma * inner


# %% focal: the factor is held constant in the slope -> slope-values slope-large
from torch.nn.functional import softplus


def focal(logits, targets, alpha, gamma):
    z = (2 * targets - 1) * logits
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * (-z).sigmoid() ** gamma * softplus(-z)


def focal_slope(logits, targets, alpha, gamma):
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    miss = (-(2 * targets - 1) * logits).sigmoid()
    return -(2 * targets - 1) * weight * miss ** (gamma + 1)


# %% focal: the slope with respect to the probability -> slope-values slope-large
from torch.nn.functional import softplus


def focal(logits, targets, alpha, gamma):
    z = (2 * targets - 1) * logits
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * (-z).sigmoid() ** gamma * softplus(-z)


def focal_slope(logits, targets, alpha, gamma):
    sign = 2 * targets - 1
    z = sign * logits
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    true, miss = z.sigmoid(), (-z).sigmoid()
    first = gamma * miss ** (gamma - 1) * -softplus(-z)
    return sign * weight * (first - miss**gamma / true)


# %% focal: the sign of a negative's slope -> slope-values slope-large
from torch.nn.functional import softplus


def focal(logits, targets, alpha, gamma):
    z = (2 * targets - 1) * logits
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * (-z).sigmoid() ** gamma * softplus(-z)


def focal_slope(logits, targets, alpha, gamma):
    z = (2 * targets - 1) * logits
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    inner = -gamma * z.sigmoid() * softplus(-z) - (-z).sigmoid()
    return weight * (-z).sigmoid() ** gamma * inner


# %% focal: a small number in the logarithm keeps it finite -> focal-large slope-large
def parts(logits, targets, alpha):
    p = logits.sigmoid()
    return (
        targets * p + (1 - targets) * (1 - p),
        targets * alpha + (1 - targets) * (1 - alpha),
        2 * targets - 1,
    )


def focal(logits, targets, alpha, gamma):
    true, weight, _ = parts(logits, targets, alpha)
    return -weight * (1 - true) ** gamma * (true + 1e-9).log()


def focal_slope(logits, targets, alpha, gamma):
    true, weight, sign = parts(logits, targets, alpha)
    inner = gamma * true * (true + 1e-9).log() + true - 1
    return sign * weight * (1 - true) ** gamma * inner
