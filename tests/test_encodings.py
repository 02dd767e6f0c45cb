"""Text files are UTF-8 on every machine: whatever opens one says so. (Ruff sees only some.)"""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("cvcourse", "grading", "data_scripts", "benchmarks", "scripts", "tests")
BOOKS = ("lessons", "assignments")


def without_encoding(code: str) -> list[str]:
    """Calls that open a text file, or read a process's text, in the machine's own encoding."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        modes = [*node.args, *([given["mode"]] if "mode" in given else [])]
        modes = [m.value for m in modes if isinstance(m, ast.Constant) and isinstance(m.value, str)]
        modes = [mode for mode in modes if set(mode) <= set("rwaxbt+")]
        film = ast.unparse(node.func) == "av.open"
        opens = name in ("open", "fdopen") and (isinstance(node.func, ast.Name) or modes)
        text = (
            (name == "read_text" and not node.args)
            or (name == "write_text" and len(node.args) < 2)
            or (opens and not film and not any("b" in mode for mode in modes))
            or (name == "NamedTemporaryFile" and modes and "b" not in modes[0])
            or (name in ("run", "Popen", "check_output") and "text" in given)
        )
        if text and "encoding" not in given:
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("path.read_text()", 1),
        ("path.write_text(text)", 1),
        ("open(path)", 1),
        ("open(path, 'w')", 1),
        ("path.open('a')", 1),
        ("path.open(mode='w')", 1),
        ("subprocess.run(command, text=True)", 1),
        ("path.read_text(encoding='utf-8')", 0),
        ("open(path, 'wb')", 0),
        ("path.open(mode='rb')", 0),
        ("Image.open(path)", 0),
        ("tarfile.open(path)", 0),
        ("av.open(path, 'w')", 0),
    ],
)
def test_the_test_sees(code, count):
    assert len(without_encoding(code)) == count


def test_scripts():
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    found = {str(path): without_encoding(path.read_text(encoding="utf-8")) for path in paths}
    assert {path: calls for path, calls in found.items() if calls} == {}


def test_notebooks():
    found = {}
    for path in [path for folder in BOOKS for path in (ROOT / folder).rglob("*.ipynb")]:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        code = [source for source in code if not source.startswith("%")]
        found[str(path)] = [call for source in code for call in without_encoding(source)]
    assert {path: calls for path, calls in found.items() if calls} == {}
