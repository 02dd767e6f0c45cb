# %% xent: the row itself is among the answers -> xent-values xent-length xent-cold
def nt_xent(z0, z1, temperature):
    z = F.normalize(torch.cat([z0, z1]), dim=1)
    scores = z @ z.T / temperature
    return F.cross_entropy(scores, torch.arange(len(z)).roll(len(z0)))


# %% xent: rows keep their lengths -> xent-length
def nt_xent(z0, z1, temperature):
    z = torch.cat([z0, z1])
    scores = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    return F.cross_entropy(scores, torch.arange(len(z)).roll(len(z0)))


# %% xent: only the first views are asked, among the second views -> xent-values xent-length
def nt_xent(z0, z1, temperature):
    z0, z1 = F.normalize(z0, dim=1), F.normalize(z1, dim=1)
    return F.cross_entropy(z0 @ z1.T / temperature, torch.arange(len(z0)))


# %% xent: exponentials that overflow -> xent-cold
def nt_xent(z0, z1, temperature):
    z = F.normalize(torch.cat([z0, z1]), dim=1)
    weight = (z @ z.T / temperature).exp() * (1 - torch.eye(len(z)))
    partner = torch.arange(len(z)).roll(len(z0))
    return -(weight[torch.arange(len(z)), partner] / weight.sum(1)).log().mean()


# %% queue: it ends at its last place -> queue-around queue-many
def enqueue(queue, pointer, keys):
    new = queue.clone()
    fit = min(len(keys), len(queue) - pointer)
    new[pointer : pointer + fit] = keys[:fit]
    return new, (pointer + fit) % len(queue)


# %% queue: the pointer is the place of the newest key -> queue-values queue-around queue-many
def enqueue(queue, pointer, keys):
    size = len(queue)
    places = (pointer + torch.arange(len(keys))) % size
    new = queue.clone()
    new[places[-size:]] = keys[-size:]
    return new, int(places[-1])


# %% queue: of many keys the first ones stay -> queue-many
def enqueue(queue, pointer, keys):
    size = len(queue)
    places = (pointer + torch.arange(len(keys))) % size
    new = queue.clone()
    new[places[:size]] = keys[:size]
    return new, (pointer + len(keys)) % size


# %% nce: the noise is one over the images, however many are drawn -> nce-values nce-limits
def nce(own, others, images):
    noise = 1 / images
    real = (own / (own + noise)).log()
    drawn = (noise / (others + noise)).log().sum(1)
    return -(real + drawn).mean()


# %% nce: cross-entropy over the own and the others -> nce-values nce-limits
def nce(own, others, images):
    scores = torch.cat([own[:, None], others], 1).log()
    return F.cross_entropy(scores, torch.zeros(len(own), dtype=torch.int64))


# %% nce: the sum over the batch -> nce-batch
def nce(own, others, images):
    noise = others.shape[1] / images
    real = (own / (own + noise)).log()
    drawn = (noise / (others + noise)).log().sum(1)
    return -(real + drawn).sum()
