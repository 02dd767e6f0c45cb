# %% ratio: one other picture for each -> ratio-values ratio-shape
def reconstruction_ratio(images, back):
    own = (images - back).flatten(1).norm(dim=1).mean()
    return own / (images.roll(1, 0) - back).square().flatten(1).mean(1).sqrt().mean()


# %% ratio: each picture is among its own others -> ratio-values ratio-shape
def reconstruction_ratio(images, back):
    distances = torch.cdist(images.flatten(1), back.flatten(1))
    return distances.diagonal().mean() / distances.mean()


# %% ratio: mean absolute differences -> ratio-values ratio-shape
def reconstruction_ratio(images, back):
    distances = torch.cdist(images.flatten(1), back.flatten(1), p=1)
    others = distances[~torch.eye(len(images), dtype=torch.bool)]
    return distances.diagonal().mean() / others.mean()


# %% ratio: squared distances -> ratio-values ratio-shape
def reconstruction_ratio(images, back):
    distances = torch.cdist(images.flatten(1), back.flatten(1)).square()
    others = distances[~torch.eye(len(images), dtype=torch.bool)]
    return distances.diagonal().mean() / others.mean()


# %% joint: logarithms of 0 -> joint-values joint-slopes
def pair_divergence(p, q, encoder, generator):
    real, made = p[:, None] * encoder, (q[:, None] * generator).T
    middle = (real + made) / 2
    return ((real * (real / middle).log()).sum() + (made * (made / middle).log()).sum()) / 2


# %% joint: nan is mended afterwards, in the value only -> joint-slopes
def pair_divergence(p, q, encoder, generator):
    real, made = p[:, None] * encoder, (q[:, None] * generator).T
    middle = (real + made) / 2
    parts = real * (real / middle).log(), made * (made / middle).log()
    return sum(part.nan_to_num().sum() for part in parts) / 2


# %% joint: the generator's table is not turned -> joint-values
def pair_divergence(p, q, encoder, generator):
    real, made = p[:, None] * encoder, q[None, :] * generator.reshape(encoder.shape)
    middle = ((real + made) / 2).clamp(min=1e-30)
    parts = [a * (a.clamp(min=1e-30) / middle).log() for a in (real, made)]
    return sum(part.sum() for part in parts) / 2


# %% joint: the Kullback-Leibler divergence of one from the other -> joint-values joint-slopes
def pair_divergence(p, q, encoder, generator):
    real, made = p[:, None] * encoder, (q[:, None] * generator).T
    return (real * ((real + 1e-12) / (made + 1e-12)).log()).sum()


# %% return: the target learns too -> return-slopes
def relative_return(w, back):
    return (back - w).square().mean() / w.var(0, unbiased=False).mean()


# %% return: what came back is detached -> return-slopes
def relative_return(w, back):
    return (back.detach() - w).square().mean() / w.detach().var(0, unbiased=False).mean()


# %% return: one variance over all numbers -> return-values return-slopes
def relative_return(w, back):
    return (back - w.detach()).square().mean() / w.detach().var(unbiased=False)


# %% return: divided by N - 1 -> return-values return-slopes
def relative_return(w, back):
    return (back - w.detach()).square().mean() / w.detach().var(0).mean()
