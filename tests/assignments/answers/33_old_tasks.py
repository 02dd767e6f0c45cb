# %% gates: the soft value is returned -> gates-values
def gates(logits, uniform, temperature, training):
    if not training:
        return (logits > 0).to(logits.dtype)
    return torch.sigmoid((logits + torch.logit(uniform)) / temperature)


# %% gates: rounded, so that no gradient comes through -> gates-slopes
def gates(logits, uniform, temperature, training):
    if not training:
        return (logits > 0).to(logits.dtype)
    soft = torch.sigmoid((logits + torch.logit(uniform)) / temperature)
    return (soft > 0.5).to(soft.dtype)


# %% gates: the temperature is forgotten -> gates-slopes
def gates(logits, uniform, temperature, training):
    if not training:
        return (logits > 0).to(logits.dtype)
    soft = torch.sigmoid(logits + torch.logit(uniform))
    hard = (soft > 0.5).to(soft.dtype)
    return hard + (soft - soft.detach())


# %% gates: drawn in testing, too -> gates-test
def gates(logits, uniform, temperature, training):
    soft = torch.sigmoid((logits + torch.logit(uniform)) / temperature)
    hard = (soft > 0.5).to(soft.dtype)
    return hard + (soft - soft.detach())


# %% gates: nothing is drawn -> gates-values gates-slopes
def gates(logits, uniform, temperature, training):
    if not training:
        return (logits > 0).to(logits.dtype)
    soft = torch.sigmoid(logits / temperature)
    hard = (soft > 0.5).to(soft.dtype)
    return hard + (soft - soft.detach())


# %% close: what earlier tasks froze is forgotten -> close-filters
def close(weight, frozen, permitted, used, fresh, task):
    frozen = used.clone()
    weight = torch.where(frozen[:, None, None, None], weight, fresh)
    permitted = permitted.clone()
    permitted[task] &= used
    return weight, frozen, permitted


# %% close: frozen filters begin anew -> close-filters
def close(weight, frozen, permitted, used, fresh, task):
    frozen = frozen | used
    weight = torch.where(frozen[:, None, None, None], fresh, weight)
    permitted = permitted.clone()
    permitted[task] &= used
    return weight, frozen, permitted


# %% close: unused filters are not shut -> close-permitted
def close(weight, frozen, permitted, used, fresh, task):
    frozen = frozen | used
    weight = torch.where(frozen[:, None, None, None], weight, fresh)
    return weight, frozen, permitted.clone()


# %% close: the row is all that is frozen -> close-permitted
def close(weight, frozen, permitted, used, fresh, task):
    frozen = frozen | used
    weight = torch.where(frozen[:, None, None, None], weight, fresh)
    permitted = permitted.clone()
    permitted[task] = frozen
    return weight, frozen, permitted


# %% whole: the surest class of all is named -> whole-named
def digits(task_logits, class_logits):
    chances = task_logits.softmax(1)[:, :, None] * class_logits.softmax(2)
    named = class_logits.flatten(1).argmax(1)
    return named, chances.flatten(1)


# %% whole: class and task change places -> whole-named
def digits(task_logits, class_logits):
    tasks = task_logits.argmax(1)
    own = class_logits[torch.arange(len(tasks)), tasks]
    named = tasks + class_logits.shape[1] * own.argmax(1)
    chances = task_logits.softmax(1)[:, :, None] * class_logits.softmax(2)
    return named, chances.flatten(1)


# %% whole: one softmax over all classes -> whole-chances
def digits(task_logits, class_logits):
    tasks = task_logits.argmax(1)
    own = class_logits[torch.arange(len(tasks)), tasks]
    named = class_logits.shape[2] * tasks + own.argmax(1)
    return named, class_logits.flatten(1).softmax(1)


# %% whole: chances of tasks and classes are added -> whole-chances
def digits(task_logits, class_logits):
    tasks = task_logits.argmax(1)
    own = class_logits[torch.arange(len(tasks)), tasks]
    named = class_logits.shape[2] * tasks + own.argmax(1)
    chances = task_logits.softmax(1)[:, :, None] + class_logits.softmax(2)
    return named, chances.flatten(1)
