# %% means: zeros for a class without examples -> means-none
def class_means(features, labels, classes):
    sums = features.new_zeros(classes, features.shape[1]).index_add(0, labels, features)
    counts = labels.bincount(minlength=classes)
    return sums / counts.clamp(min=1)[:, None], counts


# %% means: only the classes that occur -> means-none means-values
def class_means(features, labels, classes):
    seen, counts = labels.unique(return_counts=True)
    means = torch.stack([features[labels == k].mean(0) for k in seen])
    return means, counts


# %% means: divided by the largest count -> means-values means-none
def class_means(features, labels, classes):
    sums = features.new_zeros(classes, features.shape[1]).index_add(0, labels, features)
    counts = labels.bincount(minlength=classes)
    return sums / counts.max(), counts


# %% attend: no root of D -> attend-values
def attend(C, W_Q, W_K, W_V, there):
    C = C.masked_fill(~there[..., None], 0.0)
    scores = (C @ W_Q) @ (C @ W_K).mT
    asked = there | ~there.any(1, keepdim=True)
    scores = scores.masked_fill(~asked[:, None], -torch.inf)
    return (scores.softmax(2) @ C @ W_V) * there[..., None]


# %% attend: the absent get nothing but are asked -> attend-absent attend-nobody
def attend(C, W_Q, W_K, W_V, there):
    scores = (C @ W_Q) @ (C @ W_K).mT / C.shape[2] ** 0.5
    return (scores.softmax(2) @ C @ W_V) * there[..., None]


# %% attend: a score of zero is no absence -> attend-absent attend-nobody
def attend(C, W_Q, W_K, W_V, there):
    C = C.masked_fill(~there[..., None], 0.0)
    scores = (C @ W_Q) @ (C @ W_K).mT / C.shape[2] ** 0.5
    scores = scores.masked_fill(~there[:, None], 0.0)
    return (scores.softmax(2) @ C @ W_V) * there[..., None]


# %% attend: a softmax over nobody -> attend-nobody
def attend(C, W_Q, W_K, W_V, there):
    C = C.masked_fill(~there[..., None], 0.0)
    scores = (C @ W_Q) @ (C @ W_K).mT / C.shape[2] ** 0.5
    scores = scores.masked_fill(~there[:, None], -torch.inf)
    return (scores.softmax(2) @ C @ W_V) * there[..., None]


# %% attend: weights of 0 times nan -> attend-absent
def attend(C, W_Q, W_K, W_V, there):
    scores = (C @ W_Q) @ (C @ W_K).mT / C.shape[2] ** 0.5
    asked = there | ~there.any(1, keepdim=True)
    scores = scores.masked_fill(~asked[:, None], -torch.inf)
    return (scores.softmax(2) @ C @ W_V) * there[..., None]


# %% shrink: the variance with N in place of N - 1 -> shrink-values shrink-groups shrink-agree
def shrink(C, noise, groups):
    mean, moved = C.mean(0), C.clone()
    for group in groups.unique():
        inside = groups == group
        off = (C - mean)[:, inside]
        v = off.square().mean()
        factor = (1 - noise / v).clamp(min=0) if v > 0 else 1.0
        moved[:, inside] = mean[inside] + factor * off
    return moved


# %% shrink: beyond the mean and out on the other side -> shrink-values shrink-groups
def shrink(C, noise, groups):
    mean, moved = C.mean(0), C.clone()
    for group in groups.unique():
        inside = groups == group
        off = (C - mean)[:, inside]
        v = off.square().sum() / (len(C) - 1) / inside.sum()
        factor = 1 - noise / v if v > 0 else 1.0
        moved[:, inside] = mean[inside] + factor * off
    return moved


# %% shrink: nothing for prototypes that agree -> shrink-agree
def shrink(C, noise, groups):
    mean, moved = C.mean(0), C.clone()
    for group in groups.unique():
        inside = groups == group
        off = (C - mean)[:, inside]
        v = off.square().sum() / (len(C) - 1) / inside.sum()
        moved[:, inside] = mean[inside] + (1 - noise / v).clamp(min=0) * off
    return moved


# %% shrink: one variance for all groups -> shrink-groups shrink-agree
def shrink(C, noise, groups):
    off = C - C.mean(0)
    v = off.square().sum() / (len(C) - 1) / C.shape[1]
    return C.mean(0) + ((1 - noise / v).clamp(min=0) if v > 0 else 1.0) * off


# %% shrink: each direction on its own -> shrink-groups
def shrink(C, noise, groups):
    off = C - C.mean(0)
    v = off.square().sum(0) / (len(C) - 1)
    factor = torch.where(v > 0, (1 - noise / v.clamp(min=1e-30)).clamp(min=0), 1.0)
    return C.mean(0) + factor * off


# %% shrink: the sum over directions without their number -> shrink-groups
def shrink(C, noise, groups):
    mean, moved = C.mean(0), C.clone()
    for group in groups.unique():
        inside = groups == group
        off = (C - mean)[:, inside]
        v = off.square().sum() / (len(C) - 1)
        factor = (1 - noise / v).clamp(min=0) if v > 0 else 1.0
        moved[:, inside] = mean[inside] + factor * off
    return moved
