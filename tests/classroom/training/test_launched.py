"""`fit` under `accelerate launch`, on two processes that talk over gloo.

`accelerate launch --cpu` starts one process, unless under MPI; with `--multi_gpu` it starts as many
as it is told, and `CVCOURSE_DEVICE=cpu` keeps them on the CPU.
"""

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.classroom import launched

ROOT = Path(__file__).parents[3]


def free_port() -> int:
    """A port below those that the system hands out to whoever asks for any."""
    for port in random.SystemRandom().sample(range(20_000, 30_000), 100):
        with socket.socket() as candidate, contextlib.suppress(OSError):
            candidate.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port found")


def launch(folder: Path) -> None:
    """Let two processes do what `launched.py` says, and leave it in `folder`."""
    options = ["--multi_gpu", "--num_processes", "2", "--main_process_port", str(free_port())]
    launch_script([*options, "-m", "tests.classroom.launched", folder], folder)


def launch_script(arguments: list, folder: Path) -> str:
    """What `accelerate launch` with these arguments prints."""
    options = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", *options]
    environment = {
        **os.environ,
        "CVCOURSE_DEVICE": "cpu",
        "CVCOURSE_RECORDS": str(folder / "records"),
        "OMP_NUM_THREADS": "1",
        "HF_HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    result = subprocess.run(
        [*launcher, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=900,
        check=False,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def folder(once):
    """What two processes left behind."""
    return once("launched", launch)


@pytest.fixture(scope="module")
def alone():
    """One process with the doubled batch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CVCOURSE_DEVICE", "cpu")
        return launched.train(8)


def test_two_processes_equal_one_with_the_doubled_batch(folder, alone):
    model, history = alone
    weights, rows, best = torch.load(folder / "whole.pt")
    torch.testing.assert_close(weights, dict(model.state_dict()), rtol=1e-5, atol=1e-6)
    assert len(rows) == len(history)
    for ours, theirs in zip(rows, history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
    assert best["step"] == history.best["step"]


def test_resumed_in_the_middle_two_processes_end_as_before(folder):
    weights, rows, best = torch.load(folder / "whole.pt")
    again, rows_again, best_again = torch.load(folder / "resumed.pt")
    assert all(weights[name].equal(again[name]) for name in weights)
    assert rows == rows_again
    assert best == best_again


def test_one_decision_for_all_what_is_best(folder):
    """Without a checkpoint, and with batch normalisation, whose statistics differ by process."""
    first, second = (torch.load(folder / f"apart-{rank}.pt") for rank in (0, 1))
    assert first["rows"] == second["rows"]
    validations = [row["validation"] for row in first["rows"] if "validation" in row]
    assert validations == [3.25, 1.5, 1.25, 6.5]
    assert first["best"] == second["best"]
    assert first["best"]["validation"] == 1.25
    for name, weights in first["weights"].items():
        assert torch.equal(weights, second["weights"][name]), name
    assert first["weights"]["1.num_batches_tracked"] == 3 * launched.ROWS // 8


def test_launch_on_cpus_that_starts_one_process_says_so(tmp_path):
    """`--cpu --num_processes 2` starts one; `fit` tells, once, and how it is done."""
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\n"
        "from cvcourse.classroom import fit\n"
        "for _ in range(2):\n"
        "    model = torch.nn.Linear(2, 1)\n"
        "    fit(model, [torch.ones(1, 2)], lambda m, x: m(x).sum(), steps=1, progress=False)\n",
        encoding="utf-8",
    )
    told = launch_script(["--cpu", "--num_processes", "2", script], tmp_path)
    assert told.count("one process trains: `accelerate launch --cpu` starts no more") == 1
    assert "CVCOURSE_DEVICE=cpu accelerate launch --multi_gpu --num_processes N" in told


def test_first_process_alone_writes_record_and_best_weights(folder):
    claims = json.loads((folder / "records" / "97.json").read_text(encoding="utf-8"))["claims"]
    assert len(claims) == 1
    kept = sorted(path.name for path in (folder / "run").iterdir())
    assert [name.split("-")[0] for name in kept] == ["best", "step", "step"]
    files = {path.name for path in (folder / "run" / kept[-1]).iterdir()}
    assert {"random-0.pt", "random-1.pt"} <= files
