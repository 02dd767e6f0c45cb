"""Sideways: backpropagation along a video, without waiting (Malinowski et al. 2020, 2001.06232).

    tick t:  module i works on what module i - 1 made at tick t - 1            (forward)
             gradients go down one module a tick, too, and each module applies the slope
             at what it sees *now*, not at what it saw when the gradient was made

No activation is kept beyond a tick. Where frames change slowly, the slope now is nearly the slope
then; on a still video it is the same, and the result is backpropagation's.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def sideways(
    modules: Sequence[nn.Module],
    frames: Sequence[Tensor] | Tensor,
    loss: Callable[[Tensor, int], Tensor],
) -> Tensor:
    """One clip: adds its mean pseudo-gradient to `.grad` of all parameters; returns the mean loss.

    Args:
        modules: the network in D parts, each from one tensor to one tensor.
        frames: T >= 2 D inputs of the first module, in order of time; or one tensor (T, ...).
        loss: from the last module's output, and the number of the frame that it comes from, to a
            scalar.

    **Conventions**: an output takes D ticks, and a gradient of the first module D more: gradients
    and losses are averaged over the ticks from the 2 D-th on, when the whole pipeline is full. Take
    a step of the optimiser once a clip, as the paper: a step at each tick changes the weights under
    gradients that are still on their way. Statistics of batch norm are those of single ticks.

    Raises ValueError for no modules, fewer than 2 D frames, or a module whose output has no
    gradient.

    Reference: Malinowski et al., Sideways: Depth-Parallel Training of Video Models, 2020.
    """
    depth, ticks = len(modules), len(frames)
    if not depth:
        raise ValueError("modules: expected at least one, got none")
    if ticks < 2 * depth:
        raise ValueError(f"frames: expected at least {2 * depth}, 2 a module, got {ticks}")
    counted = ticks - 2 * depth + 1
    outputs: list[Tensor | None] = [None] * depth  # of the tick before
    slopes: list[Tensor | None] = [None] * depth  # of the loss by outputs, of the tick before
    mean = 0.0
    for tick, frame in enumerate(frames, start=1):
        inputs = [frame, *outputs[:-1]]
        below: list[Tensor | None] = [None] * depth
        for i, (module, x) in enumerate(zip(modules, inputs, strict=True)):
            if x is None:
                continue
            x = x.detach().requires_grad_(i > 0)
            y = module(x)
            outputs[i] = y.detach()
            if slopes[i] is not None:
                passed = _backward(module, x, y, slopes[i], counted if tick >= 2 * depth else None)
                if i > 0:
                    below[i - 1] = passed
        if tick >= depth:
            last = outputs[-1].requires_grad_()
            value = loss(last, tick - depth)
            (below[-1],) = torch.autograd.grad(value, last)
            if tick >= 2 * depth:
                mean = mean + value.detach() / counted
        slopes = below
    return mean


def _backward(
    module: nn.Module, x: Tensor, y: Tensor, slope: Tensor, counted: int | None
) -> Tensor | None:
    """The slope by `x`; adds those by the parameters, over `counted`, unless that is None."""
    parameters = [p for p in module.parameters() if p.requires_grad] if counted else []
    wanted = [x, *parameters] if x.requires_grad else parameters
    if not wanted:
        return None
    if not y.requires_grad:
        raise ValueError(f"modules: the output of {type(module).__name__} has no gradient")
    found = list(torch.autograd.grad(y, wanted, slope, allow_unused=True))
    passed = found.pop(0) if x.requires_grad else None
    for parameter, gradient in zip(parameters, found, strict=True):
        if gradient is not None:
            gradient = gradient / counted
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
    return passed
