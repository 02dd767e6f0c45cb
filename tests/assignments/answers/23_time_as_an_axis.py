# %% inflated: not divided by the frames -> inflated-values inflated-still
def inflated(weight, time, fill, causal):
    if fill == "mean":
        return weight[:, :, None].repeat(1, 1, time, 1, 1)
    whole = torch.zeros(*weight.shape[:2], time, *weight.shape[2:], dtype=weight.dtype)
    whole[:, :, time - 1 if causal else time // 2] = weight
    return whole


# %% inflated: causal is forgotten -> inflated-values inflated-still
def inflated(weight, time, fill, causal):
    if fill == "mean":
        return weight[:, :, None].repeat(1, 1, time, 1, 1) / time
    whole = torch.zeros(*weight.shape[:2], time, *weight.shape[2:], dtype=weight.dtype)
    whole[:, :, time // 2] = weight
    return whole


# %% step: the new frame is put before the others -> step-values step-film
def step(memory, frame, weight):
    frames = torch.cat((frame[:, None], memory), 1)
    reach = weight.shape[-1] // 2
    answer = F.conv3d(frames[None], weight, padding=(0, reach, reach))
    return answer[0, :, 0], frames[:, :-1]


# %% step: the memory never moves on -> step-values step-film
def step(memory, frame, weight):
    frames = torch.cat((memory, frame[:, None]), 1)
    reach = weight.shape[-1] // 2
    answer = F.conv3d(frames[None], weight, padding=(0, reach, reach))
    return answer[0, :, 0], memory


# %% hidden: every alpha-th frame -> hidden-values hidden-phases
def hidden(periods, time, alpha):
    return (torch.arange(0, time, alpha) % periods[:, None] == 0).all(1)


# %% hidden: the first step stands for all -> hidden-values hidden-phases
def hidden(periods, time, alpha):
    seen = torch.linspace(0, time - 1, time // alpha).long()
    return seen[1] % periods == 0


# %% hidden: the last frame alone -> hidden-values hidden-phases
def hidden(periods, time, alpha):
    return (time - 1) % periods == 0
