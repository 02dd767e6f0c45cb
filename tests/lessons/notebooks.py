"""The lessons' notebooks, `NN_topic.ipynb`, and second ones beside them, `NNb_topic.ipynb`."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "lessons").glob("[0-9]*.ipynb"))


def number_of(name: str) -> str:
    """`04` of `04_one_stage`, `19b` of `19b_more`."""
    found = re.fullmatch(r"(\d\d[a-z]?)_[a-z0-9_]+", name)
    assert found, f"{name} must be called NN_topic or NNb_topic"
    return found[1]
