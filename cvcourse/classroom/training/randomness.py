"""Every random state that a training run depends on, taken and put back."""

import os
import random
from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, get_worker_info

Generators = torch.Generator | np.random.Generator | np.random.RandomState | random.Random


def generators_of(loader) -> list[Generators]:
    """Generators held by a loader, its samplers and its data sets, each once, in a fixed order."""
    found, seen, waiting = [], set(), [loader]
    while waiting:
        holder = waiting.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for name, value in getattr(holder, "__dict__", {}).items():
            if isinstance(value, Generators):
                if not any(value is other for other in found):
                    found.append(value)
            elif name in ("dataset", "sampler", "batch_sampler"):
                waiting.append(value)
            elif name == "datasets" and isinstance(value, list | tuple):
                waiting.extend(value)
    return found


def take(generators: list[Generators]) -> dict:
    """The states of Python's, NumPy's and PyTorch's generators and of `generators`.

    Made of tensors and plain Python values alone, so that `torch.load(weights_only=True)` reads it.
    """
    state = {
        "python": random.getstate(),
        "numpy": _with_tensor(np.random.get_state()),  # noqa: NPY002 (others may use it)
        "torch": torch.get_rng_state(),
        "generators": [_state_of(generator) for generator in generators],
    }
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def put_back(state: dict, generators: list[Generators]) -> None:
    """Set all generators to what `take` found."""
    random.setstate(state["python"])
    np.random.set_state(_with_array(state["numpy"]))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state:
        torch.mps.set_rng_state(state["mps"])
    for generator, its_state in zip(generators, state["generators"], strict=True):
        match generator:
            case torch.Generator():
                generator.set_state(its_state)
            case np.random.Generator():
                generator.bit_generator.state = its_state
            case np.random.RandomState():
                generator.set_state(_with_array(its_state))
            case random.Random():
                generator.setstate(its_state)


def batches_of(loader) -> Iterator:
    """An epoch of a loader, whose workers draw different numbers from a data set's generators."""
    if not isinstance(loader, DataLoader) or loader.num_workers == 0:
        return iter(loader)
    before = loader.worker_init_fn
    loader.worker_init_fn = _WorkersOwn(before)
    try:
        return iter(loader)
    finally:
        loader.worker_init_fn = before


class _WorkersOwn:
    """Seeds anew, for each worker, epoch and process, what would be the same in several of them.

    Generators that a data set holds are copied into each worker. The global ones PyTorch seeds from
    what the loader draws for this epoch from its generator, which is alike in all processes.
    """

    def __init__(self, then):
        self.then = then  # what the loader had in this place

    def __call__(self, worker: int) -> None:
        info, process = get_worker_info(), int(os.environ.get("RANK", "0"))
        held = generators_of(info.dataset)
        seeds = np.random.SeedSequence([info.seed, process]).generate_state(len(held) + 1).tolist()
        if process:
            torch.manual_seed(seeds[0])
            random.seed(seeds[0])
            np.random.seed(seeds[0])  # noqa: NPY002
        for generator, seed in zip(held, seeds[1:], strict=True):
            match generator:
                case torch.Generator():
                    generator.manual_seed(seed)
                case np.random.Generator():
                    generator.bit_generator.state = type(generator.bit_generator)(seed).state
                case np.random.RandomState() | random.Random():
                    generator.seed(seed)
        if self.then is not None:
            self.then(worker)


def _state_of(generator: Generators):
    match generator:
        case torch.Generator():
            return generator.get_state()
        case np.random.Generator():
            return generator.bit_generator.state
        case np.random.RandomState():
            return _with_tensor(generator.get_state())
        case random.Random():
            return generator.getstate()


def _with_tensor(state: tuple) -> tuple:
    name, keys, *rest = state
    return (name, torch.from_numpy(keys.astype(np.int64)), *rest)


def _with_array(state: tuple) -> tuple:
    name, keys, *rest = state
    return (name, keys.numpy().astype(np.uint32), *rest)
