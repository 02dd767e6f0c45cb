# %% topk: ties are broken by the order of classes, as in the lesson -> topk-ties
import torch


def expected_topk(scores, labels, k):
    own = scores.gather(1, labels[:, None])
    tie = (scores == own) & (torch.arange(scores.shape[1]) < labels[:, None])
    return (((scores > own) | tie).sum(1) < k).float()


# %% topk: of equal scores all count -> topk-ties
def expected_topk(scores, labels, k):
    own = scores.gather(1, labels[:, None])
    return ((scores > own).sum(1) < k).float()


# %% topk: the probability is not bounded by 0 and 1 -> topk-plain topk-ties
def expected_topk(scores, labels, k):
    own = scores.gather(1, labels[:, None])
    return (k - (scores > own).sum(1)) / (scores == own).sum(1)


# %% topk: torch.topk fails when k exceeds the number of classes -> topk-plain topk-ties
def expected_topk(scores, labels, k):
    return (scores.topk(k).indices == labels[:, None]).any(1).float()


# %% entropy: the logarithm of a softmax -> entropy-stable
def soft_cross_entropy(logits, targets):
    return -(targets * logits.softmax(1).log()).sum(1)


# %% entropy: one maximum for the whole batch -> entropy-stable
def soft_cross_entropy(logits, targets):
    z = logits - logits.max()
    return -(targets * (z - z.exp().sum(1, keepdim=True).log())).sum(1)


# %% entropy: the mean over the batch -> entropy-values entropy-stable
def soft_cross_entropy(logits, targets):
    z = logits - logits.max(1, keepdim=True).values
    return -(targets * (z - z.exp().sum(1, keepdim=True).log())).sum(1).mean()


# %% entropy: only the most probable class of the target counts -> entropy-values entropy-stable
def soft_cross_entropy(logits, targets):
    z = logits - logits.max(1, keepdim=True).values
    log_p = z - z.exp().sum(1, keepdim=True).log()
    return -log_p.gather(1, targets.argmax(1, keepdim=True))[:, 0]


# %% entropy: right, but cut off from the graph -> entropy-stable
def soft_cross_entropy(logits, targets):
    z = (logits - logits.max(1, keepdim=True).values).detach()
    return -(targets * (z - z.exp().sum(1, keepdim=True).log())).sum(1)


# %% soft: the density of a Gaussian, as in the lesson's exercise -> soft-rows soft-values
def soft_targets(number, k, sigma):
    d = torch.arange(k) - number[:, None]
    return (-(d**2) / (2 * sigma**2)).exp() / (sigma * (2 * torch.pi) ** 0.5)


# %% soft: the 2 of the exponent is missing -> soft-values
def soft_targets(number, k, sigma):
    d = torch.arange(k) - number[:, None]
    return (-(d**2) / sigma**2).softmax(1)


# %% soft: the distance is not squared -> soft-values
def soft_targets(number, k, sigma):
    d = torch.arange(k) - number[:, None]
    return (-d.abs() / (2 * sigma**2)).softmax(1)


# %% angle: the offset is measured from the left edge -> angle-encode angle-seam
def encode_angle(angle, k):
    scaled = torch.remainder(angle, 360) * k / 360
    number = scaled.long().clamp(0, k - 1)
    return number, scaled - number


def decode_angle(number, offset, k):
    angle = torch.remainder((number + 0.5 + offset) * 360 / k, 360)
    return torch.where(angle < 360, angle, 0.0)


# %% angle: angles beyond one turn are not brought back -> angle-seam angle-decode
def encode_angle(angle, k):
    scaled = angle * k / 360
    number = scaled.long().clamp(0, k - 1)
    return number, scaled - number - 0.5


def decode_angle(number, offset, k):
    return (number + 0.5 + offset) * 360 / k


# %% angle: the remainder of a tiny negative angle rounds up to bin k -> angle-seam
def encode_angle(angle, k):
    scaled = torch.remainder(angle, 360) * k / 360
    number = scaled.long()
    return number, scaled - number - 0.5


def decode_angle(number, offset, k):
    return torch.remainder((number + 0.5 + offset) * 360 / k, 360)


# %% angle: fmod keeps the sign -> angle-seam angle-decode
def encode_angle(angle, k):
    scaled = torch.fmod(angle, 360) * k / 360
    number = scaled.long().clamp(0, k - 1)
    return number, scaled - number - 0.5


def decode_angle(number, offset, k):
    return torch.fmod((number + 0.5 + offset) * 360 / k, 360)
