# %% sides: left, right, top, bottom -> sides-encode sides-decode
import torch


def encode(locations, strides, boxes):
    x, y = locations[:, :1], locations[:, 1:]
    x1, y1, x2, y2 = boxes.unbind(1)
    pixels = torch.stack([x - x1, x2 - x, y - y1, y2 - y], -1)
    return pixels / strides[:, None, None], (pixels > 0).all(-1)


def decode(locations, strides, distances):
    left, right, top, bottom = (distances * strides[:, None]).unbind(1)
    x, y = locations.unbind(1)
    return torch.stack([x - left, y - top, x + right, y + bottom], 1)


# %% sides: absolute distances, so that everything is inside -> sides-encode
def encode(locations, strides, boxes):
    here = locations[:, None]
    pixels = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1).abs()
    return pixels / strides[:, None, None], (pixels > 0).all(-1)


def decode(locations, strides, distances):
    pixels = distances * strides[:, None]
    return torch.cat([locations - pixels[:, :2], locations + pixels[:, 2:]], 1)


# %% sides: a location on a side is inside -> sides-encode
def encode(locations, strides, boxes):
    here = locations[:, None]
    pixels = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1)
    return pixels / strides[:, None, None], (pixels >= 0).all(-1)


def decode(locations, strides, distances):
    pixels = distances * strides[:, None]
    return torch.cat([locations - pixels[:, :2], locations + pixels[:, 2:]], 1)


# %% sides: decoding forgets the stride -> sides-decode
def encode(locations, strides, boxes):
    here = locations[:, None]
    pixels = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1)
    return pixels / strides[:, None, None], (pixels > 0).all(-1)


def decode(locations, strides, distances):
    return torch.cat([locations - distances[:, :2], locations + distances[:, 2:]], 1)


# %% sides: all four are subtracted -> sides-decode
def encode(locations, strides, boxes):
    here = locations[:, None]
    pixels = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1)
    return pixels / strides[:, None, None], (pixels > 0).all(-1)


def decode(locations, strides, distances):
    return locations.repeat(1, 2) - distances * strides[:, None]


# %% center: the root is missing -> center-inside center-outside
def centerness(distances):
    inside = (distances > 0).all(-1)
    before, after = distances[..., :2], distances[..., 2:]
    ratio = (before.minimum(after) / before.maximum(after)).prod(-1)
    return torch.where(inside, ratio, 0.0)


# %% center: neighbours in the list are paired, left with top -> center-inside center-outside
def centerness(distances):
    inside = (distances > 0).all(-1)
    pairs = torch.where(inside[..., None], distances, 1.0).unflatten(-1, (2, 2))
    return torch.where(inside, (pairs.amin(-1) / pairs.amax(-1)).prod(-1).sqrt(), 0.0)


# %% center: only negative products are set to 0 -> center-outside
def centerness(distances):
    before, after = distances[..., :2], distances[..., 2:]
    ratio = (before.minimum(after) / before.maximum(after)).prod(-1)
    return ratio.clamp(min=0).sqrt()


# %% center: left / right in location of the smaller to the larger -> center-inside
def centerness(distances):
    inside = (distances > 0).all(-1)
    safe = torch.where(inside[..., None], distances, 1.0)
    ratio = (safe[..., :2] / safe[..., 2:]).prod(-1)
    return torch.where(inside, ratio.sqrt(), 0.0)


# %% center: the root of nan is hidden, the product of two negatives is not -> center-outside
def centerness(distances):
    before, after = distances[..., :2], distances[..., 2:]
    return (before.minimum(after) / before.maximum(after)).prod(-1).sqrt().nan_to_num(0)


# %% owner: the smallest object first, then the rules -> owner-smallest owner-centre owner-scene
def owners(locations, strides, boxes, radius):
    if len(boxes) == 0:
        return torch.full((len(locations),), -1)
    here, unit = locations[:, None], strides[:, None]
    sides = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1)
    off = (here - (boxes[:, :2] + boxes[:, 2:]) / 2).abs().amax(-1)
    low = torch.where(unit == strides.min(), 0.0, 4 * unit)
    high = torch.where(unit == strides.max(), torch.inf, 8 * unit)
    inside, far = sides.amin(-1) > 0, sides.amax(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    index = torch.where(inside, area, torch.inf).argmin(1)
    may = inside & (off < radius * unit) & (far > low) & (far < high)
    return torch.where(may.gather(1, index[:, None])[:, 0], index, -1)


# %% owner: object 0 in location of none -> owner-level owner-smallest owner-centre owner-scene
def owners(locations, strides, boxes, radius):
    if len(boxes) == 0:
        return torch.full((len(locations),), -1)
    here, unit = locations[:, None], strides[:, None]
    sides = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1)
    off = (here - (boxes[:, :2] + boxes[:, 2:]) / 2).abs().amax(-1)
    low = torch.where(unit == strides.min(), 0.0, 4 * unit)
    high = torch.where(unit == strides.max(), torch.inf, 8 * unit)
    far = sides.amax(-1)
    may = (sides.amin(-1) > 0) & (off < radius * unit) & (far > low) & (far < high)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return torch.where(may, area, torch.inf).argmin(1)


