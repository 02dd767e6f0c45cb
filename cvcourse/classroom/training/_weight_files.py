"""Weights in safetensors, by the names of the plain model, also where parts are compiled or shared.

safetensors' own `save_model` keeps the names of compiled parts, which no plain model has, and keeps
one of several tensors that share memory, even if they are different parts of it.
"""

from pathlib import Path

from torch import nn

_COMPILED = "_orig_mod."


def write_weights(model: nn.Module, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write all parameters and buffers; names that share a tensor each have a copy."""
    from safetensors.torch import save_file

    state = {_plain(name): tensor.clone() for name, tensor in model.state_dict().items()}
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path, metadata)


def read_weights(model: nn.Module, path: Path) -> None:
    """Read what `write_weights` or safetensors' `save_model` wrote into a model.

    Raises RuntimeError where names or shapes do not fit.
    """
    from safetensors.torch import load_file

    saved = load_file(path)
    own = {_plain(name): (name, tensor) for name, tensor in model.state_dict().items()}
    state = {own[name][0] if name in own else name: tensor for name, tensor in saved.items()}
    there = {_memory(tensor): saved[name] for name, (_, tensor) in own.items() if name in saved}
    for name, (full, tensor) in own.items():
        if name not in saved and _memory(tensor) in there:  # tied: save_model wrote one of them
            state[full] = there[_memory(tensor)]
    model.load_state_dict(state)


def _plain(name: str) -> str:
    return name.replace(_COMPILED, "")


def _memory(tensor) -> tuple:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype
