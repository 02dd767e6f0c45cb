# %% mirror: swapped as if mirrored -> mirror-values
def label_after(labels, change):
    rows, columns = torch.tensor(OFFSETS)[labels].unbind(1)
    new = {"swap": (rows, -columns), "mirror": (rows, -columns), "turn": (-columns, rows)}[change]
    number = 3 * (new[0] + 1) + new[1] + 1
    return number - (number > 4).long()


# %% mirror: the mirror turns up and down -> mirror-values
def label_after(labels, change):
    rows, columns = torch.tensor(OFFSETS)[labels].unbind(1)
    new = {"swap": (-rows, -columns), "mirror": (-rows, columns), "turn": (-columns, rows)}[change]
    number = 3 * (new[0] + 1) + new[1] + 1
    return number - (number > 4).long()


# %% mirror: turned clockwise -> mirror-turn
def label_after(labels, change):
    rows, columns = torch.tensor(OFFSETS)[labels].unbind(1)
    new = {"swap": (-rows, -columns), "mirror": (rows, -columns), "turn": (columns, -rows)}[change]
    number = 3 * (new[0] + 1) + new[1] + 1
    return number - (number > 4).long()


# %% mirror: the middle is counted -> mirror-values mirror-turn
def label_after(labels, change):
    rows, columns = torch.tensor(OFFSETS)[labels].unbind(1)
    new = {"swap": (-rows, -columns), "mirror": (rows, -columns), "turn": (-columns, rows)}[change]
    return 3 * (new[0] + 1) + new[1] + 1


# %% far: the largest mean, as in the lesson -> far-values
def spread_out(every, count):
    total, chosen = torch.zeros(len(every)), [0]
    while len(chosen) < count:
        total += (every != every[chosen[-1]]).sum(1)
        total[chosen[-1]] = -torch.inf
        chosen.append(int(total.argmax()))
    return torch.tensor(chosen)


# %% far: ties go to the first, whatever its mean -> far-values far-ties
def spread_out(every, count):
    smallest, chosen = torch.full((len(every),), 99), [0]
    while len(chosen) < count:
        smallest = torch.minimum(smallest, (every != every[chosen[-1]]).sum(1))
        smallest[chosen[-1]] = -1
        chosen.append(int(smallest.argmax()))
    return torch.tensor(chosen)


# %% far: the distance to the last one only -> far-values far-ties far-all
def spread_out(every, count):
    free, chosen = torch.ones(len(every), dtype=torch.bool), [0]
    while len(chosen) < count:
        free[chosen[-1]] = False
        apart = (every != every[chosen[-1]]).sum(1).where(free, torch.tensor(-1))
        chosen.append(int(apart.argmax()))
    return torch.tensor(chosen)


# %% far: a chosen one may come again -> far-values far-all
def spread_out(every, count):
    smallest = torch.full((len(every),), every.shape[1] + 1)
    total = torch.zeros(len(every), dtype=torch.int64)
    chosen = [0]
    while len(chosen) < count:
        apart = (every != every[chosen[-1]]).sum(1)
        smallest, total = torch.minimum(smallest, apart), total + apart
        score = smallest.clamp(min=2) * (every.shape[1] * count + 1) + total
        chosen.append(int((score == score.max()).nonzero()[0]))
    return torch.tensor(chosen)


# %% far: the permutations themselves -> far-values far-ties far-all
def spread_out(every, count):
    smallest = torch.full((len(every),), every.shape[1] + 1)
    total = torch.zeros(len(every), dtype=torch.int64)
    free = torch.ones(len(every), dtype=torch.bool)
    chosen = [0]
    while len(chosen) < count:
        free[chosen[-1]] = False
        apart = (every != every[chosen[-1]]).sum(1)
        smallest, total = torch.minimum(smallest, apart), total + apart
        score = (smallest * (every.shape[1] * count + 1) + total).where(free, torch.tensor(-1))
        chosen.append(int(score.argmax()))
    return every[chosen]


