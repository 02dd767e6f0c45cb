"""A run that was killed, at the worst moments, and resumed ends as one that was not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.classroom.killed import VARIANTS, WAYS_TO_DIE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and fork are of POSIX")


@pytest.fixture(scope="module")
def told(once):
    """What all the processes say; see `killed.py`."""

    def run(folder):
        result = subprocess.run(
            [sys.executable, "-m", "tests.classroom.killed", folder / "runs"],
            cwd=Path(__file__).parents[3],
            env={**os.environ, "CVCOURSE_DEVICE": "cpu", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            timeout=900,
            check=False,
            encoding="utf-8",
        )
        assert result.returncode == 0, result.stderr
        told = json.loads(result.stdout) | {"errors": result.stderr}
        (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")

    return json.loads((once("killed", run) / "told.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("way", WAYS_TO_DIE)
def test_resumed_run_ends_as_an_uninterrupted_one(told, way):
    case = told[way]
    assert set(case["deaths"]) == {"SIGKILL"}, told["errors"]
    assert case["status"] == "exit 0", told["errors"]
    assert case["end"]["history"] == case["expected"]["history"]
    assert case["end"]["weights"] == case["expected"]["weights"]
    assert not [name for name in case["remains"] if name.startswith(".") or "damaged" in name]


def test_the_variants_are_different_runs(told):
    weights = {told[f"whole {variant}"]["weights"] for variant in VARIANTS}
    assert len(weights) == len(VARIANTS)


@pytest.mark.parametrize(
    ("way", "half_done"),
    [
        ("writing weights", ".step-00000002.unfinished"),
        ("writing the random state", ".step-00000003.unfinished"),
        ("adding up", ".step-00000002.unfinished"),
        ("before renaming", ".step-00000006.unfinished"),
        ("after renaming", "step-00000006"),
        ("removing an old one", ".step-00000003.removed"),
        ("keeping the best", ".best-00000010.unfinished"),
    ],
)
def test_the_kill_came_at_that_moment(told, way, half_done):
    assert half_done in told[way]["left"]
