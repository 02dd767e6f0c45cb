# %% groups: ties go up -> groups-values groups-bottlenecks
def fit_groups(widths, bottlenecks, groups):
    found, fitted = [], []
    for w, b, g in zip(widths, bottlenecks, groups, strict=True):
        v = max(1, int(w * b))
        g = min(g, v)
        unit = math.lcm(g, int(b)) if b > 1 else g
        v = max(unit, int(v / unit + 0.5) * unit)
        found.append(int(v / b))
        fitted.append(g)
    return found, fitted


# %% groups: the bottleneck need not divide -> groups-bottlenecks
def fit_groups(widths, bottlenecks, groups):
    found, fitted = [], []
    for w, b, g in zip(widths, bottlenecks, groups, strict=True):
        v = max(1, int(w * b))
        g = min(g, v)
        v = max(g, round(v / g) * g)
        found.append(int(v / b))
        fitted.append(g)
    return found, fitted


# %% groups: a group may be wider than its channels -> groups-values groups-bottlenecks
def fit_groups(widths, bottlenecks, groups):
    found = []
    for w, b, g in zip(widths, bottlenecks, groups, strict=True):
        v = max(1, int(w * b))
        unit = math.lcm(g, int(b)) if b > 1 else g
        found.append(int(max(unit, round(v / unit) * unit) / b))
    return found, list(groups)


# %% groups: the width inside is returned -> groups-bottlenecks
def fit_groups(widths, bottlenecks, groups):
    found, fitted = [], []
    for w, b, g in zip(widths, bottlenecks, groups, strict=True):
        v = max(1, int(w * b))
        g = min(g, v)
        unit = math.lcm(g, int(b)) if b > 1 else g
        found.append(max(unit, round(v / unit) * unit))
        fitted.append(g)
    return found, fitted


# %% best: drawn with replacement -> best-values best-large
def expected_best(errors):
    n = len(errors)
    i = torch.arange(1, n + 1, dtype=torch.float64)
    m = i[:, None]
    chance = ((n - i + 1) / n) ** m - ((n - i) / n) ** m
    return chance @ errors.sort().values


# %% best: factorials themselves -> best-large
def expected_best(errors):
    n = len(errors)
    count = torch.arange(1, n + 1, dtype=torch.float64)
    i, m = count[None], count[:, None]

    def binomial(above, below):
        factorial = [torch.lgamma(x + 1).exp() for x in (above, below, above - below)]
        return factorial[0] / (factorial[1] * factorial[2])

    possible = n - i >= m - 1
    chance = binomial(n - i, torch.where(possible, m - 1, 0)) / binomial(torch.full_like(m, n), m)
    return torch.where(possible, chance, 0) @ errors.sort().values


# %% best: errors in the order in which they came -> best-values best-large
def expected_best(errors):
    n = len(errors)
    count = torch.arange(1, n + 1, dtype=torch.float64)
    i, m = count[None], count[:, None]

    def log_binomial(above, below):
        return torch.lgamma(above + 1) - torch.lgamma(below + 1) - torch.lgamma(above - below + 1)

    possible = n - i >= m - 1
    logs = log_binomial(n - i, torch.where(possible, m - 1, 0))
    logs = logs - log_binomial(torch.full_like(m, n), m)
    return torch.where(possible, logs.exp(), 0) @ errors


# %% depth: the first picture's mix for all -> depth-pictures
def mixed_depthwise(x, shares, kernels, biases):
    weight = torch.einsum("k,kcij->cij", shares[0], kernels)
    out = F.conv2d(
        x, weight[:, None], shares[0] @ biases, padding=kernels.shape[-1] // 2, groups=x.shape[1]
    )
    return out


# %% depth: biases are not mixed -> depth-values depth-pictures
def mixed_depthwise(x, shares, kernels, biases):
    weight = torch.einsum("bk,kcij->bcij", shares, kernels)
    size = kernels.shape[-1]
    out = F.conv2d(
        x.reshape(1, -1, *x.shape[2:]),
        weight.reshape(-1, 1, size, size),
        padding=size // 2,
        groups=x.shape[0] * x.shape[1],
    )
    return out.view_as(x) + biases.mean(0)[:, None, None]


# %% depth: a padding for kernels of three alone -> depth-values
def mixed_depthwise(x, shares, kernels, biases):
    weight = torch.einsum("bk,kcij->bcij", shares, kernels)
    size = kernels.shape[-1]
    out = F.conv2d(
        x.reshape(1, -1, *x.shape[2:]),
        weight.reshape(-1, 1, size, size),
        padding=min(1, size // 2),
        groups=x.shape[0] * x.shape[1],
    )
    return out.view_as(x) + (shares @ biases)[:, :, None, None]
