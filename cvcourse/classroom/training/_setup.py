"""What a training run is set up from: accelerator, loader, optimiser, scheduler; or why not."""

import inspect
import os
import warnings
from functools import cache

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader

from cvcourse.classroom.device import choose_device
from cvcourse.classroom.printing import say
from cvcourse.data._extras import extra


def make_accelerator(mixed_precision: str | None, *, unused: bool = False):
    """An Accelerator on the course's device, whatever an earlier call in this process chose.

    unused: some parameters have no part in a step (players who take turns), which parallel
    processes would otherwise wait for.
    """
    with extra("lessons", "fit"):
        from accelerate import Accelerator, DistributedDataParallelKwargs
        from accelerate.state import AcceleratorState

    device = choose_device()
    if mixed_precision == "fp16" and device.type == "cpu":
        raise ValueError("mixed_precision='fp16' needs a GPU; on a CPU take 'bf16' or 'no'")
    several = torch.distributed.is_available() and torch.distributed.is_initialized()
    AcceleratorState._reset_state(reset_partial_state=not several)
    accelerator = Accelerator(
        cpu=device.type == "cpu",
        mixed_precision=mixed_precision,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)] * unused,
        step_scheduler_with_optimizer=False,  # else N processes step the scheduler N times
    )
    launched = os.environ.get("ACCELERATE_USE_CPU", "false").lower() in ("1", "true", "yes", "y")
    if launched and accelerator.num_processes == 1:
        _say_that_it_is_one()
    return accelerator


@cache
def _say_that_it_is_one() -> None:
    say(
        "one process trains: `accelerate launch --cpu` starts no more, whatever --num_processes "
        "says. CVCOURSE_DEVICE=cpu accelerate launch --multi_gpu --num_processes N starts N on CPUs"
    )


def shared_out(loader, accelerator) -> tuple:
    """This process's share of the batches, and the generator all must agree on before an epoch."""
    if accelerator.num_processes == 1:
        return loader, None
    if not isinstance(loader, DataLoader):
        raise ValueError(f"several processes need a DataLoader, not {type(loader).__name__}")
    shared = accelerator.prepare_data_loader(loader, device_placement=False)
    # accelerate's own iteration reads one batch ahead, so that the random state after a step would
    # depend on a batch not yet trained on: the loader inside it does not.
    return shared.base_dataloader, shared.synchronized_generator


def length_of(loader) -> int | None:
    try:
        return len(loader)
    except TypeError:  # an iterator, or a loader of a data set without a length
        return None


def warn_of_batch_of_one(loader, modules: list[nn.Module]) -> None:
    """Where batch normalisation will get a batch of one example."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    layers = [layer for module in modules for layer in module.modules() if isinstance(layer, kinds)]
    if _gives_one(loader) and any(layer.training for layer in layers):
        warnings.warn(
            "the loader gives a batch of one example, and the model has batch normalisation, which "
            "has nothing to average there (and torch raises where it gets single numbers): "
            "DataLoader(..., drop_last=True) leaves it out",
            stacklevel=4,
        )


def _gives_one(loader) -> bool:
    if not isinstance(loader, DataLoader) or loader.batch_size is None or loader.drop_last:
        return False
    try:
        examples = len(loader.sampler)
    except TypeError:  # of a data set without a length
        return False
    return loader.batch_size == 1 or examples % loader.batch_size == 1


def make_optimizer(optimizer, lr: float | None, modules: list[nn.Module]):
    if isinstance(optimizer, torch.optim.Optimizer):
        if lr is not None:
            raise ValueError("lr is the optimiser's own, where one is given that is made already")
        return _without_closure(optimizer)
    parameters = dict.fromkeys(p for m in modules for p in m.parameters() if p.requires_grad)
    if not parameters:
        raise ValueError("model has no parameter that requires a gradient")
    made = optimizer(list(parameters), **({} if lr is None else {"lr": lr}))
    return _without_closure(made)


def _without_closure(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise ValueError(
            f"optimizer must not be {type(optimizer).__name__}, which asks for the loss several "
            "times a step (its closure): fit gives it once"
        )
    return optimizer


def make_scheduler(scheduler, optimizer, steps: int):
    made = scheduler(optimizer, steps)
    if isinstance(made, ReduceLROnPlateau):
        raise ValueError(
            "scheduler must not be ReduceLROnPlateau, which waits for numbers of a validation: fit "
            "steps its scheduler after every step of training"
        )
    return made
