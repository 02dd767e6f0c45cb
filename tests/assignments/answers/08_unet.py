# %% sizes: odd sizes are rounded down at a pooling -> sizes-out
import torch
import torch.nn.functional as F


def output_size(size, levels, convs):
    for _ in range(levels - 1):
        size = (size - 2 * convs) // 2
    size -= 2 * convs
    if size < 1:
        return 0
    for _ in range(levels - 1):
        size = 2 * size - 2 * convs
    return max(size, 0)


def input_size(wanted, levels, convs):
    size = wanted
    while output_size(size, levels, convs) < wanted:
        size += 1
    return size


# %% sizes: always two convolutions, as in the paper -> sizes-out sizes-in
def output_size(size, levels, convs):
    for level in range(levels):
        if level and size % 2:
            return 0
        size = (size // 2 if level else size) - 4
        if size < 1:
            return 0
    for _ in range(levels - 1):
        size = 2 * size - 4
        if size < 1:
            return 0
    return size


def input_size(wanted, levels, convs):
    size = wanted
    while output_size(size, levels, convs) < wanted:
        size += 1
    return size


# %% sizes: what is lost is added, whether the sum fits or not -> sizes-in
def output_size(size, levels, convs):
    for level in range(levels):
        if level and size % 2:
            return 0
        size = (size // 2 if level else size) - 2 * convs
        if size < 1:
            return 0
    for _ in range(levels - 1):
        size = 2 * size - 2 * convs
        if size < 1:
            return 0
    return size


def input_size(wanted, levels, convs):
    return wanted + 2 * convs * (3 * 2 ** (levels - 1) - 2)


# %% sizes: a negative size goes on, and may pass for one -> sizes-out
def output_size(size, levels, convs):
    for level in range(levels):
        if level and size % 2:
            return 0
        size = (size // 2 if level else size) - 2 * convs
    for _ in range(levels - 1):
        size = 2 * size - 2 * convs
    return size


def input_size(wanted, levels, convs):
    size = wanted
    while output_size(size, levels, convs) < wanted:
        size += 1
    return size


# %% gaps: the second nearest pixel, not the second nearest cell -> gaps-values gaps-many
def gap_weights(cells, w0, sigma):
    places = torch.cartesian_prod(*(torch.arange(n) for n in cells.shape)).float()
    flat = cells.flatten()
    weights = torch.ones(len(places))
    if len(cells[cells != 0].unique()) > 1:
        away = torch.cdist(places, places[flat != 0])
        both = away.sort(1).values[:, :2].sum(1)
        weights += w0 * torch.exp(-(both**2) / (2 * sigma**2)) * (flat == 0)
    return weights.reshape(cells.shape)


# %% gaps: the ridge runs over cells too -> gaps-values gaps-many
def gap_weights(cells, w0, sigma):
    places = torch.cartesian_prod(*(torch.arange(n) for n in cells.shape)).float()
    numbers, flat = cells[cells != 0].unique(), cells.flatten()
    if len(numbers) < 2:
        return torch.ones(cells.shape)
    away = torch.stack([torch.cdist(places, places[flat == n]).amin(1) for n in numbers])
    both = away.sort(0).values[:2].sum(0)
    return (1 + w0 * torch.exp(-(both**2) / (2 * sigma**2))).reshape(cells.shape)


# %% gaps: a single cell counts as both neighbours -> gaps-many
def gap_weights(cells, w0, sigma):
    places = torch.cartesian_prod(*(torch.arange(n) for n in cells.shape)).float()
    numbers, flat = cells[cells != 0].unique(), cells.flatten()
    if len(numbers) == 0:
        return torch.ones(cells.shape)
    away = torch.stack([torch.cdist(places, places[flat == n]).amin(1) for n in numbers])
    away = away.sort(0).values
    both = away[0] + away[min(1, len(numbers) - 1)]
    ridge = w0 * torch.exp(-(both**2) / (2 * sigma**2)) * (flat == 0)
    return (1 + ridge).reshape(cells.shape)


# %% gaps: only the cells with numbers 1 and 2 are looked at -> gaps-many
def gap_weights(cells, w0, sigma):
    places = torch.cartesian_prod(*(torch.arange(n) for n in cells.shape)).float()
    flat = cells.flatten()
    weights = torch.ones(len(places))
    if (flat == 1).any() and (flat == 2).any():
        both = sum(torch.cdist(places, places[flat == n]).amin(1) for n in (1, 2))
        weights += w0 * torch.exp(-(both**2) / (2 * sigma**2)) * (flat == 0)
    return weights.reshape(cells.shape)


# %% tiles: each tile is mirrored by itself -> tiles-cut
def offsets(length, tile):
    return [min(s, length - tile) for s in range(0, length, tile)]


def cut(picture, tile, margin):
    tops, lefts = (offsets(n, tile) for n in picture.shape[1:])
    parts = [picture[:, t : t + tile, p : p + tile] for t in tops for p in lefts]
    return F.pad(torch.stack(parts), [margin] * 4, mode="reflect")


def join(tiles, size):
    tile = tiles.shape[-1]
    tops, lefts = (offsets(n, tile) for n in size)
    joined = tiles.new_zeros(tiles.shape[1], *size)
    for number, part in enumerate(tiles):
        t, p = tops[number // len(lefts)], lefts[number % len(lefts)]
        joined[:, t : t + tile, p : p + tile] = part
    return joined


# %% tiles: zeros in place of the mirror -> tiles-cut
def offsets(length, tile):
    return [min(s, length - tile) for s in range(0, length, tile)]


def cut(picture, tile, margin):
    padded = F.pad(picture, [margin] * 4)
    tops, lefts = (offsets(n, tile) for n in picture.shape[1:])
    side = tile + 2 * margin
    return torch.stack([padded[:, t : t + side, p : p + side] for t in tops for p in lefts])


def join(tiles, size):
    tile = tiles.shape[-1]
    tops, lefts = (offsets(n, tile) for n in size)
    joined = tiles.new_zeros(tiles.shape[1], *size)
    for number, part in enumerate(tiles):
        t, p = tops[number // len(lefts)], lefts[number % len(lefts)]
        joined[:, t : t + tile, p : p + tile] = part
    return joined


# %% tiles: what is left over at the end has no tile -> tiles-cut tiles-join
def cut(picture, tile, margin):
    padded = F.pad(picture, [margin] * 4, mode="reflect")
    side = tile + 2 * margin
    windows = padded.unfold(1, side, tile).unfold(2, side, tile)
    return windows.movedim(0, 2).flatten(0, 1)


def join(tiles, size):
    tile, joined = tiles.shape[-1], tiles.new_zeros(tiles.shape[1], *size)
    columns = size[1] // tile
    for number, part in enumerate(tiles):
        t, p = number // columns * tile, number % columns * tile
        joined[:, t : t + tile, p : p + tile] = part
    return joined


# %% tiles: overlapping tiles are added up -> tiles-join
def offsets(length, tile):
    return [min(s, length - tile) for s in range(0, length, tile)]


def cut(picture, tile, margin):
    padded = F.pad(picture, [margin] * 4, mode="reflect")
    tops, lefts = (offsets(n, tile) for n in picture.shape[1:])
    side = tile + 2 * margin
    return torch.stack([padded[:, t : t + side, p : p + side] for t in tops for p in lefts])


def join(tiles, size):
    tile = tiles.shape[-1]
    tops, lefts = (offsets(n, tile) for n in size)
    joined = tiles.new_zeros(tiles.shape[1], *size)
    for number, part in enumerate(tiles):
        t, p = tops[number // len(lefts)], lefts[number % len(lefts)]
        joined[:, t : t + tile, p : p + tile] += part
    return joined
