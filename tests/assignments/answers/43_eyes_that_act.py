# %% places: the softmax of the whole map, then its marginals -> places-values
def places_of(maps):
    weights = maps.flatten(2).softmax(2).view_as(maps)
    found = []
    for other, along in ((3, maps.shape[2]), (2, maps.shape[3])):
        at = torch.linspace(-1, 1, along, dtype=maps.dtype)
        found.append((weights.sum(other) * at).sum(2))
    return torch.stack(found, 2)


# %% places: column first -> places-order places-values
def places_of(maps):
    found = []
    for other, along in ((2, maps.shape[3]), (3, maps.shape[2])):
        at = torch.linspace(-1, 1, along, dtype=maps.dtype)
        found.append((maps.mean(other).softmax(2) * at).sum(2))
    return torch.stack(found, 2)


# %% places: sums instead of means -> places-values
def places_of(maps):
    found = []
    for other, along in ((3, maps.shape[2]), (2, maps.shape[3])):
        at = torch.linspace(-1, 1, along, dtype=maps.dtype)
        found.append((maps.sum(other).softmax(2) * at).sum(2))
    return torch.stack(found, 2)


# %% carry: the target's map does not erase -> carry-values
def carry(source, target, maps, other_maps):
    features, maps = source.detach(), maps.detach()
    for k in range(maps.shape[1]):
        one, other = maps[:, k, None], other_maps[:, k, None]
        features = (1 - one) * features + other * target
    return features


# %% carry: all maps added up first -> carry-values
def carry(source, target, maps, other_maps):
    one = maps.detach().sum(1, keepdim=True).clamp(max=1)
    other = other_maps.sum(1, keepdim=True).clamp(max=1)
    return (1 - one) * (1 - other) * source.detach() + other * target


# %% carry: the gradient goes through the source -> carry-gradient
def carry(source, target, maps, other_maps):
    features = source
    for k in range(maps.shape[1]):
        one, other = maps[:, k, None], other_maps[:, k, None]
        features = (1 - one) * (1 - other) * features + other * target
    return features


# %% carry: the source's features are detached, its maps are not -> carry-gradient
def carry(source, target, maps, other_maps):
    features = source.detach()
    for k in range(maps.shape[1]):
        one, other = maps[:, k, None], other_maps[:, k, None]
        features = (1 - one) * (1 - other) * features + other * target
    return features