# %% puzzle: scattered, not gathered -> puzzle-values puzzle-corners
def puzzles(images, orders, corners, tile):
    grid = round(orders.shape[1] ** 0.5)
    height, width = images.shape[2] // grid, images.shape[3] // grid
    out = torch.zeros(*orders.shape, images.shape[1], tile, tile, dtype=images.dtype)
    for b, order in enumerate(orders):
        for cell, (row, column) in enumerate(corners[b].tolist()):
            top, left = cell // grid * height + row, cell % grid * width + column
            out[b, order[cell]] = images[b, :, top : top + tile, left : left + tile]
    std, mean = torch.std_mean(out, (2, 3, 4), correction=0, keepdim=True)
    flat = (out == out[:, :, :1, :1, :1]).all(4).all(3).all(2)[:, :, None, None, None]
    return ((out - mean) / std.where(~flat, 1)).where(~flat, 0)


# %% puzzle: corners by place -> puzzle-values puzzle-corners
def puzzles(images, orders, corners, tile):
    grid = round(orders.shape[1] ** 0.5)
    height, width = images.shape[2] // grid, images.shape[3] // grid
    out = []
    for image, order, places in zip(images, orders, corners, strict=True):
        tiles = []
        for cell, (row, column) in zip(order.tolist(), places.tolist(), strict=True):
            top, left = cell // grid * height + row, cell % grid * width + column
            tiles.append(image[:, top : top + tile, left : left + tile])
        out.append(torch.stack(tiles))
    out = torch.stack(out)
    std, mean = torch.std_mean(out, (2, 3, 4), correction=0, keepdim=True)
    flat = (out == out[:, :, :1, :1, :1]).all(4).all(3).all(2)[:, :, None, None, None]
    return ((out - mean) / std.where(~flat, 1)).where(~flat, 0)


# %% puzzle: all tiles normalised together -> puzzle-values puzzle-corners puzzle-fair
def puzzles(images, orders, corners, tile):
    grid = round(orders.shape[1] ** 0.5)
    height, width = images.shape[2] // grid, images.shape[3] // grid
    out = []
    for image, order, places in zip(images, orders, corners, strict=True):
        tiles = []
        for cell, (row, column) in enumerate(places.tolist()):
            top, left = cell // grid * height + row, cell % grid * width + column
            tiles.append(image[:, top : top + tile, left : left + tile])
        out.append(torch.stack(tiles)[order])
    out = torch.stack(out)
    std, mean = torch.std_mean(out, (1, 2, 3, 4), correction=0, keepdim=True)
    return (out - mean) / std.where(std > 0, 1)


# %% puzzle: a flat tile is divided by zero -> puzzle-fair
def puzzles(images, orders, corners, tile):
    grid = round(orders.shape[1] ** 0.5)
    height, width = images.shape[2] // grid, images.shape[3] // grid
    out = []
    for image, order, places in zip(images, orders, corners, strict=True):
        tiles = []
        for cell, (row, column) in enumerate(places.tolist()):
            top, left = cell // grid * height + row, cell % grid * width + column
            tiles.append(image[:, top : top + tile, left : left + tile])
        out.append(torch.stack(tiles)[order])
    out = torch.stack(out)
    std, mean = torch.std_mean(out, (2, 3, 4), correction=0, keepdim=True)
    return (out - mean) / std


# %% puzzle: each channel by itself -> puzzle-values puzzle-fair
def puzzles(images, orders, corners, tile):
    grid = round(orders.shape[1] ** 0.5)
    height, width = images.shape[2] // grid, images.shape[3] // grid
    out = []
    for image, order, places in zip(images, orders, corners, strict=True):
        tiles = []
        for cell, (row, column) in enumerate(places.tolist()):
            top, left = cell // grid * height + row, cell % grid * width + column
            tiles.append(image[:, top : top + tile, left : left + tile])
        out.append(torch.stack(tiles)[order])
    out = torch.stack(out)
    std, mean = torch.std_mean(out, (3, 4), correction=0, keepdim=True)
    flat = (out == out[..., :1, :1]).all(4).all(3)[..., None, None]
    return ((out - mean) / std.where(~flat, 1)).where(~flat, 0)
