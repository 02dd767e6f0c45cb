"""Classroom tests run on the CPU, draw without a screen, and keep their records to themselves."""

import os

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from filelock import FileLock  # comes with PyTorch

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _classroom(monkeypatch, tmp_path):
    monkeypatch.setenv("CVCOURSE_DEVICE", "cpu")
    monkeypatch.setenv("CVCOURSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.delenv("CVCOURSE_SCALE", raising=False)
    with mpl.rc_context():
        yield
    plt.close("all")


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """`once(name, work)`: a folder that `work(folder)` has filled, by one of pytest's processes."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def fill(name, work):
        folder = root / name
        with FileLock(root / f"{name}.lock"):
            if not folder.exists():
                folder.mkdir()
                work(folder)
        return folder

    return fill
