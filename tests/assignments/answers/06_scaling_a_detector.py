# %% node: the shares do not sum to 1 -> node-shares node-closed node-sizes
import torch


def fuse(weights, maps, eps=1e-4):
    size = maps[0].shape[-2:]
    maps = [torch.nn.functional.interpolate(m, size=size) for m in maps]
    return sum(w * m for w, m in zip(weights.relu(), maps, strict=True))


# %% node: the sum of the weights before the ReLU -> node-shares node-closed
def fuse(weights, maps, eps=1e-4):
    size = maps[0].shape[-2:]
    maps = [torch.nn.functional.interpolate(m, size=size) for m in maps]
    shares = weights.relu() / (weights.sum() + eps)
    return sum(w * m for w, m in zip(shares, maps, strict=True))


# %% node: softmax in place of fast fusion -> node-shares node-closed node-sizes
def fuse(weights, maps, eps=1e-4):
    size = maps[0].shape[-2:]
    maps = [torch.nn.functional.interpolate(m, size=size) for m in maps]
    return sum(w * m for w, m in zip(weights.softmax(0), maps, strict=True))


# %% node: no epsilon, so that closed inputs give nan -> node-shares node-closed
def fuse(weights, maps, eps=1e-4):
    size = maps[0].shape[-2:]
    maps = [torch.nn.functional.interpolate(m, size=size) for m in maps]
    shares = weights.relu() / weights.relu().sum()
    return sum(w * m for w, m in zip(shares, maps, strict=True))


# %% node: absolute values in place of the ReLU -> node-shares node-closed
def fuse(weights, maps, eps=1e-4):
    size = maps[0].shape[-2:]
    maps = [torch.nn.functional.interpolate(m, size=size) for m in maps]
    shares = weights.abs() / (weights.abs().sum() + eps)
    return sum(w * m for w, m in zip(shares, maps, strict=True))


# %% node: bilinear enlargement -> node-sizes
def fuse(weights, maps, eps=1e-4):
    size = maps[0].shape[-2:]
    maps = [torch.nn.functional.interpolate(m, size=size, mode="bilinear") for m in maps]
    shares = weights.relu() / (weights.relu().sum() + eps)
    return sum(w * m for w, m in zip(shares, maps, strict=True))


