"""Our functions on a CUDA device: `python -m benchmarks.bench_gpu`, or `make bench-gpu`.

The cases of `make bench` beside kornia, and beside torchvision's compiled kernels where it can be
imported. On a device our functions take their plain path, not the one for the CPU. It writes
`GPU.md`; `make bench` finds no case here.
"""

import argparse
import datetime
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.harness import Case, compare
from benchmarks.table import HEAD, table_row

RESULTS = Path(__file__).with_name("GPU.md")


def cases() -> list:
    """Nothing on the CPU; see `cuda_cases`."""
    return []


def cuda_cases() -> Iterator[Case]:
    from benchmarks.__main__ import all_cases

    torchvision = torchvision_peers()
    for case in all_cases():
        peers = {name: peer for name, peer in case.peers.items() if name == "kornia"}
        if case.name in torchvision:  # of several sizes, the first
            peers["torchvision"] = torchvision.pop(case.name)
        if peers:
            inputs = lambda case=case: tuple(map(on_cuda, case.inputs()))  # noqa: E731
            yield replace(case, inputs=inputs, peers=peers, target={})


def on_cuda(value: object) -> object:
    if not isinstance(value, Tensor):
        return value
    return value.detach().to("cuda").requires_grad_(value.requires_grad)


def torchvision_peers() -> dict[str, Callable]:
    """By the names of the cases that compute the same."""
    try:
        from torchvision import ops
    except (ImportError, RuntimeError):
        return {}
    return {
        "sigmoid_focal_loss": lambda x, t: ops.sigmoid_focal_loss(x, t, reduction="sum"),
        "generalized_box_iou_loss": lambda a, b: ops.generalized_box_iou_loss(a, b, "sum"),
        "box_iou": ops.box_iou,
        "generalized_box_iou": ops.generalized_box_iou,
        "nms spread": ops.nms,
        "nms clustered": ops.nms,
        "batched_nms": ops.batched_nms,
        "roi_align": lambda maps, rois: ops.roi_align(maps, rois, 7, 1 / 16, 2),
        "roi_align with backward": lambda maps, rois: ops.roi_align(maps, rois, 7, 1 / 16, 2),
    }


def main() -> None:
    sys.stdout.reconfigure(errors="backslashreplace")  # names may have any character
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_gpu", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of measuring, per case")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit(f"no CUDA device here, or a PyTorch without CUDA: {RESULTS.name} is as it was")
    torch.backends.cudnn.allow_tf32 = False  # float32, as on the CPU
    rows, failed = [], []
    print(HEAD)
    for case in cuda_cases():
        try:
            for row in compare(case, seconds=options.seconds):
                rows.append(table_row(row))
                print(rows[-1], flush=True)
        except (AssertionError, RuntimeError, TypeError) as error:
            failed.append(f"- {case.name}: {str(error).splitlines()[0]}")
            print(failed[-1], flush=True)
    RESULTS.write_text(report(rows, failed), encoding="utf-8")
    print(f"\nwritten: {RESULTS}")


def report(rows: list[str], failed: list[str]) -> str:
    left_out = "\n".join(
        ["", "Left out, because a call failed or values differed:", "", *failed, ""]
    )
    return f"""\
# Our functions on a GPU

Written by `python -m benchmarks.bench_gpu` (`make bench-gpu`) on {datetime.date.today()}.
Device: {torch.cuda.get_device_name()}; torch {torch.__version__}, CUDA {torch.version.cuda};
float32 without TF32. Times between two CUDA events; MB of memory that PyTorch allocates. Columns as
in [RESULTS.md](RESULTS.md).

{HEAD}
{chr(10).join(rows)}
{left_out if failed else ""}"""


if __name__ == "__main__":
    main()
