"""A plugin of pytest: what tests call of `cvcourse.methods` runs on fake CUDA tensors first.

`FOLLOWED=outcomes.json pytest -p tests.methods.follow_on_cuda tests/methods` writes for each
function "through" if a call gave no tensor that is not on CUDA, otherwise how its last call ended.
A test that counts the calls of what it passes fails with it.
"""

import copy
import json
import os
from functools import wraps
from inspect import isfunction
from pathlib import Path

import torch
from torch import nn
from torch.utils import _pytree as pytree

from cvcourse import methods
from tests.fake_cuda import FakeCuda, devices, needs_values

NO_DEVICE = "hasPrimaryContext"  # what autograd asks for
HELD_ELSEWHERE = "convert all Tensors to FakeTensors first"  # by a closure of the test
outcomes = {}


def outcome(function, arguments, options) -> str:
    try:
        with FakeCuda() as cuda:
            found = devices(function(*cuda.moved(arguments), **cuda.moved(options)))
    except Exception as error:
        if needs_values(error):
            return "values"
        if NO_DEVICE in str(error):
            return "backward"
        return "closure" if HELD_ELSEWHERE in str(error) else f"{type(error).__name__}: {error}"
    return " and ".join(sorted(found - {"cuda"})) or "through"


def copied(tree):
    def copy_one(x):
        if isinstance(x, torch.Tensor):
            return x.detach().clone().requires_grad_(x.requires_grad)
        if isinstance(x, torch.Generator):
            return x.clone_state()
        return copy.deepcopy(x) if isinstance(x, nn.Module) else x

    return pytree.tree_map(copy_one, tree)


def followed(name: str, function):
    @wraps(function)
    def call(*arguments, **options):
        inside = torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE)
        if inside is not None or outcomes.get(name) == "through":
            return function(*arguments, **options)
        given = copied(arguments), copied(options)
        result = function(*arguments, **options)  # raises what is refused
        with torch.random.fork_rng():
            outcomes[name] = outcome(function, *given)
        return result

    return call


for name in methods.__all__:
    if isfunction(function := getattr(methods, name)):
        setattr(methods, name, followed(name, function))


def pytest_sessionfinish() -> None:
    Path(os.environ["FOLLOWED"]).write_text(json.dumps(outcomes), encoding="utf-8")
