"""The benchmarks of a CUDA device, as far as they go without one."""

import sys
from types import SimpleNamespace

import pytest
import torch

from benchmarks import bench_gpu, harness
from benchmarks.harness import Case


def test_without_a_device_it_says_so_and_writes_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(bench_gpu, "RESULTS", tmp_path / "GPU.md")
    monkeypatch.setattr("sys.argv", ["bench_gpu"])
    with pytest.raises(SystemExit, match="no CUDA device here"):
        bench_gpu.main()
    assert not list(tmp_path.iterdir())


def case(name, peers):
    return Case(
        name=name, sizes="2", inputs=lambda: (torch.ones(2, requires_grad=True), 3), ours=torch.mul,
        peers=dict.fromkeys(peers, torch.mul), target={"kornia": 1.0},
    )  # fmt: skip


@pytest.fixture
def pretended(monkeypatch):
    """Cases as of `make bench`, torchvision, and a device that is the CPU."""
    cases = [
        case("box_iou", ["torchvision (its formula)", "kornia"]),
        case("box_iou", ["scipy"]),
        case("psnr", ["kornia", "scikit-image"]),
        case("dice_loss", ["smp (its algorithm)"]),
    ]
    monkeypatch.setattr("benchmarks.__main__.all_cases", lambda: cases)
    names = ["sigmoid_focal_loss", "generalized_box_iou_loss", "box_iou", "generalized_box_iou"]
    ops = SimpleNamespace(**dict.fromkeys([*names, "nms", "batched_nms", "roi_align"], torch.mul))
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(ops=ops))
    monkeypatch.setattr(bench_gpu, "on_cuda", lambda x: x)


def test_cases_are_those_of_kornia_and_torchvision(pretended):
    found = [(c.name, set(c.peers)) for c in bench_gpu.cuda_cases()]
    assert found == [("box_iou", {"kornia", "torchvision"}), ("psnr", {"kornia"})]
    assert not any(c.target for c in bench_gpu.cuda_cases())
    assert bench_gpu.cases() == []


def test_torchvision_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert bench_gpu.torchvision_peers() == {}


def test_a_case_that_fails_does_not_stop_the_others(pretended, monkeypatch, tmp_path):
    def compare(case, **options):
        if case.name == "box_iou":
            raise RuntimeError("no kernel\nfor this")
        return harness.compare(case, rounds=6)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a device")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(bench_gpu, "compare", compare)
    monkeypatch.setattr(bench_gpu, "RESULTS", tmp_path / "GPU.md")
    monkeypatch.setattr("sys.argv", ["bench_gpu"])
    bench_gpu.main()
    written = (tmp_path / "GPU.md").read_text(encoding="utf-8")
    assert "- box_iou: no kernel\n" in written
    assert "| psnr | 2 | kornia |" in written
    assert "Device: a device" in written
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_device():
    x = bench_gpu.on_cuda(torch.ones(1000, 1000, requires_grad=True))
    assert x.is_cuda
    assert x.is_leaf
    assert x.requires_grad
    (row,) = harness.compare(
        Case(name="", sizes="", inputs=lambda: (x,), ours=torch.exp, peers={"": torch.exp})
    )
    assert row.ours_mb >= 4_000_000 / 2**20


def test_clock_and_memory_are_cudas(monkeypatch):
    order = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            order.append("event")

        def synchronize(self):
            order.append("wait")

        def elapsed_time(self, end):
            return 7.0

    memory = {"memory_allocated": 2**20, "max_memory_allocated": 4 * 2**20}
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: order.append("wait"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: order.append("reset"))
    for name, value in memory.items():
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)

    def call():
        order.append("call")
        return torch.ones(())

    assert harness._cuda_milliseconds(call, ()) == 7
    assert order == ["wait", "event", "call", "event", "wait"]
    order.clear()
    assert harness._cuda_peak_mb(call, ()) == 3
    assert order == ["reset", "call"]
