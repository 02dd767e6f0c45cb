"""Weights in safetensors, by the names of the plain model, also where parts are compiled or shared.

safetensors' own `save_model` keeps the names of compiled parts, which no plain model has, and keeps
one of several tensors that share memory, even if they are different parts of it.
"""

from pathlib import Path

import torch
from torch import nn

from cvcourse.data._extras import extra

_COMPILED = "_orig_mod."


def write_weights(
    model: nn.Module,
    path: Path,
    metadata: dict[str, str] | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write all parameters and buffers; names that share a tensor each have a copy.

    dtype: what floating numbers are written as (None: as they are).

    Raises ValueError where one of these is not finite in `dtype`.
    """
    with extra("lessons", "cvcourse.classroom"):
        from safetensors.torch import save_file

    state = {}
    for name, tensor in model.state_dict().items():
        if dtype is not None and tensor.is_floating_point():
            tensor = tensor.to(dtype)
            if not tensor.isfinite().all():
                raise ValueError(f"{name} has weights that are no finite numbers in {dtype}")
        state[_plain(name)] = tensor.clone().contiguous()
    save_file(state, path, metadata)


def read_weights(model: nn.Module, path: Path) -> None:
    """Read what `write_weights` or safetensors' `save_model` wrote into a model, in its own dtypes.

    Raises RuntimeError where names or shapes do not fit.
    """
    with extra("lessons", "cvcourse.classroom"):
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
