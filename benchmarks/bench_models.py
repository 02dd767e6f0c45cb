"""Our models beside torchvision's: `python -m benchmarks.bench_models`, where torchvision imports.

It does not import beside the CPU build of PyTorch that this project's tests use, so `make bench`
finds no case here. In an environment of its own (PyTorch and torchvision of one release, jaxtyping)
this runs both with the same weights, at the size of the test's oracles: inference, and a training
step (losses and gradients; the optimiser would be the same). It writes `MODELS.md`.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from benchmarks.__main__ import cpu
from benchmarks.harness import Case, compare
from benchmarks.table import HEAD, table_row
from cvcourse.models import (
    FCOS,
    FasterRCNN,
    MaskRCNN,
    RetinaNet,
    fcn_resnet50,
    r3d_18,
    regnet_x,
    resnet18,
    resnet50,
    vgg16,
)
from tests.oracles.fill_weights import detection_batch, fill_, formula_batch

RESULTS = Path(__file__).with_name("MODELS.md")
SIZES = {"min_size": 160, "max_size": 224}
TWO_STAGES = {
    "rpn_pre_nms_top_n_test": 300,
    "rpn_post_nms_top_n_test": 60,
    "box_detections_per_img": 100,
    "box_score_thresh": 0.05,
}
ONE_STAGE = {"score_thresh": 0.6, "topk_candidates": 20, "detections_per_img": 60}
RPN_GAINS = {
    "rpn.head.bbox_pred": 0.02,
    "rpn.head.cls_logits": 0.2,
    "roi_heads.box_predictor.cls_score": 0.15,
    "roi_heads.box_predictor.bbox_pred": 0.5,
}


def cases() -> Iterator[Case]:
    try:
        from torchvision import models
        from torchvision.models import detection, segmentation
        from torchvision.models.detection.backbone_utils import (
            _resnet_fpn_extractor,
            resnet_fpn_backbone,
        )
        from torchvision.ops import FrozenBatchNorm2d
        from torchvision.ops.feature_pyramid_network import LastLevelP6P7
    except (ImportError, RuntimeError):
        return

    def pyramid() -> nn.Module:
        return resnet_fpn_backbone(
            backbone_name="resnet50",
            weights=None,
            norm_layer=FrozenBatchNorm2d,
            trainable_layers=3,
        )

    def dense_pyramid() -> nn.Module:
        return _resnet_fpn_extractor(
            models.resnet50(norm_layer=FrozenBatchNorm2d),
            3,
            returned_layers=[2, 3, 4],
            extra_blocks=LastLevelP6P7(256, 256),
        )

    yield from _classifier("resnet18", resnet18(), models.resnet18(), (2, 3, 64, 64))
    yield from _classifier("resnet50", resnet50(), models.resnet50(), (2, 3, 64, 64))
    yield from _classifier("vgg16", vgg16(), models.vgg16(), (2, 3, 96, 96), gain=2.0)
    yield from _classifier("regnet_x_400mf", regnet_x(), models.regnet_x_400mf(), (2, 3, 64, 64))
    yield from _classifier("r3d_18", r3d_18(), models.video.r3d_18(), (1, 3, 8, 56, 56))
    theirs = segmentation.fcn_resnet50(weights=None, weights_backbone=None, aux_loss=True)
    yield from _classifier("fcn_resnet50", fcn_resnet50(), theirs, (2, 3, 64, 80))
    for ours, theirs in (
        (FasterRCNN, detection.FasterRCNN),
        (MaskRCNN, detection.MaskRCNN),
    ):
        options = {**SIZES, **TWO_STAGES}
        yield from _detector(
            ours.__name__,
            ours(5, **options),
            theirs(pyramid(), 5, **options),
            RPN_GAINS,
            random_samples=True,
        )
    options = {**SIZES, **ONE_STAGE}
    for ours, gain in ((RetinaNet, 0.05), (FCOS, 30.0)):
        theirs = getattr(detection, ours.__name__)
        gains = {"head.regression_head.bbox_reg": gain}
        yield from _detector(
            ours.__name__, ours(5, **options), theirs(dense_pyramid(), 5, **options), gains
        )


def _classifier(
    name: str, ours: nn.Module, theirs: nn.Module, shape: tuple[int, ...], *, gain: float = 1.0
) -> Iterator[Case]:
    _same_weights(ours, theirs, gain, {})
    sizes = " x ".join(map(str, shape))
    for what, run in (("inference", _infer), ("training step", _step_of_outputs)):
        yield Case(
            name=f"{name}, {what}",
            sizes=sizes,
            inputs=lambda: (formula_batch(shape),),
            ours=run(ours),
            peers={"torchvision": run(theirs)},
            rtol=1e-3,
            atol=1e-3,
        )


def _detector(
    name: str,
    ours: nn.Module,
    theirs: nn.Module,
    gains: dict[str, float],
    *,
    random_samples: bool = False,
) -> Iterator[Case]:
    _same_weights(ours, theirs, 1.0, gains)
    masks = name.startswith("Mask")
    for what, run in (("inference", _infer), ("training step", _step_of_losses)):
        yield Case(
            name=f"{name}, {what}",
            sizes="2 pictures, shorter side 160",
            inputs=lambda: detection_batch(masks=masks),
            ours=run(ours),
            peers={"torchvision": run(theirs)},
            different=("torchvision",) if random_samples and what == "training step" else (),
            rtol=1e-3,
            atol=5e-3,
        )


def _same_weights(ours: nn.Module, theirs: nn.Module, gain: float, gains: dict[str, float]) -> None:
    fill_(ours, gain, gains)
    theirs.load_state_dict(ours.state_dict())


def _infer(model: nn.Module) -> Callable:
    def run(images, targets=None):
        model.eval()
        with torch.no_grad():
            return model(images)

    return run


def _step_of_outputs(model: nn.Module) -> Callable:
    """Dropout is off, so that both compute the same."""

    def run(images):
        model.train()
        for layer in model.modules():
            if isinstance(layer, nn.Dropout):
                layer.eval()
        output = model(images)
        outputs = output.values() if isinstance(output, dict) else [output]
        return _backward(model, sum(value.square().mean() for value in outputs))

    return run


def _step_of_losses(model: nn.Module) -> Callable:
    def run(images, targets):
        return _backward(model.train(), sum(model(images, targets).values()))

    return run


def _backward(model: nn.Module, loss: torch.Tensor) -> torch.Tensor:
    model.zero_grad()
    loss.backward()
    return loss.detach()


def main() -> None:
    sys.stdout.reconfigure(errors="backslashreplace")  # names may have any character
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_models", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of measuring, per row")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    rows = []
    print(HEAD)
    for case in cases():
        for row in compare(case, threads=options.threads, seconds=options.seconds):
            rows.append(table_row(row))
            print(rows[-1], flush=True)
    if not rows:
        raise SystemExit("torchvision does not import here; see the head of this file")
    RESULTS.write_text(_report(rows, options.threads), encoding="utf-8")
    print(f"\nwritten: {RESULTS}")


def _report(rows: list[str], threads: int) -> str:
    import torchvision

    body = "\n".join(rows)
    return f"""\
# Our models beside torchvision's

Written by `python -m benchmarks.bench_models`. Machine: {cpu()}, {os.cpu_count()} cores;
{threads} thread{"s" if threads > 1 else ""}; torch {torch.__version__}, torchvision
{torchvision.__version__} (its compiled operators); float32, eager. Median (quartiles) of
alternating runs in one process, same weights; outputs were compared before timing, except where *
marks that both draw samples at random. Where both call the same convolutions and nothing else
counts, the ratio can only be 1; it varied by 0.04 from run to run on a machine with other work.

{HEAD}
{body}
"""


if __name__ == "__main__":
    main()
