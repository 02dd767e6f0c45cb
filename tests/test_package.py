"""What is published: contents of wheel and sdist, metadata, links, and types that checkers read."""

import email
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import cvcourse

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(once):
    """A folder with the wheel and the sdist, as `python -m build` makes them."""

    def build(folder):
        command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stdout + done.stderr

    return once("built", build)


@pytest.fixture(scope="module")
def metadata(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        [name] = [n for n in wheel.namelist() if n.endswith(".dist-info/METADATA")]
        return email.message_from_string(wheel.read(name).decode())


def test_the_wheel_has_the_package_and_nothing_else(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    rooms = {name.split("/")[0] for name in names}
    assert rooms == {"cvcourse", f"cvcourse-{cvcourse.__version__}.dist-info"}
    assert "cvcourse/py.typed" in names
    here = {p.relative_to(ROOT).as_posix() for p in (ROOT / "cvcourse").rglob("*.py")}
    assert here <= set(names)
    assert not [n for n in names if re.search(r"tests?/|\.ipynb|\.safetensors|\.npz", n)]


def test_the_sdist_is_small_and_has_neither_lessons_nor_weights_nor_tests(built):
    path = next(built.glob("*.tar.gz"))
    assert path.stat().st_size < 3e6
    with tarfile.open(path) as sdist:
        names = [name.partition("/")[2] for name in sdist.getnames()]
    assert {name.split("/")[0] for name in names} == {
        "CHANGELOG.md", "CITATION.cff", "LICENSE", "PKG-INFO", "README.md", "constraints.txt",
        "cvcourse", "pyproject.toml", ".gitignore",
    }  # fmt: skip


def test_metadata(metadata):
    urls = dict(line.split(", ") for line in metadata.get_all("Project-URL"))
    assert {"Repository", "Documentation", "Changelog", "Issues"} <= urls.keys()
    assert metadata["License-Expression"] == "MIT"
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert "pytorch" in metadata["Keywords"]


def test_the_readme_has_no_relative_links_on_pypi(metadata):
    text = metadata.get_payload()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    repository = dict(line.split(", ") for line in metadata.get_all("Project-URL"))["Repository"]
    assert f"]({repository}/blob/main/lessons/00_welcome.ipynb)" in text
    slug = repository.removeprefix("https://github.com/")
    assert f"](https://raw.githubusercontent.com/{slug}/main/docs/answers.png)" in text


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == cvcourse.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\S+)", changes, re.M)
    assert headings[0] == "Unreleased" or headings[0] == f"[{cvcourse.__version__}]"


TYPED = """\
from cvcourse.losses import sigmoid_focal_loss
from cvcourse.models import UNet, load_pretrained
from cvcourse.ops import nms
from torch import Tensor, rand

logits, boxes = rand(4), rand(4, 4)
loss: Tensor = sigmoid_focal_loss(logits, logits, reduction="mean")
network: UNet = load_pretrained(UNet(widths=(4, 8)), "weights.pth")
size: int = network.input_size(100)
sigmoid_focal_loss(logits, logits, reduction=3)  # wrong: not a text
sigmoid_focal_loss(logits, logits, gama=2.0)  # wrong: no such argument
nms(boxes, logits, "0.5")  # wrong: not a number
nms(boxes, logits)  # wrong: a threshold is missing
word: str = network.input_size(100)  # wrong: an int
load_pretrained(5, "weights.pth")  # wrong for pyright: not a module
UNet(width=4)  # wrong: no such argument
"""
# PyTorch's own annotations take mypy a minute to read: for it here, a module is anything.
MYPY = "[mypy]\nstrict = True\n[mypy-torch.*,numpy.*,jaxtyping.*]\nfollow_imports = skip\n"


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_planted_errors_are_found_and_no_others(tmp_path, checker):
    program = tmp_path / "program.py"
    program.write_text(TYPED, encoding="utf-8")
    (tmp_path / "mypy.ini").write_text(MYPY, encoding="utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "basic"}', encoding="utf-8")
    tool = str(Path(sysconfig.get_path("scripts")) / checker)
    options = {
        "mypy": ["--config-file", "mypy.ini", "--python-executable", sys.executable],
        "pyright": ["--pythonpath", sys.executable],
    }[checker]
    done = subprocess.run(
        [tool, *options, program.name], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    found = re.findall(r"program\.py:(\d+)(?::\d+)?(?: -|:) error", done.stdout)
    marks = ("# wrong:", f"# wrong for {checker}:")
    lines = enumerate(TYPED.splitlines(), start=1)
    wrong = [number for number, line in lines if any(mark in line for mark in marks)]
    assert sorted(set(map(int, found))) == wrong, done.stdout + done.stderr
