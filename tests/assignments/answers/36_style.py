# %% weights: the root over inputs alone, not over places of the kernel -> weights-values weights-lengths
def demodulated(weight, style):
    scaled = weight[None] * style[:, None, :, None, None]
    return scaled / (scaled.square().sum(2, keepdim=True) + 1e-8).sqrt()


# %% weights: demodulated first, then modulated -> weights-values weights-lengths
def demodulated(weight, style):
    short = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
    return short[None] * style[:, None, :, None, None]


# %% weights: one length for all outputs -> weights-values weights-lengths
def demodulated(weight, style):
    scaled = weight[None] * style[:, None, :, None, None]
    return scaled / (scaled.square().sum((1, 2, 3, 4), keepdim=True) + 1e-8).sqrt()


# %% weights: no ε -> weights-lengths
def demodulated(weight, style):
    scaled = weight[None] * style[:, None, :, None, None]
    return scaled / scaled.square().sum((2, 3, 4), keepdim=True).sqrt()


# %% inside: the sums are divided by all places -> inside-values inside-spike
def exchange_inside(content, style, counted):
    mean = (content * counted).mean((2, 3), keepdim=True)
    deviation = ((content - mean) * counted).square().mean((2, 3), keepdim=True).sqrt()
    wanted = style.std((2, 3), keepdim=True)
    return wanted * (content - mean) / deviation + style.mean((2, 3), keepdim=True)


# %% inside: places that do not count are 0, and counted -> inside-values
def exchange_inside(content, style, counted):
    number = counted.sum((2, 3), keepdim=True)
    mean = (content * counted).sum((2, 3), keepdim=True) / number
    squares = (content * counted - mean).square().sum((2, 3), keepdim=True)
    deviation = (squares / (number - 1)).sqrt()
    wanted = style.std((2, 3), keepdim=True)
    return wanted * (content - mean) / deviation + style.mean((2, 3), keepdim=True)


# %% inside: plain AdaIN -> inside-values inside-spike
def exchange_inside(content, style, counted):
    mean, deviation = content.mean((2, 3), keepdim=True), content.std((2, 3), keepdim=True)
    wanted = style.std((2, 3), keepdim=True)
    return wanted * (content - mean) / deviation + style.mean((2, 3), keepdim=True)


# %% table: a share for each number, then their mean -> table-values table-traits
def three_shares(table):
    whole = table.flatten(0, 1).var(0, correction=0)
    rows = (table.mean(1).var(0, correction=0) / whole).mean()
    columns = (table.mean(0).var(0, correction=0) / whole).mean()
    return torch.stack([rows, columns, 1 - rows - columns])


# %% table: variances of samples -> table-values table-traits
def three_shares(table):
    whole = table.flatten(0, 1).var(0).sum()
    rows = table.mean(1).var(0).sum() / whole
    columns = table.mean(0).var(0).sum() / whole
    return torch.stack([rows, columns, 1 - rows - columns])


# %% table: rows and columns exchanged -> table-values table-traits
def three_shares(table):
    whole = table.flatten(0, 1).var(0, correction=0).sum()
    rows = table.mean(0).var(0, correction=0).sum() / whole
    columns = table.mean(1).var(0, correction=0).sum() / whole
    return torch.stack([rows, columns, 1 - rows - columns])
