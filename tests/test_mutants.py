"""`scripts/mutants.py` finds what a test misses, and tries nothing twice."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="the mutation tester comes with the extra 'dev'")
SCRIPT = Path(__file__).parents[1] / "scripts/mutants.py"


@pytest.fixture
def course(tmp_path):
    """A course of one function, x / 2, whose test asks for the half of 4 alone."""
    for name in ("scripts", "cvcourse/losses", "tests/losses"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "scripts")
    code, test = tmp_path / "cvcourse/losses/half.py", tmp_path / "tests/losses/test_halves.py"
    code.write_text("def half(x):\n    return x / 2\n", encoding="utf-8")
    lines = ("from cvcourse.losses.half import half", "def test_half():", "    assert half(4) == 2")
    test.write_text("\n".join(lines), encoding="utf-8")
    for package in ("cvcourse", "cvcourse/losses"):
        (tmp_path / package / "__init__.py").touch()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    return tmp_path


def mutants(course, *options) -> str:
    call = [sys.executable, "scripts/mutants.py", "cvcourse/losses", *options]
    done = subprocess.run(call, cwd=course, capture_output=True, encoding="utf-8", check=True)
    return done.stdout


def test_four_minus_two_and_four_floor_two_are_two_as_well(course):
    said = mutants(course, "--results", "results.jsonl")
    lines = said.splitlines()
    survivors = {line for line in lines if line.startswith("+ ")}
    assert survivors == {"+    return x - 2", "+    return x // 2"}
    # eleven other operators, and two other numbers
    assert lines[0] == "13 changes in 2 files, 13 to try"
    assert lines[-1] == "11 of 13 changes noticed (85 %)"
    assert "x / 2" in (course / "cvcourse/losses/half.py").read_text(encoding="utf-8")

    tried = (course / "results.jsonl").read_text(encoding="utf-8")
    assert mutants(course, "--results", "results.jsonl") == said
    assert (course / "results.jsonl").read_text(encoding="utf-8") == tried


def test_tests_that_fail_without_a_change_notice_nothing(course):
    (course / "tests/losses/test_halves.py").write_text(
        "from cvcourse.losses.half import half\nassert not half", encoding="utf-8"
    )
    with pytest.raises(subprocess.CalledProcessError) as caught:
        mutants(course)
    assert "fails without any change, too: tests/losses/test_halves.py" in caught.value.stderr