# %% node: whole factors only, cells are repeated H // h times -> node-sizes
def fuse(weights, maps, eps=1e-4):
    height, width = maps[0].shape[-2:]
    shares = weights.relu() / (weights.relu().sum() + eps)
    total = 0
    for share, m in zip(shares, maps, strict=True):
        m = m.repeat_interleave(height // m.shape[-2], -2)
        total = total + share * m.repeat_interleave(width // m.shape[-1], -1)
    return total


# %% cost: input cells are counted, not output cells -> cost-plain cost-separable
def plain(inside, outside, kernel, height, width, stride=1):
    weights = kernel**2 * inside * outside
    return weights + outside, weights * height * width


def separable(inside, outside, kernel, height, width, stride=1):
    weights = kernel**2 * inside + inside * outside
    return weights + outside, weights * height * width


# %% cost: the 1 × 1 is counted before the stride -> cost-separable
def plain(inside, outside, kernel, height, width, stride=1):
    cells = ((height - 1) // stride + 1) * ((width - 1) // stride + 1)
    weights = kernel**2 * inside * outside
    return weights + outside, weights * cells


def separable(inside, outside, kernel, height, width, stride=1):
    cells = ((height - 1) // stride + 1) * ((width - 1) // stride + 1)
    filters, mixing = kernel**2 * inside, inside * outside
    return filters + mixing + outside, filters * cells + mixing * height * width


# %% cost: the number of cells is rounded down -> cost-plain cost-separable
def plain(inside, outside, kernel, height, width, stride=1):
    cells = (height // stride) * (width // stride)
    weights = kernel**2 * inside * outside
    return weights + outside, weights * cells


def separable(inside, outside, kernel, height, width, stride=1):
    cells = (height // stride) * (width // stride)
    weights = kernel**2 * inside + inside * outside
    return weights + outside, weights * cells


# %% cost: a bias for the filters as well -> cost-separable
def plain(inside, outside, kernel, height, width, stride=1):
    cells = ((height - 1) // stride + 1) * ((width - 1) // stride + 1)
    weights = kernel**2 * inside * outside
    return weights + outside, weights * cells


def separable(inside, outside, kernel, height, width, stride=1):
    cells = ((height - 1) // stride + 1) * ((width - 1) // stride + 1)
    weights = kernel**2 * inside + inside * outside
    return weights + outside + inside, weights * cells


# %% cost: multiplications and additions are counted as two -> cost-plain cost-separable
def plain(inside, outside, kernel, height, width, stride=1):
    cells = ((height - 1) // stride + 1) * ((width - 1) // stride + 1)
    weights = kernel**2 * inside * outside
    return weights + outside, 2 * weights * cells


def separable(inside, outside, kernel, height, width, stride=1):
    cells = ((height - 1) // stride + 1) * ((width - 1) // stride + 1)
    weights = kernel**2 * inside + inside * outside
    return weights + outside, 2 * weights * cells


# %% cost: the padding is forgotten -> cost-plain cost-separable
def plain(inside, outside, kernel, height, width, stride=1):
    cells = ((height - kernel) // stride + 1) * ((width - kernel) // stride + 1)
    weights = kernel**2 * inside * outside
    return weights + outside, weights * cells


def separable(inside, outside, kernel, height, width, stride=1):
    cells = ((height - kernel) // stride + 1) * ((width - kernel) // stride + 1)
    weights = kernel**2 * inside + inside * outside
    return weights + outside, weights * cells


# %% scale: the 90 per cent are forgotten -> scale-width
def scale_width(channels, factor):
    return max(8, int(channels * factor + 4) // 8 * 8)


def scale_depth(layers, factor):
    return math.ceil(layers * factor)


def detector(phi):
    return 512 + 128 * phi, scale_width(64, 1.35**phi), 3 + phi, 3 + phi // 3


# %% scale: widths are rounded up -> scale-width scale-detector
def scale_width(channels, factor):
    return math.ceil(channels * factor / 8) * 8


def scale_depth(layers, factor):
    return math.ceil(layers * factor)


def detector(phi):
    return 512 + 128 * phi, scale_width(64, 1.35**phi), 3 + phi, 3 + phi // 3


# %% scale: Python's round, halves to the even multiple -> scale-width
def scale_width(channels, factor):
    exact = channels * factor
    rounded = max(8, round(exact / 8) * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded


def scale_depth(layers, factor):
    return math.ceil(layers * factor)


def detector(phi):
    return 512 + 128 * phi, scale_width(64, 1.35**phi), 3 + phi, 3 + phi // 3


# %% scale: depths are rounded to the nearest -> scale-depth
def scale_width(channels, factor):
    exact = channels * factor
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded


def scale_depth(layers, factor):
    return round(layers * factor)


def detector(phi):
    return 512 + 128 * phi, scale_width(64, 1.35**phi), 3 + phi, 3 + phi // 3


# %% scale: channels of a detector are not rounded -> scale-detector
def scale_width(channels, factor):
    exact = channels * factor
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded


def scale_depth(layers, factor):
    return math.ceil(layers * factor)


def detector(phi):
    return 512 + 128 * phi, int(64 * 1.35**phi), 3 + phi, 3 + phi // 3


# %% scale: one more layer of the heads for each step -> scale-detector
def scale_width(channels, factor):
    exact = channels * factor
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded


def scale_depth(layers, factor):
    return math.ceil(layers * factor)


def detector(phi):
    return 512 + 128 * phi, scale_width(64, 1.35**phi), 3 + phi, 3 + phi
