# %% best: densities instead of logarithms -> best-extreme
def best_judge(log_p, log_q, real_share):
    p, q = real_share * log_p.exp(), (1 - real_share) * log_q.exp()
    return p / (p + q)


# %% best: as if as many were made -> best-values
def best_judge(log_p, log_q, real_share):
    return torch.sigmoid(log_p - log_q)


# %% best: the share weighs the logarithms -> best-values best-extreme
def best_judge(log_p, log_q, real_share):
    return torch.sigmoid(real_share * log_p - (1 - real_share) * log_q)


# %% smooth: both sides are smoothed -> smooth-values smooth-sure
def smoothed_loss(real_scores, made_scores, epsilon):
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    real = bce(real_scores, torch.full_like(real_scores, 1 - epsilon))
    return real + bce(made_scores, torch.full_like(made_scores, epsilon))


# %% smooth: one mean over all scores -> smooth-values smooth-sure
def smoothed_loss(real_scores, made_scores, epsilon):
    scores = torch.cat([real_scores.flatten(), made_scores.flatten()])
    target = torch.cat([0 * real_scores.flatten() + 1 - epsilon, 0 * made_scores.flatten()])
    return 2 * torch.nn.functional.binary_cross_entropy_with_logits(scores, target)


# %% smooth: logarithms of a sigmoid -> smooth-sure
def smoothed_loss(real_scores, made_scores, epsilon):
    d = torch.sigmoid(real_scores)
    real = -(1 - epsilon) * d.log() - epsilon * (1 - d).log()
    return real.mean() - (1 - torch.sigmoid(made_scores)).log().mean()


# %% smooth: what is left of the target is forgotten -> smooth-values smooth-sure
def smoothed_loss(real_scores, made_scores, epsilon):
    log_sigmoid = torch.nn.functional.logsigmoid
    return -(1 - epsilon) * log_sigmoid(real_scores).mean() - log_sigmoid(-made_scores).mean()


# %% bound: the entropy of an even code -> bound-values bound-never
def uneven_bound(logits, codes, prior):
    right = logits.log_softmax(1).gather(1, codes[:, None])
    return math.log(len(prior)) + right.mean()


# %% bound: nan where the prior is 0 -> bound-never
def uneven_bound(logits, codes, prior):
    right = logits.log_softmax(1).gather(1, codes[:, None])
    return -(prior * prior.log()).sum() + right.mean()


# %% bound: logits taken for probabilities' logarithms -> bound-values bound-never
def uneven_bound(logits, codes, prior):
    return torch.special.entr(prior).sum() + logits.gather(1, codes[:, None]).mean()


# %% bound: the prior is added to Q -> bound-values bound-never
def uneven_bound(logits, codes, prior):
    right = (logits + (prior + 1e-9).log()).log_softmax(1).gather(1, codes[:, None])
    return torch.special.entr(prior).sum() + right.mean()
