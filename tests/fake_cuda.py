"""CUDA tensors without a device: shapes, dtypes and devices are computed, values are not."""

from functools import partial

import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode, ShapeEnv
from torch.utils import _pytree as pytree

VALUES_ARE_NEEDED = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    GuardOnDataDependentSymNode,
)


class FakeCuda(FakeTensorMode):
    """Inside, tensors have no values; those that `moved` and `network` bring in are on CUDA."""

    def __init__(self) -> None:
        super().__init__(shape_env=ShapeEnv())

    def moved(self, tree):
        """The same of tensors on CUDA; networks in it are changed in place."""

        def move(x):
            if isinstance(x, nn.Module):
                return self.network(x)
            if isinstance(x, partial):
                return partial(move(x.func), *self.moved(x.args), **self.moved(x.keywords))
            if not isinstance(x, torch.Tensor):
                return x
            return self.from_tensor(x, static_shapes=True).to("cuda")

        return pytree.tree_map(move, tree)

    def network(self, network: nn.Module) -> nn.Module:
        """With fakes in the place of its parameters and buffers, which `.to` cannot swap."""
        for module in network.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    module._parameters[name] = nn.Parameter(
                        self.moved(parameter).detach(), requires_grad=parameter.requires_grad
                    )
            for name, buffer in module._buffers.items():
                module._buffers[name] = self.moved(buffer)
        return network


def devices(tree) -> set[str]:
    return {x.device.type for x in pytree.tree_leaves(tree) if isinstance(x, torch.Tensor)}


def needs_values(error: BaseException) -> bool:
    return isinstance(error, VALUES_ARE_NEEDED) or ".numpy() is not supported" in str(error)
