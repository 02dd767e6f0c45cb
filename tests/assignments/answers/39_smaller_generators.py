# %% cut: rows and columns exchanged -> cut-values cut-transposed
def cut_out(weight, bias, entering, leaving, transposed=False):
    part = weight[:leaving, :entering] if transposed else weight[:entering, :leaving]
    return part, None if bias is None else bias[:leaving]


# %% cut: a transposed convolution is taken for an ordinary one -> cut-transposed
def cut_out(weight, bias, entering, leaving, transposed=False):
    return weight[:leaving, :entering], None if bias is None else bias[:leaving]


# %% cut: as many biases as channels that come in -> cut-values
def cut_out(weight, bias, entering, leaving, transposed=False):
    part = weight[:entering, :leaving] if transposed else weight[:leaving, :entering]
    return part, None if bias is None else bias[:entering]


# %% cut: there must be a bias -> cut-transposed
def cut_out(weight, bias, entering, leaving, transposed=False):
    part = weight[:entering, :leaving] if transposed else weight[:leaving, :entering]
    return part, bias[:leaving]


# %% price: a transposed convolution counted at the places that go out -> price-values price-parts
def price(channels, side, planes=4, colours=3):
    c, whole = channels, side * side
    quarter = whole // 16
    total = 49 * whole * (planes * c[0] + c[7] * colours)
    total += 9 * (whole // 4) * 2 * c[0] * c[1] + 9 * quarter * 8 * c[1] * c[2]
    total += 9 * (whole // 4) * 8 * c[2] * c[6] + 9 * whole * 2 * c[6] * c[7]
    for inside in c[3:6]:
        outer, inner = 4 * c[2], 4 * inside
        total += quarter * (9 * outer + outer * inner + 9 * inner + inner * outer)
    return total


# %% price: blocks of ordinary convolutions -> price-values price-parts
def price(channels, side, planes=4, colours=3):
    c, whole = channels, side * side
    quarter = whole // 16
    total = 49 * whole * (planes * c[0] + c[7] * colours)
    total += 9 * (whole // 4) * 2 * (c[0] * c[1] + c[6] * c[7])
    total += 9 * quarter * 8 * (c[1] * c[2] + c[2] * c[6])
    for inside in c[3:6]:
        total += quarter * 9 * 2 * 4 * c[2] * 4 * inside
    return total


# %% price: one width for all three blocks -> price-values price-parts
def price(channels, side, planes=4, colours=3):
    c, whole = channels, side * side
    quarter = whole // 16
    total = 49 * whole * (planes * c[0] + c[7] * colours)
    total += 9 * (whole // 4) * 2 * (c[0] * c[1] + c[6] * c[7])
    total += 9 * quarter * 8 * (c[1] * c[2] + c[2] * c[6])
    outer, inner = 4 * c[2], 4 * c[3]
    return total + 3 * quarter * (9 * (outer + inner) + 2 * outer * inner)


# %% front: a slice must be better in both numbers to beat another -> front-values front-ties
def front(costs, scores):
    n = range(len(costs))
    kept = [i for i in n if not any(costs[j] < costs[i] and scores[j] < scores[i] for j in n)]
    return sorted(kept, key=lambda i: costs[i])


# %% front: twins beat each other -> front-ties
def front(costs, scores):
    n = range(len(costs))
    kept = [
        i
        for i in n
        if not any(j != i and costs[j] <= costs[i] and scores[j] <= scores[i] for j in n)
    ]
    return sorted(kept, key=lambda i: costs[i])


# %% front: in the order of the slices, not of their costs -> front-values front-ties
def front(costs, scores):
    n = range(len(costs))
    points = list(zip(costs, scores, strict=True))
    return [
        i
        for i in n
        if not any(c <= costs[i] and s <= scores[i] and (c, s) != points[i] for c, s in points)
    ]


# %% front: one pass over sorted costs, the first of equal costs stays -> front-ties
def front(costs, scores):
    best, kept = float("inf"), []
    for i in sorted(range(len(costs)), key=lambda i: costs[i]):
        if scores[i] < best:
            best = scores[i]
            kept.append(i)
    return kept
