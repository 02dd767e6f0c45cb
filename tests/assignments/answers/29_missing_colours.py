# %% read: a softmax of shares -> read-values
def paint(shares, centres, temperature):
    return (shares / max(temperature, 1e-3)).softmax(1) @ centres


# %% read: shares that no longer add up to 1 -> read-values read-cold read-small
def paint(shares, centres, temperature):
    if temperature == 0:
        return centres[shares.argmax(1)]
    return shares ** (1 / temperature) @ centres


# %% read: the first of the likeliest -> read-cold
def paint(shares, centres, temperature):
    if temperature == 0:
        return centres[shares.argmax(1)]
    sharp = (shares / shares.max(1, keepdim=True).values) ** (1 / temperature)
    return (sharp / sharp.sum(1, keepdim=True)) @ centres


# %% read: powers that vanish -> read-small
def paint(shares, centres, temperature):
    if temperature == 0:
        sharp = (shares == shares.max(1, keepdim=True).values).to(shares)
    else:
        sharp = shares ** (1 / temperature)
    return (sharp / sharp.sum(1, keepdim=True)) @ centres


# %% read: the temperature as the power -> read-values
def paint(shares, centres, temperature):
    most = shares.max(1, keepdim=True).values
    sharp = (shares / most) ** temperature if temperature else (shares == most).to(shares)
    return (sharp / sharp.sum(1, keepdim=True)) @ centres


# %% balance: the mean over pixels -> balance-values
def balanced_error(errors, colours, bins):
    return errors[colours >= 0].mean().item()


# %% balance: divided by all bins -> balance-values balance-unknown
def balanced_error(errors, colours, bins):
    counts = colours >= 0
    errors, colours = errors[counts], colours[counts]
    number = colours.bincount(minlength=bins)
    total = colours.bincount(errors.double(), minlength=bins)
    return (total / number.clamp(min=1)).mean().item()


# %% balance: unknown pixels in the last bin -> balance-unknown
def balanced_error(errors, colours, bins):
    colours = colours % bins
    found = [errors[colours == k].mean() for k in range(bins) if (colours == k).any()]
    return torch.stack(found).mean().item() if found else float("nan")


# %% balance: unknown pixels as errors of 0 -> balance-unknown
def balanced_error(errors, colours, bins):
    errors = torch.where(colours < 0, torch.zeros_like(errors), errors)
    means = [errors[colours == k].mean() for k in colours.unique()]
    return torch.stack(means).mean().item() if means else float("nan")


# %% hole: the mean over all pixels -> hole-values hole-seen
def hole_loss(prediction, target, hole):
    seen_near = torch.nn.functional.max_pool2d(1 - hole, 3, 1, 1)
    error = torch.where(hole > 0, prediction - target, torch.zeros_like(target))
    return (hole * (1 + 9 * seen_near) * error.square()).mean()


# %% hole: four neighbours -> hole-values
def hole_loss(prediction, target, hole):
    seen, pool = 1 - hole, torch.nn.functional.max_pool2d
    seen_near = torch.maximum(pool(seen, (3, 1), 1, (1, 0)), pool(seen, (1, 3), 1, (0, 1)))
    error = torch.where(hole > 0, prediction - target, torch.zeros_like(target))
    number = (hole.sum() * target.shape[1]).clamp(min=1)
    return (hole * (1 + 9 * seen_near) * error.square()).sum() / number


# %% hole: outside counts as seen -> hole-values hole-seen
def hole_loss(prediction, target, hole):
    hidden = -torch.nn.functional.max_pool2d(
        torch.nn.functional.pad(1 - hole, (1, 1, 1, 1), value=1.0), 3, 1
    )
    error = torch.where(hole > 0, prediction - target, torch.zeros_like(target))
    number = (hole.sum() * target.shape[1]).clamp(min=1)
    return (hole * (1 - 9 * hidden) * error.square()).sum() / number


# %% hole: zero times nan -> hole-seen
def hole_loss(prediction, target, hole):
    seen_near = torch.nn.functional.max_pool2d(1 - hole, 3, 1, 1)
    weight = hole * (1 + 9 * seen_near)
    number = (hole.sum() * target.shape[1]).clamp(min=1)
    return (weight * (prediction - target).square()).sum() / number


# %% hole: channels forgotten in the number -> hole-values hole-seen
def hole_loss(prediction, target, hole):
    seen_near = torch.nn.functional.max_pool2d(1 - hole, 3, 1, 1)
    error = torch.where(hole > 0, prediction - target, torch.zeros_like(target))
    number = hole.sum().clamp(min=1)
    return (hole * (1 + 9 * seen_near) * error.square()).sum() / number
