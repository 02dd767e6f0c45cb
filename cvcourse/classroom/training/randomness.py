"""Every random state that a training run depends on, taken and put back."""

import random

import numpy as np
import torch


def generators_of(loader) -> list:
    """Generators held by a loader, its samplers and its data set, each once, in a fixed order."""
    found, seen, waiting = [], set(), [loader]
    while waiting:
        holder = waiting.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for name, value in getattr(holder, "__dict__", {}).items():
            if isinstance(value, torch.Generator | np.random.Generator):
                if not any(value is other for other in found):
                    found.append(value)
            elif name in ("dataset", "sampler", "batch_sampler"):
                waiting.append(value)
    return found


def take(generators: list) -> dict:
    """The states of Python's, NumPy's and PyTorch's generators and of `generators`.

    Made of tensors and plain Python values alone, so that `torch.load(weights_only=True)` reads it.
    """
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 (others may use it)
    state = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "generators": [
            g.get_state() if isinstance(g, torch.Generator) else g.bit_generator.state
            for g in generators
        ],
    }
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def put_back(state: dict, generators: list) -> None:
    """Set all generators to what `take` found."""
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state:
        torch.mps.set_rng_state(state["mps"])
    for generator, its_state in zip(generators, state["generators"], strict=True):
        if isinstance(generator, torch.Generator):
            generator.set_state(its_state)
        else:
            generator.bit_generator.state = its_state
