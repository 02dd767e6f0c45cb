# %% divide: a white of its own for each channel -> divide-values divide-colours
def without_light(images, light, power):
    y = images / light.clamp(min=1e-3) ** power
    white = y.flatten(2).quantile(0.99, 2).clamp(min=1e-3)
    return (y / white[:, :, None, None]).clamp(0, 1)


# %% divide: one white for all pictures -> divide-values
def without_light(images, light, power):
    y = images / light.clamp(min=1e-3) ** power
    return (y / y.quantile(0.99).clamp(min=1e-3)).clamp(0, 1)


# %% divide: where there is no light it divides by nothing -> divide-dark
def without_light(images, light, power):
    y = images / light**power
    white = y.flatten(1).quantile(0.99, 1).clamp(min=1e-3)
    return (y / white[:, None, None, None]).clamp(0, 1)


# %% divide: white is the largest number -> divide-values
def without_light(images, light, power):
    y = images / light.clamp(min=1e-3) ** power
    white = y.flatten(1).amax(1).clamp(min=1e-3)
    return (y / white[:, None, None, None]).clamp(0, 1)


# %% focus: bright detail alone counts -> focus-values focus-signs
def stacked(images, levels):
    *details, last = laplacian_pyramid(images, levels)
    kept = []
    for detail in details:
        winner = detail.sum(1).argmax(0)
        kept.append(detail.take_along_dim(winner[None, None], 0)[0])
    return collapse_pyramid([*kept, last.mean(0)])


# %% focus: each channel chooses for itself -> focus-values focus-signs
def stacked(images, levels):
    *details, last = laplacian_pyramid(images, levels)
    kept = [d.take_along_dim(d.abs().argmax(0)[None], 0)[0] for d in details]
    return collapse_pyramid([*kept, last.mean(0)])


# %% focus: the last level is chosen, too -> focus-values focus-same
def stacked(images, levels):
    kept = []
    for detail in laplacian_pyramid(images, levels):
        winner = detail.abs().sum(1).argmax(0)
        kept.append(detail.take_along_dim(winner[None, None], 0)[0])
    return collapse_pyramid(kept)


# %% focus: the mean of all -> focus-values focus-signs
def stacked(images, levels):
    return images.mean(0)


# %% leave: each example answers itself -> leave-values leave-itself leave-far
def left_out(samples, targets, sigmas):
    far = (samples[:, None] - samples).square().sum(2)
    errors = []
    for sigma in sigmas:
        weights = torch.softmax(-far / (2 * sigma**2), 1)
        errors.append((weights @ targets - targets).abs().mean())
    return torch.stack(errors)


# %% leave: nothing over nothing -> leave-far
def left_out(samples, targets, sigmas):
    far = (samples[:, None] - samples).square().sum(2)
    errors = []
    for sigma in sigmas:
        weights = torch.exp(-far / (2 * sigma**2))
        weights = weights - torch.diag(weights.diagonal())
        said = weights @ targets / weights.sum(1)
        errors.append((said - targets).abs().mean())
    return torch.stack(errors)


# %% leave: squared errors -> leave-values leave-itself leave-far
def left_out(samples, targets, sigmas):
    far = (samples[:, None] - samples).square().sum(2)
    far.fill_diagonal_(math.inf)
    errors = []
    for sigma in sigmas:
        weights = torch.softmax(-far / (2 * sigma**2), 1)
        errors.append((weights @ targets - targets).square().mean())
    return torch.stack(errors)


# %% leave: all at no distance are left out, twins too -> leave-values leave-itself
def left_out(samples, targets, sigmas):
    far = (samples[:, None] - samples).square().sum(2)
    far = torch.where(far == 0, math.inf, far)
    errors = []
    for sigma in sigmas:
        weights = torch.softmax(-far / (2 * sigma**2), 1)
        errors.append((weights @ targets - targets).abs().mean())
    return torch.stack(errors)
