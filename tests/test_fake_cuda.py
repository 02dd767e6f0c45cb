"""Everything runs on CUDA as far as shapes and devices go, without a GPU.

A CUDA build of PyTorch computes shapes, dtypes and devices of "cuda" tensors without a device, in
`FakeTensorMode`: a tensor of the CPU that slips in between raises. What looks at values, or goes on
with as many rows as the values say, can be followed only as far as there: such calls are listed
with the reason, and must stop there and for no other cause. Backward needs a device.
"""

import sys

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode, ShapeEnv
from torch.utils import _pytree as pytree

from cvcourse import losses, metrics, ops
from tests.losses.examples import LOSSES
from tests.metrics.test_cuda import inputs as metric_calls
from tests.models.examples import NETWORKS
from tests.ops.calls import calls

pytestmark = [
    pytest.mark.as_user,
    pytest.mark.skipif(
        not torch.backends.cuda.is_built(),
        reason="this PyTorch is built without CUDA, whose fake tensors it cannot make",
    ),
]
VALUES_ARE_NEEDED = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    GuardOnDataDependentSymNode,
)
ROWS = "goes on with as many rows as the values say"
LABELS = "refuses labels out of range"
STOPS = {
    "batched_nms": ROWS,
    "crop_masks": "takes as many samples as the boxes are large",
    "nms": ROWS,
    "paste_masks": "pastes each mask into the pixels of its box",
    "roi_pool": "takes as many pixels as the boxes are large",
    "soft_nms": ROWS,
    "splat_points": ROWS,
    "average_precision": "refuses recalls that fall",
    "bootstrap_interval": "returns Python's numbers",
    "coco_average_precision": "works in NumPy",
    "coco_average_precision of masks": "works in NumPy",
    "confusion_matrix": LABELS,
    "cross_modal_recall": "refuses embeddings that are not finite",
    "match_detections": "refuses scores of nan",
    "mean_average_precision_at_r": "refuses embeddings that are not finite",
    "mean_iou": LABELS,
    "precision_recall_curve": "returns as many points as there are scores",
    "recall_at_k": "refuses embeddings that are not finite",
    "topk_accuracy": LABELS,
    "EfficientDet": ROWS,
    "FCOS": ROWS,
    "FasterRCNN": ROWS,
    "MaskRCNN": ROWS,
    "PointRendRCNN": ROWS,
    "PolarMask": ROWS,
    "RetinaNet": ROWS,
    "SynSin": ROWS,
}


class FakeCuda(FakeTensorMode):
    """Inside, tensors have no values; those that `moved` and `network` bring in are on CUDA."""

    def __init__(self) -> None:
        super().__init__(shape_env=ShapeEnv())

    def moved(self, tree):
        def move(x):
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


def follow(name: str, call) -> None:
    """The call gives tensors on CUDA alone, or stops where STOPS says."""
    if name in STOPS:
        with pytest.raises((*VALUES_ARE_NEEDED, RuntimeError)) as stopped:
            call()
        in_numpy = ".numpy() is not supported" in str(stopped.value)
        assert in_numpy or isinstance(stopped.value, VALUES_ARE_NEEDED), stopped.value
        return
    leaves = pytree.tree_leaves(call())
    assert {x.device.type for x in leaves if isinstance(x, torch.Tensor)} == {"cuda"}


def test_a_tensor_of_the_cpu_that_slips_in_raises():
    with (
        FakeCuda() as cuda,
        pytest.raises(RuntimeError, match=r"on the same device|two different devices"),
    ):
        cuda.moved(torch.ones(3)) + torch.ones(3)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses(name):
    with FakeCuda() as cuda:
        inputs = cuda.moved(LOSSES[name]())
        follow(name, lambda: getattr(losses, name)(*inputs))


@pytest.mark.parametrize("name", sorted(calls()))
def test_ops(name):
    arguments, options = calls()[name]
    if "dtype" in options:  # made from numbers alone
        options = options | {"device": "cuda"}
    with FakeCuda() as cuda:
        arguments = cuda.moved(arguments)
        follow(name, lambda: getattr(ops, name)(*arguments, **options))


@pytest.mark.parametrize("name", sorted(metric_calls()))
def test_metrics(name):
    arguments, options = metric_calls()[name]
    with FakeCuda() as cuda:
        arguments = cuda.moved(arguments)
        follow(name, lambda: getattr(metrics, name.split()[0])(*arguments, **options))


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks(name, training, monkeypatch):
    for module in list(sys.modules.values()):  # the check of targets looks at their values
        if module.__name__.startswith("cvcourse.models") and hasattr(module, "check_targets"):
            monkeypatch.setattr(module, "check_targets", lambda *_, **__: None)
    build, arguments = NETWORKS[name]
    network, arguments = build().train(training), arguments()
    match arguments:
        case images, [dict(), *_] if not training:  # a detector's targets
            arguments = (images,)
    without_cudnn = torch.backends.cudnn.flags(enabled=False)  # whose LSTM asks for a driver
    with FakeCuda() as cuda, without_cudnn:
        network, arguments = cuda.network(network), cuda.moved(arguments)
        follow(name, lambda: network(*arguments))
