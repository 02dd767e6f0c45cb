"""Everything runs on CUDA as far as shapes and devices go, without a GPU.

A CUDA build of PyTorch computes shapes, dtypes and devices of "cuda" tensors without a device, in
`FakeTensorMode`: a tensor of the CPU that slips in between raises. What looks at values, or goes on
with as many rows as the values say, can be followed only as far as there: such calls are listed
with the reason, and must stop there and for no other cause. Backward needs a device.
"""

import json
import os
import subprocess
import sys
from inspect import isfunction
from pathlib import Path

import pytest
import torch

from cvcourse import losses, methods, metrics, ops
from tests.fake_cuda import FakeCuda, devices, needs_values
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


OF_METHODS = [
    "tests/methods",
    "tests/models/embedding/test_rotnet.py",
    "tests/models/generative/test_alae.py",
]
METHODS_STOP = {  # how, and which
    # take no tensors, and draw on the CPU, so that a seed means the same everywhere
    "cpu": {"correspondence_pairs", "draw_codes", "draw_factors", "jigsaw_permutations"},
    # are given a function of a network that stays on the CPU
    "closure": {"limited_context_batch", "pulse"},
    # look at values, or go on in NumPy
    "values": {
        "classify",
        "clusterfit_labels",
        "deepcluster_labels",
        "depth_edges",
        "diffuse",
        "draw_anynet",
        "draw_line",
        "draw_pyramid_masks",
        "edit_word",
        "evolve_channels",
        "fit_height",
        "grow_regions",
        "k_means",
        "layered_depth",
        "mix_styles",
        "most_frequent_color",
        "normalized_mutual_information",
        "ordinal_affinities",
        "paste_patches",
        "perturb_background",
        "rebalancing_weights",
        "render_layers",
        "repair_empty_clusters",
        "rough_segmentation",
        "sample_channels",
        "separate_layers",
        "shifted_composite",
        "text_topics",
    },
    # go backward, which needs a device
    "backward": {
        "alae_judge_losses",
        "pair_critic_loss",
        "sideways",
        "starganv2_discriminator_loss",
        "starganv2_step",
        "style_transfer",
    },
}


def follow(name: str, call) -> None:
    """The call gives tensors on CUDA alone, or stops where STOPS says."""
    if name in STOPS:
        with pytest.raises(Exception) as stopped:
            call()
        assert needs_values(stopped.value), stopped.value
        return
    assert devices(call()) == {"cuda"}


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


def test_methods(tmp_path):
    """With the arguments of their own tests."""
    followed, plugin = tmp_path / "outcomes.json", ("-p", "tests.methods.follow_on_cuda")
    counts = "tests/methods/test_sideways.py::test_the_loss_knows_which_frame_it_judges"
    subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, "-n", "0", *OF_METHODS, "--deselect", counts],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"FOLLOWED": str(followed)},
        check=True,
    )
    outcomes = json.loads(followed.read_text(encoding="utf-8"))
    stopped = {how: set() for how in METHODS_STOP}
    for name in methods.__all__:
        if isfunction(getattr(methods, name)) and outcomes[name] != "through":
            stopped.setdefault(outcomes[name], set()).add(name)
    assert stopped == METHODS_STOP
