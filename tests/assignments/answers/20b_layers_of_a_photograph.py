# %% two-scenes: a share for each colour, then their mean -> two-scenes-values two-scenes-limits
def alpha_of_two(image1, image2, wall1, wall2):
    share = (image1 - image2) / (wall1 - wall2)
    return (1 - share).mean(1, keepdim=True).clamp(0, 1)


# %% two-scenes: alpha is what the background has -> two-scenes-values two-scenes-limits
def alpha_of_two(image1, image2, wall1, wall2):
    apart = wall1 - wall2
    size = apart.square().sum(1, keepdim=True)
    share = ((image1 - image2) * apart).sum(1, keepdim=True) / size
    return torch.where(size > 0, share, torch.ones_like(share)).clamp(0, 1)


# %% two-scenes: something small below the line, and no limits -> two-scenes-limits
def alpha_of_two(image1, image2, wall1, wall2):
    apart = wall1 - wall2
    size = apart.square().sum(1, keepdim=True)
    return 1 - ((image1 - image2) * apart).sum(1, keepdim=True) / (size + 1e-12)


# %% exposure: one gain for all colours -> exposure-values
def same_exposure(image, empty, outline):
    found = empty.clone()
    for b in range(len(image)):
        used = (outline[b] < 0.02) & (empty[b] > 0.05)
        if used.any():
            found[b] = empty[b] * (image[b][used] / empty[b][used]).median()
    return found.clamp(0, 1)


# %% exposure: the mean, which a shadow draws down -> exposure-values
def same_exposure(image, empty, outline):
    found = empty.clone()
    for b in range(len(image)):
        for c in range(3):
            used = (outline[b, 0] < 0.02) & (empty[b, c] > 0.05)
            if used.any():
                found[b, c] = empty[b, c] * (image[b, c][used] / empty[b, c][used]).mean()
    return found.clamp(0, 1)


# %% exposure: dark pixels count, and somebody must be outside -> exposure-edges
def same_exposure(image, empty, outline):
    found = empty.clone()
    for b in range(len(image)):
        for c in range(3):
            used = outline[b, 0] < 0.02
            found[b, c] = empty[b, c] * (image[b, c][used] / empty[b, c][used]).median()
    return found.clamp(0, 1)


# %% fence: the other way -> fence-values fence-weights
def behind(frames, moves, free):
    total, summed = 0 * free[0], 0 * frames[0]
    height, width = frames.shape[2:]
    for frame, (x, y), weight in zip(frames, moves, free, strict=True):
        rows, columns = torch.arange(height) - y, torch.arange(width) - x
        inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        rows, columns = rows.clamp(0, height - 1)[:, None], columns.clamp(0, width - 1)
        seen = weight[:, rows, columns] * inside
        summed, total = summed + frame[:, rows, columns] * seen, total + seen
    return torch.where(total > 0, summed / total.clamp(min=1e-12), 0 * summed), total


# %% fence: what leaves at one side comes in at the other -> fence-values fence-weights
def behind(frames, moves, free):
    turned = [torch.roll(f, (-y, -x), (1, 2)) for f, (x, y) in zip(frames, moves, strict=True)]
    weights = [torch.roll(w, (-y, -x), (1, 2)) for w, (x, y) in zip(free, moves, strict=True)]
    total = sum(weights)
    summed = sum(f * w for f, w in zip(turned, weights, strict=True))
    return torch.where(total > 0, summed / total.clamp(min=1e-12), 0 * summed), total


# %% fence: weights are not moved, and nothing is divided by nothing -> fence-weights
def behind(frames, moves, free):
    total, summed = 0 * free[0], 0 * frames[0]
    height, width = frames.shape[2:]
    for frame, (x, y), weight in zip(frames, moves, free, strict=True):
        rows, columns = torch.arange(height) + y, torch.arange(width) + x
        inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        rows, columns = rows.clamp(0, height - 1)[:, None], columns.clamp(0, width - 1)
        seen = weight * inside
        summed, total = summed + frame[:, rows, columns] * seen, total + seen
    return summed / total, total


# %% fence: nothing is divided by nothing -> fence-weights
def behind(frames, moves, free):
    total, summed = 0 * free[0], 0 * frames[0]
    height, width = frames.shape[2:]
    for frame, (x, y), weight in zip(frames, moves, free, strict=True):
        rows, columns = torch.arange(height) + y, torch.arange(width) + x
        inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        rows, columns = rows.clamp(0, height - 1)[:, None], columns.clamp(0, width - 1)
        seen = weight[:, rows, columns] * inside
        summed, total = summed + frame[:, rows, columns] * seen, total + seen
    return summed / total, total
