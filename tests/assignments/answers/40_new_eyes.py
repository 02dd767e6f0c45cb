# %% fall: divides by the old depth -> fall-values fall-behind
def fall(u, v, z, K, pose):
    pixel = torch.stack([u, v, torch.ones_like(u)])
    moved = pose[:3, :3] @ (z * (torch.linalg.inv(K) @ pixel)) + pose[:3, 3:]
    return torch.cat([(K @ moved)[:2] / z, moved[2:]]).T


# %% fall: t before R -> fall-values
def fall(u, v, z, K, pose):
    pixel = torch.stack([u, v, torch.ones_like(u)])
    moved = pose[:3, :3] @ (z * (torch.linalg.inv(K) @ pixel) + pose[:3, 3:])
    depth = moved[2]
    place = torch.where(depth > 0, (K @ moved)[:2] / depth.where(depth > 0, 1), NAN)
    return torch.cat([place, depth[None]]).T


# %% fall: the camera does not turn -> fall-values
def fall(u, v, z, K, pose):
    pixel = torch.stack([u, v, torch.ones_like(u)])
    moved = z * (torch.linalg.inv(K) @ pixel) + pose[:3, 3:]
    depth = moved[2]
    place = torch.where(depth > 0, (K @ moved)[:2] / depth.where(depth > 0, 1), NAN)
    return torch.cat([place, depth[None]]).T


# %% fall: what is behind is mirrored into the picture -> fall-behind
def fall(u, v, z, K, pose):
    pixel = torch.stack([u, v, torch.ones_like(u)])
    moved = pose[:3, :3] @ (z * (torch.linalg.inv(K) @ pixel)) + pose[:3, 3:]
    return torch.cat([(K @ moved)[:2] / moved[2], moved[2:]]).T


# %% line: from far to near -> line-values line-order
def splat_line(x, z, values, width, radius, most):
    row = torch.zeros(len(values), width, dtype=values.dtype)
    order = z.argsort(stable=True)
    for pixel in range(width):
        near = order[((x[order] - pixel).abs() < radius) & (z[order] >= 0)][:most]
        through = 1.0
        for k in near.flip(0):
            alpha = 1 - (x[k] - pixel).abs() / radius
            row[:, pixel] += alpha * through * values[:, k]
            through = through * (1 - alpha)
    return row


# %% line: a weighted sum instead of a composite -> line-values line-order line-most
def splat_line(x, z, values, width, radius, most):
    row = torch.zeros(len(values), width, dtype=values.dtype)
    order = z.argsort(stable=True)
    for pixel in range(width):
        near = order[((x[order] - pixel).abs() < radius) & (z[order] >= 0)][:most]
        row[:, pixel] = values[:, near] @ (1 - (x[near] - pixel).abs() / radius)
    return row


# %% line: of equal depths the later is nearer -> line-order
def splat_line(x, z, values, width, radius, most):
    row = torch.zeros(len(values), width, dtype=values.dtype)
    order = z.argsort(stable=True, descending=True).flip(0)
    for pixel in range(width):
        near = order[((x[order] - pixel).abs() < radius) & (z[order] >= 0)][:most]
        through = 1.0
        for k in near:
            alpha = 1 - (x[k] - pixel).abs() / radius
            row[:, pixel] += alpha * through * values[:, k]
            through = through * (1 - alpha)
    return row


# %% line: points behind the camera are in front of all -> line-order
def splat_line(x, z, values, width, radius, most):
    row = torch.zeros(len(values), width, dtype=values.dtype)
    order = z.argsort(stable=True)
    for pixel in range(width):
        through = 1.0
        for k in order[(x[order] - pixel).abs() < radius][:most]:
            alpha = 1 - (x[k] - pixel).abs() / radius
            row[:, pixel] += alpha * through * values[:, k]
            through = through * (1 - alpha)
    return row


# %% line: the nearest of all points, whether they reach the pixel or not -> line-most
def splat_line(x, z, values, width, radius, most):
    row = torch.zeros(len(values), width, dtype=values.dtype)
    order = z.argsort(stable=True)
    order = order[z[order] >= 0][:most]
    for pixel in range(width):
        through = 1.0
        for k in order:
            alpha = (1 - (x[k] - pixel).abs() / radius).clamp(min=0)
            row[:, pixel] += alpha * through * values[:, k]
            through = through * (1 - alpha)
    return row


# %% line: a point at just the radius takes a place -> line-most
def splat_line(x, z, values, width, radius, most):
    row = torch.zeros(len(values), width, dtype=values.dtype)
    order = z.argsort(stable=True)
    for pixel in range(width):
        near = order[((x[order] - pixel).abs() <= radius) & (z[order] >= 0)][:most]
        through = 1.0
        for k in near:
            alpha = 1 - (x[k] - pixel).abs() / radius
            row[:, pixel] += alpha * through * values[:, k]
            through = through * (1 - alpha)
    return row


# %% align: weights only choose -> align-values align-flat
def align(a, b, weight):
    a, b = a[weight > 0], b[weight > 0]
    if len(a) == 0:
        return 1.0, 0.0
    da = a - a.mean()
    if (da**2).sum() == 0:
        return 1.0, float((b - a).mean())
    s = (da * (b - b.mean())).sum() / (da**2).sum()
    return float(s), float(b.mean() - s * a.mean())


# %% align: weights are counted twice -> align-values align-flat
def align(a, b, weight):
    a, b, weight = a[weight > 0], b[weight > 0], weight[weight > 0] ** 2
    if len(a) == 0:
        return 1.0, 0.0
    mean_a, mean_b = (weight * a).sum() / weight.sum(), (weight * b).sum() / weight.sum()
    variance = (weight * (a - mean_a) ** 2).sum()
    if variance == 0:
        return 1.0, float(mean_b - mean_a)
    s = (weight * (a - mean_a) * (b - mean_b)).sum() / variance
    return float(s), float(mean_b - s * mean_a)


# %% align: nan times 0 -> align-holes
def align(a, b, weight):
    total = weight.sum()
    if total == 0:
        return 1.0, 0.0
    mean_a, mean_b = (weight * a).sum() / total, (weight * b).sum() / total
    variance = (weight * (a - mean_a) ** 2).sum()
    if variance == 0:
        return 1.0, float(mean_b - mean_a)
    s = (weight * (a - mean_a) * (b - mean_b)).sum() / variance
    return float(s), float(mean_b - s * mean_a)


# %% align: 0 divided by 0 -> align-flat
def align(a, b, weight):
    a, b, weight = a[weight > 0], b[weight > 0], weight[weight > 0]
    mean_a, mean_b = (weight * a).sum() / weight.sum(), (weight * b).sum() / weight.sum()
    variance = (weight * (a - mean_a) ** 2).sum()
    s = (weight * (a - mean_a) * (b - mean_b)).sum() / variance
    return float(s), float(mean_b - s * mean_a)
