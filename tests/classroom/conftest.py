"""Classroom tests run on the CPU, draw without a screen, and keep their records to themselves."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _classroom(monkeypatch, tmp_path):
    monkeypatch.setenv("CVCOURSE_DEVICE", "cpu")
    monkeypatch.setenv("CVCOURSE_RECORDS", str(tmp_path / "records"))
    for name in ("CVCOURSE_SCALE", "CVCOURSE_SEED", "CVCOURSE_WEIGHTS", "CVCOURSE_REHEARSE"):
        monkeypatch.delenv(name, raising=False)
    with mpl.rc_context():
        yield
    plt.close("all")
