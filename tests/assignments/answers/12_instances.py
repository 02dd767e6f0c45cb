# %% moments: the centre is the mean of the corners -> moments-centre
import math

import torch


def area_and_centre(polygon):
    after = polygon.roll(-1, 0)
    c = polygon[:, 0] * after[:, 1] - after[:, 0] * polygon[:, 1]
    return c.sum().abs() / 2, polygon.mean(0)


# %% moments: the centre is divided by the area made positive -> moments-centre
def area_and_centre(polygon):
    after = polygon.roll(-1, 0)
    c = polygon[:, 0] * after[:, 1] - after[:, 0] * polygon[:, 1]
    area = c.sum().abs() / 2
    return area, ((polygon + after) * c[:, None]).sum(0) / (6 * area)


# %% moments: the area keeps its sign -> moments-area
def area_and_centre(polygon):
    after = polygon.roll(-1, 0)
    c = polygon[:, 0] * after[:, 1] - after[:, 0] * polygon[:, 1]
    return c.sum() / 2, ((polygon + after) * c[:, None]).sum(0) / (3 * c.sum())


# %% moments: the last corner is not joined to the first -> moments-area moments-centre
def area_and_centre(polygon):
    before, after = polygon[:-1], polygon[1:]
    c = before[:, 0] * after[:, 1] - after[:, 0] * before[:, 1]
    return c.sum().abs() / 2, ((before + after) * c[:, None]).sum(0) / (3 * c.sum())


# %% moments: area and middle of the box around it -> moments-area moments-centre
def area_and_centre(polygon):
    low, high = polygon.amin(0), polygon.amax(0)
    return (high - low).prod(), (low + high) / 2


# %% inside: both ends of an edge belong to it, so corners count twice -> inside-corners
def inside(polygon, points):
    (x1, y1), (x2, y2) = polygon.T[:, None], polygon.roll(-1, 0).T[:, None]
    x, y = points.T[..., None]
    spans = (y1.minimum(y2) <= y) & (y <= y1.maximum(y2)) & (y1 != y2)
    place = x1 + (y - y1) * (x2 - x1) / (y2 - y1).where(spans, 1)
    return (spans & (place > x)).sum(1) % 2 == 1


# %% inside: x and y exchanged, so that the ray goes down -> inside-corners
def inside(polygon, points):
    (y1, x1), (y2, x2) = polygon.T[:, None], polygon.roll(-1, 0).T[:, None]
    y, x = points.T[..., None]
    spans = (y1 <= y) != (y2 <= y)
    place = x1 + (y - y1) * (x2 - x1) / (y2 - y1).where(spans, 1)
    return (spans & (place > x)).sum(1) % 2 == 1


# %% inside: neither end belongs to an edge, so corners do not count -> inside-corners
def inside(polygon, points):
    (x1, y1), (x2, y2) = polygon.T[:, None], polygon.roll(-1, 0).T[:, None]
    x, y = points.T[..., None]
    spans = (y1 < y) != (y2 < y)
    spans &= (y1 != y) & (y2 != y)
    place = x1 + (y - y1) * (x2 - x1) / (y2 - y1).where(spans, 1)
    return (spans & (place > x)).sum(1) % 2 == 1


# %% inside: only the box around the polygon is asked -> inside-plain inside-corners inside-even
def inside(polygon, points):
    low, high = polygon.amin(0), polygon.amax(0)
    return ((low <= points) & (points < high)).all(1)


# %% inside: the winding number, so that a middle covered twice is inside -> inside-even
def inside(polygon, points):
    (x1, y1), (x2, y2) = polygon.T[:, None], polygon.roll(-1, 0).T[:, None]
    x, y = points.T[..., None]
    spans = (y1 <= y) != (y2 <= y)
    place = x1 + (y - y1) * (x2 - x1) / (y2 - y1).where(spans, 1)
    return ((spans & (place > x)) * (y2 - y1).sign()).sum(1) != 0


# %% inside: a convex outline is taken for granted -> inside-plain inside-corners inside-even
def inside(polygon, points):
    (x1, y1), (x2, y2) = polygon.T[:, None], polygon.roll(-1, 0).T[:, None]
    x, y = points.T[..., None]
    side = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
    return (side > 0).all(1) | (side < 0).all(1)


# %% rays: the nearest crossing counts -> rays-any
def ray_lengths(polygon, centre, n):
    angle = torch.arange(n).double() * (2 * math.pi / n)
    d = torch.stack([angle.cos(), angle.sin()])[..., None]
    corners = polygon.double()
    e = (corners.roll(-1, 0) - corners).T[:, None]
    w = (corners - centre.double()).T[:, None]
    across = d[0] * e[1] - d[1] * e[0]
    parallel = across.abs() < 1e-9
    t = (w[0] * e[1] - w[1] * e[0]) / across.where(~parallel, 1)
    s = (w[0] * d[1] - w[1] * d[0]) / across.where(~parallel, 1)
    meets = ~parallel & (s > -1e-9) & (s < 1 + 1e-9) & (t > 0)
    return t.where(meets, torch.inf).amin(1).nan_to_num(posinf=0).float()


