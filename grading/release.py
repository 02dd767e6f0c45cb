"""From source notebooks to what students get: nbgrader cuts out solutions and hidden tests."""

import contextlib
import io
import json
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat

from cvcourse.data._extras import extra
from grading.assignment import RELEASE, SOURCE, names


def course(root: Path):
    """nbgrader's configuration for a course in `root`."""
    from traitlets.config import Config

    tools = str(Path(sys.executable).parent)  # nbgrader calls `alembic` by its bare name
    if tools not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = tools + os.pathsep + os.environ["PATH"]

    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = "cvcourse"
    config.ClearSolutions.code_stub = {
        "python": "# Write your code here.\nraise NotImplementedError"
    }
    config.ClearSolutions.text_stub = "*Write your answer here.*"
    config.NbGraderAPI.log_level = logging.ERROR
    return config


def add_to_course(name: str, root: Path, source=SOURCE):
    """Copy an assignment into the course in `root` and let nbgrader generate its release there."""
    with extra("teach", "grading"):
        from nbgrader.apps import NbGraderAPI

    folder = root / "source" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(Path(source) / name / f"{name}.ipynb", folder)
    config = course(root)
    api = NbGraderAPI(config=config)
    api.log_level = logging.ERROR
    with contextlib.redirect_stderr(io.StringIO()) as said:
        result = api.generate_assignment(name, force=True, create=True)
    if not result["success"]:
        raise RuntimeError(f"nbgrader cannot generate {name}:\n{result['log']}{said.getvalue()}")
    return root / "release" / name / f"{name}.ipynb"


def generated(chosen: list[str], source=SOURCE) -> dict[str, str]:
    """The text of the release notebooks that belong to source notebooks."""
    texts = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            notebook = nbformat.read(add_to_course(name, Path(folder), source), as_version=4)
            texts[name] = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    return texts


def generate_all(source=SOURCE, release=RELEASE, only: str | None = None):
    """Write the release notebooks, and remove those whose source is gone."""
    chosen = [name for name in names(source) if only in (None, name)]
    for name, text in generated(chosen, source).items():
        path = Path(release) / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"generated {path}")
    if only is None:
        for path in Path(release).glob("*/*.ipynb"):
            if path.stem not in chosen:
                shutil.rmtree(path.parent)
                print(f"removed {path.parent}")
