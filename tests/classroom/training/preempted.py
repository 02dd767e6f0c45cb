"""The script of docs/scaling.md on two processes, killed and resumed: run by CI once a week.

python -m pytest tests/classroom/training/preempted.py
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil  # comes with accelerate
import pytest
import torch

from tests.classroom.training.test_launched import ROOT, free_port


def start(to: Path) -> subprocess.Popen:
    options = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    options += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    options += ["--main_process_port", str(free_port()), str(ROOT / "scripts/train_detector.py")]
    options += ["--to", str(to), "--steps", "12", "--every", "4", "--batch", "2", "--workers", "0"]
    environment = {
        "CVCOURSE_DEVICE": "cpu",
        "CVCOURSE_SCALE": "small",
        "CVCOURSE_RECORDS": str(to.parent / "records"),
        "HF_HOME": str(to.parent / "home"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="killing a group of processes needs POSIX")
def test_two_processes_killed_and_resumed_end_as_if_nothing_had_happened(tmp_path):
    whole = start(tmp_path / "whole")
    said = whole.communicate(timeout=600)[0]
    assert whole.returncode == 0, said
    assert "12 steps of 4 pictures" in said

    killed = start(tmp_path / "killed")
    checkpoints = tmp_path / "killed" / "checkpoints"
    while not list(checkpoints.glob("step-*")) and killed.poll() is None:
        time.sleep(0.05)
    launcher = psutil.Process(killed.pid)
    for process in [*launcher.children(recursive=True), launcher]:
        process.kill()
    killed.communicate()
    assert not (tmp_path / "killed" / "weights.pth").exists()

    resumed = start(tmp_path / "killed")
    again = resumed.communicate(timeout=600)[0]
    assert resumed.returncode == 0, again
    assert said.splitlines()[-1] == again.splitlines()[-1]
    ours, theirs = (torch.load(tmp_path / n / "weights.pth") for n in ("whole", "killed"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
