# %% tents: rows and columns changed about -> tents-values tents-reach
def kernels_of(flow, taps):
    reach = taps // 2
    places = torch.arange(-reach, reach + 1, dtype=flow.dtype)[:, None, None]
    inside = flow.clamp(-reach, reach)
    vertical, horizontal = ((1 - (places - inside[:, i, None]).abs()).clamp(min=0) for i in (0, 1))
    return vertical, horizontal


# %% tents: the way back -> tents-values tents-reach
def kernels_of(flow, taps):
    reach = taps // 2
    places = torch.arange(-reach, reach + 1, dtype=flow.dtype)[:, None, None]
    inside = flow.clamp(-reach, reach)
    horizontal, vertical = ((1 - (places + inside[:, i, None]).abs()).clamp(min=0) for i in (0, 1))
    return vertical, horizontal


# %% tents: what is beyond the kernel has no weight -> tents-reach
def kernels_of(flow, taps):
    reach = taps // 2
    places = torch.arange(-reach, reach + 1, dtype=flow.dtype)[:, None, None]
    horizontal, vertical = ((1 - (places - flow[:, i, None]).abs()).clamp(min=0) for i in (0, 1))
    return vertical, horizontal


# %% tents: the nearest place gets all -> tents-values tents-reach
def kernels_of(flow, taps):
    reach = taps // 2
    places = torch.arange(-reach, reach + 1, dtype=flow.dtype)[:, None, None]
    nearest = flow.clamp(-reach, reach).round()
    horizontal, vertical = ((places == nearest[:, i, None]).to(flow.dtype) for i in (0, 1))
    return vertical, horizontal


# %% share: each frame by its own sum, then the mean -> share-values share-zero
def between(frames, kernels, least):
    total = 0
    for frame, (vertical, horizontal) in zip(frames, kernels, strict=True):
        wide = F.pad(frame, [vertical.shape[1] // 2] * 4, mode="replicate")
        weight = vertical.sum(1, keepdim=True) * horizontal.sum(1, keepdim=True)
        weight = torch.where(weight.abs() < least, torch.ones_like(weight), weight)
        total = total + separable_convolution(wide, vertical, horizontal) / weight / 2
    return total


# %% share: clamped from below, which makes a negative sum small -> share-zero
def between(frames, kernels, least):
    total = weight = 0
    for frame, (vertical, horizontal) in zip(frames, kernels, strict=True):
        wide = F.pad(frame, [vertical.shape[1] // 2] * 4, mode="replicate")
        total = total + separable_convolution(wide, vertical, horizontal)
        weight = weight + vertical.sum(1, keepdim=True) * horizontal.sum(1, keepdim=True)
    return total / weight.clamp(min=least)


# %% share: something small in the divisor -> share-zero
def between(frames, kernels, least):
    total = weight = 0
    for frame, (vertical, horizontal) in zip(frames, kernels, strict=True):
        wide = F.pad(frame, [vertical.shape[1] // 2] * 4, mode="replicate")
        total = total + separable_convolution(wide, vertical, horizontal)
        weight = weight + vertical.sum(1, keepdim=True) * horizontal.sum(1, keepdim=True)
    return total / (weight + 1e-7)


# %% share: outside is black -> share-values
def between(frames, kernels, least):
    total = weight = 0
    for frame, (vertical, horizontal) in zip(frames, kernels, strict=True):
        wide = F.pad(frame, [vertical.shape[1] // 2] * 4)
        total = total + separable_convolution(wide, vertical, horizontal)
        weight = weight + vertical.sum(1, keepdim=True) * horizontal.sum(1, keepdim=True)
    return total / torch.where(weight.abs() < least, torch.ones_like(weight), weight)


# %% eight: transposed back before it is flipped back -> eight-values eight-sides
FLIPS = [[], [0], [1], [0, 1]]


def merged(answers):
    back = []
    for k, answer in enumerate(answers):
        answer = answer.mT if k >= 4 else answer
        back.append(answer.flip([axis + 1 for axis in FLIPS[k % 4]]))
    return torch.stack(back).mean(0)


# %% eight: the mean of what lies in eight ways -> eight-values eight-sides
FLIPS = [[], [0], [1], [0, 1]]


def merged(answers):
    return torch.stack(answers).mean(0)


# %% eight: flipped back only -> eight-values eight-sides
FLIPS = [[], [0], [1], [0, 1]]


def merged(answers):
    back = [a.flip([axis + 1 for axis in FLIPS[k % 4]]) for k, a in enumerate(answers)]
    return torch.stack(back).mean(0)


# %% eight: resized instead of transposed back -> eight-values eight-sides
FLIPS = [[], [0], [1], [0, 1]]


def merged(answers):
    back = []
    for k, answer in enumerate(answers):
        answer = answer.flip([axis + 1 for axis in FLIPS[k % 4]])
        back.append(answer.reshape(answers[0].shape))
    return torch.stack(back).mean(0)
