"""Weights and tables that come with the lessons are whole, and small."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from safetensors import safe_open

FOLDER = Path(__file__).parents[2] / "lessons"
WEIGHTS = sorted(FOLDER.glob("weights/*.safetensors"))
TABLES = sorted(FOLDER.glob("tables/*.json"))
OF_A_LESSON, OF_ALL = 3e6, 50e6  # bytes


def test_there_is_nothing_else():
    others = {*FOLDER.glob("weights/*"), *FOLDER.glob("tables/*")} - {*WEIGHTS, *TABLES}
    assert not others


def test_small():
    sizes = Counter()
    for file in WEIGHTS + TABLES:
        sizes[file.name.split("-")[0]] += file.stat().st_size
    over = {lesson: f"{size / 1e6:.1f} MB" for lesson, size in sizes.items() if size > OF_A_LESSON}
    assert not over, f"lessons with more than {OF_A_LESSON / 1e6:.0f} MB of weights: {over}"
    assert sizes.total() <= OF_ALL


# comparisons still to be trained three times, and how often they are; their lessons say so
UNFINISHED = {"07-at-once": 1, "07-networks": 2, "09-trainings": 2, "11-longest": 2}
UNFINISHED |= {
    "04-longer": 2,
    "08-rates": 1,
    "24-rates": 1,
    "33-rates": 1,
    "42b-rates": 1,
}


@pytest.mark.parametrize("file", WEIGHTS, ids=lambda file: file.stem)
def test_weights(file):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert digest.startswith(file.stem.split("-")[-1]), f"{file.name} is damaged"
    with safe_open(file, framework="pt") as weights:
        dtypes = {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
        assert float(weights.metadata()["cpu_seconds"]) > 0
    assert not dtypes & {"F32", "F64", "BF16"}, f"{file.name} must be float16"


@pytest.mark.parametrize("file", TABLES, ids=lambda file: file.stem)
def test_table(file):
    table = json.loads(file.read_text(encoding="utf-8"))
    trainings = len(table["seeds"])
    if file.stem in UNFINISHED:
        assert trainings == UNFINISHED[file.stem] < 3, "finished? then strike it out"
    else:
        assert trainings >= 3, "a comparison of methods needs three trainings"
    assert all(len(values) == len(table["seeds"]) for values in table["values"].values())