# %% owner: all levels have both limits -> owner-level owner-smallest owner-centre owner-scene
def owners(locations, strides, boxes, radius):
    if len(boxes) == 0:
        return torch.full((len(locations),), -1)
    here, unit = locations[:, None], strides[:, None]
    sides = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1)
    off = (here - (boxes[:, :2] + boxes[:, 2:]) / 2).abs().amax(-1)
    far = sides.amax(-1)
    may = (sides.amin(-1) > 0) & (off < radius * unit) & (far > 4 * unit) & (far < 8 * unit)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    smallest, index = torch.where(may, area, torch.inf).min(1)
    return torch.where(smallest.isfinite(), index, -1)


# %% owner: one limit by location, not level -> owner-level owner-smallest owner-centre owner-scene
def owners(locations, strides, boxes, radius):
    if len(boxes) == 0:
        return torch.full((len(locations),), -1)
    here, unit = locations[:, None], strides[:, None]
    sides = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1)
    off = (here - (boxes[:, :2] + boxes[:, 2:]) / 2).abs().amax(-1)
    low, high = 4 * unit, 8 * unit
    low[0], high[-1] = 0, torch.inf
    far = sides.amax(-1)
    may = (sides.amin(-1) > 0) & (off < radius * unit) & (far > low) & (far < high)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    smallest, index = torch.where(may, area, torch.inf).min(1)
    return torch.where(smallest.isfinite(), index, -1)


# %% owner: the smallest farthest side in location of the smallest area -> owner-smallest owner-scene
def owners(locations, strides, boxes, radius):
    if len(boxes) == 0:
        return torch.full((len(locations),), -1)
    here, unit = locations[:, None], strides[:, None]
    sides = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1)
    off = (here - (boxes[:, :2] + boxes[:, 2:]) / 2).abs().amax(-1)
    low = torch.where(unit == strides.min(), 0.0, 4 * unit)
    high = torch.where(unit == strides.max(), torch.inf, 8 * unit)
    far = sides.amax(-1)
    may = (sides.amin(-1) > 0) & (off < radius * unit) & (far > low) & (far < high)
    smallest, index = torch.where(may, far, torch.inf).min(1)
    return torch.where(smallest.isfinite(), index, -1)


# %% owner: the radius is a circle -> owner-centre owner-scene
def owners(locations, strides, boxes, radius):
    if len(boxes) == 0:
        return torch.full((len(locations),), -1)
    here, unit = locations[:, None], strides[:, None]
    sides = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1)
    off = (here - (boxes[:, :2] + boxes[:, 2:]) / 2).norm(dim=-1)
    low = torch.where(unit == strides.min(), 0.0, 4 * unit)
    high = torch.where(unit == strides.max(), torch.inf, 8 * unit)
    far = sides.amax(-1)
    may = (sides.amin(-1) > 0) & (off < radius * unit) & (far > low) & (far < high)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    smallest, index = torch.where(may, area, torch.inf).min(1)
    return torch.where(smallest.isfinite(), index, -1)


# %% owner: inside is not asked -> owner-level owner-smallest owner-centre owner-scene
def owners(locations, strides, boxes, radius):
    if len(boxes) == 0:
        return torch.full((len(locations),), -1)
    here, unit = locations[:, None], strides[:, None]
    sides = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1)
    off = (here - (boxes[:, :2] + boxes[:, 2:]) / 2).abs().amax(-1)
    low = torch.where(unit == strides.min(), 0.0, 4 * unit)
    high = torch.where(unit == strides.max(), torch.inf, 8 * unit)
    far = sides.amax(-1)
    may = (off < radius * unit) & (far > low) & (far < high)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    smallest, index = torch.where(may, area, torch.inf).min(1)
    return torch.where(smallest.isfinite(), index, -1)


# %% owner: no objects are forgotten -> owner-scene
def owners(locations, strides, boxes, radius):
    here, unit = locations[:, None], strides[:, None]
    sides = torch.cat([here - boxes[:, :2], boxes[:, 2:] - here], -1)
    off = (here - (boxes[:, :2] + boxes[:, 2:]) / 2).abs().amax(-1)
    low = torch.where(unit == strides.min(), 0.0, 4 * unit)
    high = torch.where(unit == strides.max(), torch.inf, 8 * unit)
    far = sides.amax(-1)
    may = (sides.amin(-1) > 0) & (off < radius * unit) & (far > low) & (far < high)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    smallest, index = torch.where(may, area, torch.inf).min(1)
    return torch.where(smallest.isfinite(), index, -1)
