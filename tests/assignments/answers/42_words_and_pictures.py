# %% asking: each stream asks itself -> asking-values
def co_attend(text, regions, of_text, of_regions, text_mask, region_mask):
    def ask(x, own, mask):
        scores = (x @ own[0]) @ (x @ own[1]).mT / x.shape[2] ** 0.5
        return (scores - 1e4 * (~mask)[:, None].to(x.dtype)).softmax(2) @ (x @ own[2])

    return ask(text, of_text, text_mask), ask(regions, of_regions, region_mask)


# %% asking: keys and values by the matrices of the one who asks -> asking-values
def co_attend(text, regions, of_text, of_regions, text_mask, region_mask):
    def ask(who, whom, own, mask):
        scores = (who @ own[0]) @ (whom @ own[1]).mT / who.shape[2] ** 0.5
        return (scores - 1e4 * (~mask)[:, None].to(who.dtype)).softmax(2) @ (whom @ own[2])

    return ask(text, regions, of_text, region_mask), ask(regions, text, of_regions, text_mask)


# %% asking: scores are not divided by the root of the width -> asking-values
def co_attend(text, regions, of_text, of_regions, text_mask, region_mask):
    def ask(who, whom, own, other, mask):
        scores = (who @ own[0]) @ (whom @ other[1]).mT
        return (scores - 1e4 * (~mask)[:, None].to(who.dtype)).softmax(2) @ (whom @ other[2])

    found = ask(text, regions, of_text, of_regions, region_mask)
    return found, ask(regions, text, of_regions, of_text, text_mask)


# %% asking: masked values are set to 0, scores are not touched -> asking-masks
def co_attend(text, regions, of_text, of_regions, text_mask, region_mask):
    def ask(who, whom, own, other, mask):
        scores = (who @ own[0]) @ (whom @ other[1]).mT / who.shape[2] ** 0.5
        return scores.softmax(2) @ ((whom @ other[2]) * mask[..., None])

    found = ask(text, regions, of_text, of_regions, region_mask)
    return found, ask(regions, text, of_regions, of_text, text_mask)


# %% pointing: the mean over all places -> pointing-values pointing-masks
def pointing_loss(logits, overlap, mask):
    target = torch.where(overlap >= 0.5, overlap, torch.zeros_like(overlap))
    logits = logits - 1e4 * (~mask).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, target)


# %% pointing: hard targets -> pointing-values pointing-masks
def pointing_loss(logits, overlap, mask):
    logits = logits - 1e4 * (~mask).to(logits.dtype)
    target = (overlap >= 0.5).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, target) * logits.shape[1]


# %% pointing: the overlap itself as the target everywhere -> pointing-values
def pointing_loss(logits, overlap, mask):
    logits = logits - 1e4 * (~mask).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, overlap) * logits.shape[1]


# %% pointing: no mask -> pointing-masks
def pointing_loss(logits, overlap, mask):
    target = torch.where(overlap >= 0.5, overlap, torch.zeros_like(overlap))
    return F.binary_cross_entropy_with_logits(logits, target) * logits.shape[1]


# %% stopping: stopped at the patience, not above it -> stopping-values stopping-cooldown
def stopped_after(scores, patience, cooldown):
    best, bad, wait, stopped, told = None, 0, 0, False, []
    for score in scores:
        if best is None or score > 1.001 * best:
            best, bad = score, 0
        else:
            bad += 1
        if wait > 0:
            wait, bad = wait - 1, 0
        if bad >= patience:
            stopped, bad, wait = True, 0, cooldown
        elif stopped and score < 0.995 * best:
            stopped, bad, wait = False, 0, cooldown
        told.append(stopped)
    return told


# %% stopping: no grace after a change -> stopping-values stopping-cooldown
def stopped_after(scores, patience, cooldown):
    best, bad, stopped, told = None, 0, False, []
    for score in scores:
        if best is None or score > 1.001 * best:
            best, bad = score, 0
        else:
            bad += 1
        if bad > patience:
            stopped, bad = True, 0
        elif stopped and score < 0.995 * best:
            stopped, bad = False, 0
        told.append(stopped)
    return told


# %% stopping: growth sets a task going -> stopping-values stopping-cooldown
def stopped_after(scores, patience, cooldown):
    best, bad, wait, stopped, told = None, 0, 0, False, []
    for score in scores:
        grew = best is None or score > 1.001 * best
        best, bad = (score, 0) if grew else (best, bad + 1)
        if wait > 0:
            wait, bad = wait - 1, 0
        if bad > patience:
            stopped, bad, wait = True, 0, cooldown
        elif stopped and (grew or score < 0.995 * best):
            stopped, bad, wait = False, 0, cooldown
        told.append(stopped)
    return told
