# %% vote: rolled the other way -> vote-values
def which_way(logp):
    return sum(logp[:, k].roll(k, 1) for k in range(4)).argmax(1)


# %% vote: the copies added up as they stand -> vote-values vote-ties
def which_way(logp):
    return logp.sum(1).argmax(1)


# %% vote: the last of equal sums -> vote-ties
def which_way(logp):
    sums = sum(logp[:, k].roll(-k, 1) for k in range(4))
    return 3 - sums.flip(1).argmax(1)


# %% repair: the lesson's mean, with what was dropped -> repair-values repair-alone repair-nan
def from_kept(code, kept):
    mean = torch.nn.functional.avg_pool2d(code, 3, 1, 1, count_include_pad=False)
    return kept * code + (1 - kept) * mean


# %% repair: nothing for the lonely -> repair-alone
def from_kept(code, kept):
    seen = torch.where(kept > 0, code, torch.zeros_like(code))
    sums, counts = (
        torch.nn.functional.avg_pool2d(x, 3, 1, 1, divisor_override=1) for x in (seen, kept)
    )
    return torch.where(kept > 0, code, sums / counts.clamp(min=1))


# %% repair: the mean of the whole batch -> repair-alone
def from_kept(code, kept):
    seen = torch.where(kept > 0, code, torch.zeros_like(code))
    sums, counts = (
        torch.nn.functional.avg_pool2d(x, 3, 1, 1, divisor_override=1) for x in (seen, kept)
    )
    near = sums / counts.clamp(min=1)
    everywhere = seen.sum((0, 2, 3), keepdim=True) / kept.sum().clamp(min=1)
    return torch.where(kept > 0, code, torch.where(counts > 0, near, everywhere))


# %% repair: zero times nan -> repair-nan
def from_kept(code, kept):
    seen = kept * code
    sums, counts = (
        torch.nn.functional.avg_pool2d(x, 3, 1, 1, divisor_override=1) for x in (seen, kept)
    )
    near = sums / counts.clamp(min=1)
    everywhere = seen.sum((2, 3), keepdim=True) / kept.sum((2, 3), keepdim=True).clamp(min=1)
    return torch.where(kept > 0, code, torch.where(counts > 0, near, everywhere))


# %% repair: always divided by nine -> repair-values repair-nan
def from_kept(code, kept):
    seen = torch.where(kept > 0, code, torch.zeros_like(code))
    counts = torch.nn.functional.max_pool2d(kept, 3, 1, 1)
    near = torch.nn.functional.avg_pool2d(seen, 3, 1, 1)
    everywhere = seen.sum((2, 3), keepdim=True) / kept.sum((2, 3), keepdim=True).clamp(min=1)
    return torch.where(kept > 0, code, torch.where(counts > 0, near, everywhere))


# %% spotted: all places of all pictures together -> spotted-values spotted-within spotted-none
def spotted(where, kept):
    d = where[kept > 0][:, None] - where[kept == 0]
    area = ((d > 0).double() + 0.5 * (d == 0).double()).mean().item()
    return area, len(where)


# %% spotted: ties count nothing -> spotted-values spotted-within
def spotted(where, kept):
    areas = []
    for scores, mask in zip(where.flatten(1), kept.flatten(1), strict=True):
        d = scores[mask > 0][:, None] - scores[mask == 0]
        if d.numel():
            areas.append((d > 0).double().mean().item())
    return (sum(areas) / len(areas) if areas else float("nan")), len(areas)


# %% spotted: pictures without pairs count one half -> spotted-none
def spotted(where, kept):
    areas = []
    for scores, mask in zip(where.flatten(1), kept.flatten(1), strict=True):
        d = scores[mask > 0][:, None] - scores[mask == 0]
        area = ((d > 0).double() + 0.5 * (d == 0).double()).mean().item()
        areas.append(area if d.numel() else 0.5)
    return sum(areas) / len(areas), len(areas)


# %% spotted: every pair counts once -> spotted-values spotted-within
def spotted(where, kept):
    points, pairs, count = 0.0, 0, 0
    for scores, mask in zip(where.flatten(1), kept.flatten(1), strict=True):
        d = scores[mask > 0][:, None] - scores[mask == 0]
        points += ((d > 0).double() + 0.5 * (d == 0).double()).sum().item()
        pairs, count = pairs + d.numel(), count + (d.numel() > 0)
    return (points / pairs if pairs else float("nan")), count