def centreness(lengths):
    longest = lengths.amax(1)
    return (lengths.amin(1) / longest.where(longest > 0, 1)).sqrt()


# %% rays: crossings behind the centre count too -> rays-convex rays-any
def ray_lengths(polygon, centre, n):
    angle = torch.arange(n).double() * (2 * math.pi / n)
    d = torch.stack([angle.cos(), angle.sin()])[..., None]
    corners = polygon.double()
    e = (corners.roll(-1, 0) - corners).T[:, None]
    w = (corners - centre.double()).T[:, None]
    across = d[0] * e[1] - d[1] * e[0]
    parallel = across.abs() < 1e-9
    t = (w[0] * e[1] - w[1] * e[0]) / across.where(~parallel, 1)
    s = (w[0] * d[1] - w[1] * d[0]) / across.where(~parallel, 1)
    meets = ~parallel & (s > -1e-9) & (s < 1 + 1e-9)
    return t.abs().where(meets, 0).amax(1).float()


def centreness(lengths):
    longest = lengths.amax(1)
    return (lengths.amin(1) / longest.where(longest > 0, 1)).sqrt()


# %% rays: edges are taken for whole lines -> rays-convex rays-any
def ray_lengths(polygon, centre, n):
    angle = torch.arange(n).double() * (2 * math.pi / n)
    d = torch.stack([angle.cos(), angle.sin()])[..., None]
    corners = polygon.double()
    e = (corners.roll(-1, 0) - corners).T[:, None]
    w = (corners - centre.double()).T[:, None]
    across = d[0] * e[1] - d[1] * e[0]
    parallel = across.abs() < 1e-9
    t = (w[0] * e[1] - w[1] * e[0]) / across.where(~parallel, 1)
    meets = ~parallel & (t > 0)
    return t.where(meets, 0).amax(1).float()


def centreness(lengths):
    longest = lengths.amax(1)
    return (lengths.amin(1) / longest.where(longest > 0, 1)).sqrt()


# %% rays: the first ray points to +y, as in the authors' code -> rays-convex rays-any
def ray_lengths(polygon, centre, n):
    angle = torch.arange(n).double() * (2 * math.pi / n)
    d = torch.stack([angle.sin(), angle.cos()])[..., None]
    corners = polygon.double()
    e = (corners.roll(-1, 0) - corners).T[:, None]
    w = (corners - centre.double()).T[:, None]
    across = d[0] * e[1] - d[1] * e[0]
    parallel = across.abs() < 1e-9
    t = (w[0] * e[1] - w[1] * e[0]) / across.where(~parallel, 1)
    s = (w[0] * d[1] - w[1] * d[0]) / across.where(~parallel, 1)
    meets = ~parallel & (s > -1e-9) & (s < 1 + 1e-9) & (t > 0)
    return t.where(meets, 0).amax(1).float()


def centreness(lengths):
    longest = lengths.amax(1)
    return (lengths.amin(1) / longest.where(longest > 0, 1)).sqrt()


# %% rays: distances to the corners in place of the outline -> rays-convex rays-any
def ray_lengths(polygon, centre, n):
    away = polygon.double() - centre.double()
    place = (torch.atan2(away[:, 1], away[:, 0]) * n / (2 * math.pi)).round().long() % n
    lengths = torch.zeros(n).double()
    return lengths.scatter_reduce(0, place, away.norm(dim=1), "amax").float()


def centreness(lengths):
    longest = lengths.amax(1)
    return (lengths.amin(1) / longest.where(longest > 0, 1)).sqrt()


# %% rays: centre-ness without the square root, and nan without rays -> rays-centreness
def ray_lengths(polygon, centre, n):
    angle = torch.arange(n).double() * (2 * math.pi / n)
    d = torch.stack([angle.cos(), angle.sin()])[..., None]
    corners = polygon.double()
    e = (corners.roll(-1, 0) - corners).T[:, None]
    w = (corners - centre.double()).T[:, None]
    across = d[0] * e[1] - d[1] * e[0]
    parallel = across.abs() < 1e-9
    t = (w[0] * e[1] - w[1] * e[0]) / across.where(~parallel, 1)
    s = (w[0] * d[1] - w[1] * d[0]) / across.where(~parallel, 1)
    meets = ~parallel & (s > -1e-9) & (s < 1 + 1e-9) & (t > 0)
    return t.where(meets, 0).amax(1).float()


def centreness(lengths):
    return lengths.amin(1) / lengths.amax(1)
