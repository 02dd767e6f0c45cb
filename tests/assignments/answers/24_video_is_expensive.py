# %% cut: each unit is filled up to the mean -> cut-best
def best_cut(costs, units):
    sizes, size, load = [], 0, 0
    for i, cost in enumerate(costs):
        left, open_units = len(costs) - i, units - len(sizes)
        full = size and load + cost > sum(costs) / units
        if open_units > 1 and size and (full or left < open_units):
            sizes.append(size)
            size = load = 0
        size, load = size + 1, load + cost
    sizes.append(size)
    while len(sizes) < units:
        largest = sizes.index(max(sizes))
        sizes[largest] -= 1
        sizes.insert(largest, 1)
    return sizes


# %% cut: as many modules for each, whatever they cost -> cut-best
def best_cut(costs, units):
    share, more = divmod(len(costs), units)
    return [share + 1] * more + [share] * (units - more)


# %% cut: units may be empty -> cut-valid
def best_cut(costs, units):
    best = None
    for gaps in itertools.combinations_with_replacement(range(len(costs) + 1), units - 1):
        spans = list(itertools.pairwise([0, *gaps, len(costs)]))
        period = max(sum(costs[a:b]) for a, b in spans)
        if best is None or period < best[0]:
            best = period, [b - a for a, b in spans]
    return best[1]


# %% kept: the first module keeps least -> kept-unequal
def kept(widths):
    queues = sum((2 * i + 1) * width for i, width in enumerate(widths))
    return sum(widths), queues, 0


# %% kept: D frames for each module -> kept-equal kept-unequal
def kept(widths):
    return sum(widths), 2 * len(widths) * sum(widths), 0


# %% kept: Sideways keeps the newest frame, too -> kept-equal kept-unequal
def kept(widths):
    depth = len(widths)
    queues = sum((2 * (depth - i) - 1) * width for i, width in enumerate(widths))
    return sum(widths), queues, sum(widths)


# %% delta: against the last frame -> delta-count delta-slow
def delta_linear(weight, frames, threshold):
    result = weight @ frames[0]
    results, made = [result], [weight.numel()]
    for before, frame in itertools.pairwise(frames):
        change = frame - before
        through = change.abs() > threshold
        result = result + weight @ (change * through)
        results.append(result)
        made.append(len(weight) * int(through.sum()))
    return torch.stack(results), made


# %% delta: every value counts, not only those let through -> delta-count delta-slow
def delta_linear(weight, frames, threshold):
    passed, result = frames[0], weight @ frames[0]
    results, made = [result], [weight.numel()]
    for frame in frames[1:]:
        change = frame - passed
        through = change.abs() > threshold
        result = result + weight @ (change * through)
        passed = torch.where(through, frame, passed)
        results.append(result)
        made.append(weight.numel())
    return torch.stack(results), made


# %% delta: the rest of a change is thrown away, only θ is added -> delta-exact delta-slow
def delta_linear(weight, frames, threshold):
    passed, result = frames[0], weight @ frames[0]
    results, made = [result], [weight.numel()]
    for frame in frames[1:]:
        change = (frame - passed).clamp(-threshold, threshold)
        through = (frame - passed).abs() > threshold
        result = result + weight @ (change * through)
        passed = torch.where(through, frame, passed)
        results.append(result)
        made.append(len(weight) * int(through.sum()))
    return torch.stack(results), made


# %% delta: up to rounding, a change of θ is let through -> delta-count
def delta_linear(weight, frames, threshold):
    passed, result = frames[0], weight @ frames[0]
    results, made = [result], [weight.numel()]
    for frame in frames[1:]:
        change = frame - passed
        through = (change.abs() >= threshold) & (change != 0)
        result = result + weight @ (change * through)
        passed = torch.where(through, frame, passed)
        results.append(result)
        made.append(len(weight) * int(through.sum()))
    return torch.stack(results), made
