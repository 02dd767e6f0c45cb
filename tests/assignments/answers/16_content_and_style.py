# %% tones: places instead of ranks -> tones-values tones-ties
def match_tones(content, style):
    n, m = content[0].numel(), style[0].numel()
    rank = content.flatten(1).argsort(dim=1, stable=True)
    place = (2 * rank + 1) * m // (2 * n)
    return style.flatten(1).sort(1).values.gather(1, place).view_as(content)


# %% tones: the lower end of each rank instead of its middle -> tones-values
def match_tones(content, style):
    n, m = content[0].numel(), style[0].numel()
    rank = content.flatten(1).argsort(dim=1, stable=True).argsort(1)
    return style.flatten(1).sort(1).values.gather(1, rank * m // n).view_as(content)


# %% tones: all channels as one -> tones-values
def match_tones(content, style):
    n, m = content.numel(), style.numel()
    rank = content.flatten().argsort(stable=True).argsort()
    place = (2 * rank + 1) * m // (2 * n)
    return style.flatten().sort().values[place].view_as(content)


# %% tones: equal pixels stay equal -> tones-ties
def match_tones(content, style):
    n, m = content[0].numel(), style[0].numel()
    flat = content.flatten(1)
    rank = torch.searchsorted(flat.sort(1).values, flat)
    place = (2 * rank + 1) * m // (2 * n)
    return style.flatten(1).sort(1).values.gather(1, place).view_as(content)


# %% part: both factors are weighted -> part-values part-outside part-empty
def part_gram(maps, inside):
    flat, weight = maps.flatten(2), inside.flatten(1)
    total = weight.sum(1)
    total = torch.where(total > 0, total, 1)
    flat = flat * weight[:, None]
    return flat @ flat.mT / total[:, None, None]


# %% part: the mean over all places -> part-values part-outside part-empty
def part_gram(maps, inside):
    flat, weight = maps.flatten(2), inside.flatten(1)
    return (flat * weight[:, None]) @ flat.mT / flat.shape[2]


# %% part: one total for all pictures -> part-values part-outside
def part_gram(maps, inside):
    flat, weight = maps.flatten(2), inside.flatten(1)
    return (flat * weight[:, None]) @ flat.mT / weight.sum().clamp(min=1e-30)


# %% part: an empty part gives nan -> part-empty
def part_gram(maps, inside):
    flat, weight = maps.flatten(2), inside.flatten(1)
    return (flat * weight[:, None]) @ flat.mT / weight.sum(1)[:, None, None]


# %% part: something small is added to the sum -> part-empty
def part_gram(maps, inside):
    flat, weight = maps.flatten(2), inside.flatten(1)
    return (flat * weight[:, None]) @ flat.mT / (weight.sum(1) + 1e-8)[:, None, None]


# %% stroke: Bessel's correction, of two different sizes -> stroke-values
def recolour(F, S):
    def centred(maps):
        return maps.mean(1, keepdim=True), *torch.linalg.eigh(torch.cov(maps).view(len(maps), -1))

    mean, values, vectors = centred(F)
    clear = values > 1e-9 * values.max()
    inverse = torch.where(clear, values.clamp(min=1e-300).rsqrt(), 0)
    white = (vectors * inverse) @ vectors.T @ (F - mean)
    mean, values, vectors = centred(S)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T @ white + mean


# %% stroke: the content's mean stays -> stroke-values stroke-silent
def recolour(F, S):
    def centred(maps):
        mean = maps.mean(1, keepdim=True)
        covariance = (maps - mean) @ (maps - mean).T / maps.shape[1]
        return mean, *torch.linalg.eigh(covariance)

    mean, values, vectors = centred(F)
    clear = values > 1e-9 * values.max()
    inverse = torch.where(clear, values.clamp(min=1e-300).rsqrt(), 0)
    white = (vectors * inverse) @ vectors.T @ (F - mean)
    _, values, vectors = centred(S)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T @ white + mean


# %% stroke: roots are not turned back -> stroke-values
def recolour(F, S):
    def centred(maps):
        mean = maps.mean(1, keepdim=True)
        covariance = (maps - mean) @ (maps - mean).T / maps.shape[1]
        return mean, *torch.linalg.eigh(covariance)

    mean, values, vectors = centred(F)
    clear = values > 1e-9 * values.max()
    inverse = torch.where(clear, values.clamp(min=1e-300).rsqrt(), 0)
    white = inverse[:, None] * (vectors.T @ (F - mean))
    mean, values, vectors = centred(S)
    return (vectors * values.clamp(min=0).sqrt()) @ white + mean


# %% stroke: silent filters are divided by -> stroke-silent
def recolour(F, S):
    def centred(maps):
        mean = maps.mean(1, keepdim=True)
        covariance = (maps - mean) @ (maps - mean).T / maps.shape[1]
        return mean, *torch.linalg.eigh(covariance)

    mean, values, vectors = centred(F)
    white = (vectors * values.rsqrt()) @ vectors.T @ (F - mean)
    mean, values, vectors = centred(S)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T @ white + mean
