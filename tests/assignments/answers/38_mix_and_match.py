# %% compose: mask and rest exchanged -> compose-values compose-stages
def compose(ground, paints, masks):
    pictures = [ground]
    for paint, mask in zip(paints, masks, strict=True):
        pictures.append(paint * (1 - mask) + pictures[-1] * mask)
    return pictures


# %% compose: each stage over the ground, not over the last picture -> compose-values compose-stages
def compose(ground, paints, masks):
    pairs = zip(paints, masks, strict=True)
    return [ground, *(paint * mask + ground * (1 - mask) for paint, mask in pairs)]


# %% compose: two stages only -> compose-stages
def compose(ground, paints, masks):
    first = paints[0] * masks[0] + ground * (1 - masks[0])
    return [ground, first, paints[1] * masks[1] + first * (1 - masks[1])]


# %% compose: the first picture's masks for all -> compose-values
def compose(ground, paints, masks):
    pictures = [ground]
    for paint, mask in zip(paints, masks, strict=True):
        pictures.append(paint * mask[:1] + pictures[-1] * (1 - mask[:1]))
    return pictures


# %% swap: both as the product of the shares -> swap-values swap-trivial
def taken_and_kept(found, given, donors, factor):
    taken = (found[:, factor] == donors[:, factor]).double().mean()
    others = [k for k in range(found.shape[1]) if k != factor]
    kept = (found[:, others] == given[:, others]).all(1).double().mean()
    return float(taken), float(kept), float(taken * kept)


# %% swap: any other factor kept is enough -> swap-values swap-trivial
def taken_and_kept(found, given, donors, factor):
    taken = found[:, factor] == donors[:, factor]
    others = [k for k in range(found.shape[1]) if k != factor]
    kept = (found[:, others] == given[:, others]).any(1)
    return tuple(float(x.double().mean()) for x in (taken, kept, taken & kept))


# %% swap: the mean over factors -> swap-values
def taken_and_kept(found, given, donors, factor):
    taken = found[:, factor] == donors[:, factor]
    others = [k for k in range(found.shape[1]) if k != factor]
    same = found[:, others] == given[:, others]
    kept = same.double().mean() if others else torch.ones(())
    both = (taken & same.all(1)).double().mean()
    return float(taken.double().mean()), float(kept), float(both)


# %% swap: the exchanged factor is asked to be kept as well -> swap-values swap-trivial
def taken_and_kept(found, given, donors, factor):
    taken = found[:, factor] == donors[:, factor]
    kept = (found == given).all(1)
    return tuple(float(x.double().mean()) for x in (taken, kept, taken & kept))


# %% masks: the mean of the region, not its largest -> masks-region
def region_masks(features, level, region):
    masks = []
    for i, x in enumerate(features):
        mask = x.new_full((len(x), 1, *x.shape[2:]), float(i == level))
        if i < level and x.ndim == 4:
            inside = F.adaptive_avg_pool2d(region[:, None].float(), x.shape[2:])
            mask = 1 - inside.to(x.dtype)
        masks.append(mask)
    return masks


# %% masks: earlier levels told inside -> masks-levels masks-region
def region_masks(features, level, region):
    masks = []
    for i, x in enumerate(features):
        mask = x.new_full((len(x), 1, *x.shape[2:]), float(i == level))
        if i < level and x.ndim == 4:
            mask = F.adaptive_max_pool2d(region[:, None].float(), x.shape[2:]).to(x.dtype)
        masks.append(mask)
    return masks


# %% masks: the chosen level is not told outside -> masks-levels
def region_masks(features, level, region):
    masks = []
    for i, x in enumerate(features):
        mask = x.new_full((len(x), 1, *x.shape[2:]), float(i == level))
        if i <= level and x.ndim == 4:
            inside = F.adaptive_max_pool2d(region[:, None].float(), x.shape[2:]).to(x.dtype)
            mask = 1 - inside if i < level else inside
        masks.append(mask)
    return masks


# %% masks: earlier vectors are told, too -> masks-levels
def region_masks(features, level, region):
    masks = []
    for i, x in enumerate(features):
        mask = x.new_full((len(x), 1, *x.shape[2:]), float(i <= level))
        if i < level and x.ndim == 4:
            inside = F.adaptive_max_pool2d(region[:, None].float(), x.shape[2:])
            mask = 1 - inside.to(x.dtype)
        masks.append(mask)
    return masks
