"""Run by `make lessons` after all lessons: each left a record, and every claim in it held or
says why it was skipped."""

import json

import pytest

from tests.lessons.notebooks import LESSONS, ROOT, number_of


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_record(path):
    path = ROOT / "build/records" / f"{number_of(path.stem)}.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    checked = [claim for claim in record["claims"] if "skipped" not in claim]
    assert len(checked) >= 3
    assert all(claim["holds"] for claim in checked)
    assert record["device"]
    assert record["seconds"] > 0
