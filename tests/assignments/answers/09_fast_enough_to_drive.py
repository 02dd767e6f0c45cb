# %% view: a layer's own stride spreads itself -> view-width
import torch
import torch.nn.functional as F


def width(layers):
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        jump *= stride
        size += (kernel - 1) * dilation * jump
    return size


def touched(layers):
    places = torch.zeros(1, dtype=torch.int64)
    for kernel, stride, dilation in reversed(layers):
        places = (places[:, None] * stride + torch.arange(kernel) * dilation).unique()
    return places


# %% view: kernels of 3 are taken for granted -> view-width
def width(layers):
    size, jump = 1, 1
    for _, stride, dilation in layers:
        size += 2 * dilation * jump
        jump *= stride
    return size


def touched(layers):
    places = torch.zeros(1, dtype=torch.int64)
    for kernel, stride, dilation in reversed(layers):
        places = (places[:, None] * stride + torch.arange(kernel) * dilation).unique()
    return places


# %% view: every place within the width counts as used -> view-places
def width(layers):
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        size += (kernel - 1) * dilation * jump
        jump *= stride
    return size


def touched(layers):
    return torch.arange(width(layers))


# %% view: from the first layer to the last -> view-places
def width(layers):
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        size += (kernel - 1) * dilation * jump
        jump *= stride
    return size


def touched(layers):
    places = torch.zeros(1, dtype=torch.int64)
    for kernel, stride, dilation in layers:
        places = (places[:, None] * stride + torch.arange(kernel) * dilation).unique()
    return places


# %% view: places come several times and in any order -> view-places
def width(layers):
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        size += (kernel - 1) * dilation * jump
        jump *= stride
    return size


def touched(layers):
    places = torch.zeros(1, dtype=torch.int64)
    for kernel, stride, dilation in reversed(layers):
        places = (places[:, None] * stride + torch.arange(kernel) * dilation).flatten()
    return places


# %% cost: batch normalisation and PReLU are forgotten -> cost-parameters
def parameters(before, after, kind, k):
    q = after // 4
    return work(before, after, kind, k, 1, 1) + q


def work(before, after, kind, k, height, width):
    q = after // 4
    first = before * q * (4 if kind == "down" else 1)
    middle = q * q * (2 * k if kind == "asymmetric" else k * k)
    return (first + middle + q * after) * height * width


# %% cost: all convolutions have biases -> cost-parameters
def parameters(before, after, kind, k):
    q = after // 4
    return work(before, after, kind, k, 1, 1) + q + q + after + 3 * (q + q + after)


def work(before, after, kind, k, height, width):
    q = after // 4
    first = before * q * (4 if kind == "down" else 1)
    middle = q * q * (2 * k if kind == "asymmetric" else k * k)
    return (first + middle + q * after) * height * width


# %% cost: one slope for each PReLU in place of one a channel -> cost-parameters
def parameters(before, after, kind, k):
    q = after // 4
    return work(before, after, kind, k, 1, 1) + q + 2 * (q + q + after) + 3


def work(before, after, kind, k, height, width):
    q = after // 4
    first = before * q * (4 if kind == "down" else 1)
    middle = q * q * (2 * k if kind == "asymmetric" else k * k)
    return (first + middle + q * after) * height * width


# %% cost: down begins with a 1 × 1 like the others -> cost-parameters cost-work
def parameters(before, after, kind, k):
    q = after // 4
    return work(before, after, kind, k, 1, 1) + q + 3 * (q + q + after)


def work(before, after, kind, k, height, width):
    q = after // 4
    first = before * q
    middle = q * q * (2 * k if kind == "asymmetric" else k * k)
    return (first + middle + q * after) * height * width


# %% cost: asymmetric counts k × k taps -> cost-parameters cost-work
def parameters(before, after, kind, k):
    q = after // 4
    return work(before, after, kind, k, 1, 1) + q + 3 * (q + q + after)


def work(before, after, kind, k, height, width):
    q = after // 4
    first = before * q * (4 if kind == "down" else 1)
    middle = q * q * k * k
    return (first + middle + q * after) * height * width


# %% cost: biases count as multiply-adds -> cost-work
def parameters(before, after, kind, k):
    q = after // 4
    return work(before, after, kind, k, 1, 1) + 3 * (q + q + after)


def work(before, after, kind, k, height, width):
    q = after // 4
    first = before * q * (4 if kind == "down" else 1)
    middle = q * q * (2 * k if kind == "asymmetric" else k * k)
    return (first + middle + q * after + q) * height * width


