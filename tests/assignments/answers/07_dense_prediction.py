# %% miou: rows and columns are swapped -> miou-matrix
import torch


def confusion(predicted, labels, k, void):
    judged = labels != void
    return torch.bincount(predicted[judged] * k + labels[judged], minlength=k * k).reshape(k, k)


def mean_of_present(matrix):
    shared = matrix.diagonal()
    union = matrix.sum(0) + matrix.sum(1) - shared
    return (shared / union)[union > 0].mean()


# %% miou: a void of -1 or 7 is not the 255 that was expected -> miou-matrix
def confusion(predicted, labels, k, void):
    judged = labels < 255
    pairs = labels[judged] * k + predicted[judged]
    return torch.bincount(pairs, minlength=k * k).reshape(k, k)


def mean_of_present(matrix):
    shared = matrix.diagonal()
    union = matrix.sum(0) + matrix.sum(1) - shared
    return (shared / union)[union > 0].mean()


# %% miou: without minlength the matrix lacks its last rows -> miou-matrix
def confusion(predicted, labels, k, void):
    judged = labels != void
    return torch.bincount(labels[judged] * k + predicted[judged]).reshape(k, k)


def mean_of_present(matrix):
    shared = matrix.diagonal()
    union = matrix.sum(0) + matrix.sum(1) - shared
    return (shared / union)[union > 0].mean()


# %% miou: absent classes count as 0 -> miou-absent
def confusion(predicted, labels, k, void):
    judged = labels != void
    pairs = labels[judged] * k + predicted[judged]
    return torch.bincount(pairs, minlength=k * k).reshape(k, k)


def mean_of_present(matrix):
    shared = matrix.diagonal()
    union = matrix.sum(0) + matrix.sum(1) - shared
    return (shared / union.clamp(min=1)).mean()


# %% miou: a class that is only predicted does not count -> miou-absent
def confusion(predicted, labels, k, void):
    judged = labels != void
    pairs = labels[judged] * k + predicted[judged]
    return torch.bincount(pairs, minlength=k * k).reshape(k, k)


def mean_of_present(matrix):
    shared = matrix.diagonal()
    union = matrix.sum(0) + matrix.sum(1) - shared
    return (shared / union)[matrix.sum(1) > 0].mean()


# %% miou: the mean accuracy of classes in place of the mean IoU -> miou-absent
def confusion(predicted, labels, k, void):
    judged = labels != void
    pairs = labels[judged] * k + predicted[judged]
    return torch.bincount(pairs, minlength=k * k).reshape(k, k)


def mean_of_present(matrix):
    return (matrix.diagonal() / matrix.sum(1)).nanmean()


# %% unpool: the column gives the 2 -> unpool-bits
def to_bits(indices, width):
    return indices % width % 2 * 2 + indices // width % 2


def unpool(values, bits, size):
    h, w = values.shape[-2:]
    whole = values.new_zeros(*values.shape[:2], 2 * h, 2 * w)
    for bit in range(4):
        whole[..., bit // 2 :: 2, bit % 2 :: 2] = torch.where(bits == bit, values, 0)
    return whole[..., : size[0], : size[1]]


# %% unpool: the flat place itself is cut to two bits -> unpool-bits
def to_bits(indices, width):
    return indices % 4


def unpool(values, bits, size):
    h, w = values.shape[-2:]
    whole = values.new_zeros(*values.shape[:2], 2 * h, 2 * w)
    for bit in range(4):
        whole[..., bit // 2 :: 2, bit % 2 :: 2] = torch.where(bits == bit, values, 0)
    return whole[..., : size[0], : size[1]]


# %% unpool: a bed of nails, the bits are not used -> unpool-even unpool-odd
def to_bits(indices, width):
    return indices // width % 2 * 2 + indices % width % 2


def unpool(values, bits, size):
    out = values.new_zeros(*values.shape[:2], *size)
    out[..., ::2, ::2] = values
    return out


# %% unpool: odd sizes are filled up to even ones -> unpool-odd
def to_bits(indices, width):
    return indices // width % 2 * 2 + indices % width % 2


def unpool(values, bits, size):
    h, w = values.shape[-2:]
    whole = values.new_zeros(*values.shape[:2], 2 * h, 2 * w)
    for bit in range(4):
        whole[..., bit // 2 :: 2, bit % 2 :: 2] = torch.where(bits == bit, values, 0)
    return whole


# %% unpool: a slice for each bit, which does not fit odd sides -> unpool-odd
def to_bits(indices, width):
    return indices // width % 2 * 2 + indices % width % 2


def unpool(values, bits, size):
    out = values.new_zeros(*values.shape[:2], *size)
    for bit in range(4):
        out[..., bit // 2 :: 2, bit % 2 :: 2] = values * (bits == bit)
    return out


# %% enlarge: stamps fade out at the border, as in the lesson -> enlarge-border
def tent(stride):
    k = torch.arange(2 * stride - stride % 2).float()
    return 1 - (k - k.mean()).abs() / stride


def along(x, stride):
    w, n = tent(stride), x.shape[-1]
    y = torch.zeros(*x.shape[:-1], stride * (n - 1) + len(w))
    for i in range(n):
        y[..., i * stride : i * stride + len(w)] += x[..., i : i + 1] * w
    cut = (y.shape[-1] - stride * n) // 2
    return y[..., cut : cut + stride * n]


def enlarge(x, stride):
    return along(along(x, stride).mT, stride).mT


# %% enlarge: 2 s - 1 weights for even strides too -> enlarge-tent enlarge-inside enlarge-border
def tent(stride):
    k = torch.arange(2 * stride - 1).float()
    return 1 - (k - k.mean()).abs() / stride


def along(x, stride):
    w, n = tent(stride), x.shape[-1]
    y = torch.zeros(*x.shape[:-1], stride * (n - 1) + len(w))
    for i in range(n):
        y[..., i * stride : i * stride + len(w)] += x[..., i : i + 1] * w
    cut = (y.shape[-1] - stride * n) // 2
    return y[..., cut : cut + stride * n]


def enlarge(x, stride):
    ones = torch.ones_like(x)
    return along(along(x, stride).mT, stride).mT / along(along(ones, stride).mT, stride).mT


# %% enlarge: align_corners, the outer numbers lie on the border -> enlarge-inside enlarge-border
def tent(stride):
    k = torch.arange(2 * stride - stride % 2).float()
    return 1 - (k - k.mean()).abs() / stride


def along(x, stride):
    n = x.shape[-1]
    place = torch.linspace(0, n - 1, stride * n)
    return x @ (1 - (place - torch.arange(n)[:, None]).abs()).clamp(min=0)


def enlarge(x, stride):
    return along(along(x, stride).mT, stride).mT


# %% enlarge: right, but cut off from the graph -> enlarge-border
def tent(stride):
    k = torch.arange(2 * stride - stride % 2).float()
    return 1 - (k - k.mean()).abs() / stride


def along(x, stride):
    n = x.shape[-1]
    place = ((torch.arange(stride * n) + 0.5) / stride - 0.5).clamp(0, n - 1)
    return x @ (1 - (place - torch.arange(n)[:, None]).abs()).clamp(min=0)


def enlarge(x, stride):
    return along(along(x.detach(), stride).mT, stride).mT