# %% pyramid: cells end where the next begins -> pyramid-means pyramid-sum
def cell_means(x, g):
    tables = []
    for n in x.shape[-2:]:
        table = torch.zeros(g, n)
        for i in range(g):
            table[i, i * n // g : (i + 1) * n // g] = 1
        tables.append(table / table.sum(1, keepdim=True))
    return tables[0] @ x @ tables[1].T


def pyramid(x, grids):
    out = x
    for g in grids:
        tables = []
        for n in x.shape[-2:]:
            place = torch.arange(n)[:, None] * (g - 1) / (n - 1)
            tables.append((1 - (place - torch.arange(g)).abs()).clamp(min=0))
        out = out + tables[0] @ cell_means(x, g) @ tables[1].T
    return out


# %% pyramid: cells of equal size, the rest is cut off -> pyramid-means pyramid-sum
def cell_means(x, g):
    h, w = (n // g for n in x.shape[-2:])
    return F.avg_pool2d(x, (h, w))[..., :g, :g]


def pyramid(x, grids):
    out = x
    for g in grids:
        tables = []
        for n in x.shape[-2:]:
            place = torch.arange(n)[:, None] * (g - 1) / (n - 1)
            tables.append((1 - (place - torch.arange(g)).abs()).clamp(min=0))
        out = out + tables[0] @ cell_means(x, g) @ tables[1].T
    return out


# %% pyramid: means lie in the middle of their cells, not on the outer pixels -> pyramid-sum
def cell_means(x, g):
    tables = []
    for n in x.shape[-2:]:
        table = torch.zeros(g, n)
        for i in range(g):
            table[i, i * n // g : -(-(i + 1) * n // g)] = 1
        tables.append(table / table.sum(1, keepdim=True))
    return tables[0] @ x @ tables[1].T


def pyramid(x, grids):
    out = x
    for g in grids:
        tables = []
        for n in x.shape[-2:]:
            place = ((torch.arange(n)[:, None] + 0.5) * g / n - 0.5).clamp(0, g - 1)
            tables.append((1 - (place - torch.arange(g)).abs()).clamp(min=0))
        out = out + tables[0] @ cell_means(x, g) @ tables[1].T
    return out


# %% pyramid: x itself is not added -> pyramid-sum
def cell_means(x, g):
    tables = []
    for n in x.shape[-2:]:
        table = torch.zeros(g, n)
        for i in range(g):
            table[i, i * n // g : -(-(i + 1) * n // g)] = 1
        tables.append(table / table.sum(1, keepdim=True))
    return tables[0] @ x @ tables[1].T


def pyramid(x, grids):
    out = torch.zeros_like(x)
    for g in grids:
        tables = []
        for n in x.shape[-2:]:
            place = torch.arange(n)[:, None] * (g - 1) / (n - 1)
            tables.append((1 - (place - torch.arange(g)).abs()).clamp(min=0))
        out = out + tables[0] @ cell_means(x, g) @ tables[1].T
    return out


# %% pyramid: blocks in place of bilinear weights -> pyramid-sum
def cell_means(x, g):
    tables = []
    for n in x.shape[-2:]:
        table = torch.zeros(g, n)
        for i in range(g):
            table[i, i * n // g : -(-(i + 1) * n // g)] = 1
        tables.append(table / table.sum(1, keepdim=True))
    return tables[0] @ x @ tables[1].T


def pyramid(x, grids):
    out = x
    for g in grids:
        tables = []
        for n in x.shape[-2:]:
            place = torch.arange(n)[:, None] * g // n
            tables.append((1 - (place - torch.arange(g)).abs()).clamp(min=0))
        out = out + tables[0] @ cell_means(x, g) @ tables[1].T
    return out


# %% pyramid: each grid pools what the grids before have made -> pyramid-sum
def cell_means(x, g):
    tables = []
    for n in x.shape[-2:]:
        table = torch.zeros(g, n)
        for i in range(g):
            table[i, i * n // g : -(-(i + 1) * n // g)] = 1
        tables.append(table / table.sum(1, keepdim=True))
    return tables[0] @ x @ tables[1].T


def pyramid(x, grids):
    out = x
    for g in grids:
        tables = []
        for n in x.shape[-2:]:
            place = torch.arange(n)[:, None] * (g - 1) / (n - 1)
            tables.append((1 - (place - torch.arange(g)).abs()).clamp(min=0))
        out = out + tables[0] @ cell_means(out, g) @ tables[1].T
    return out
