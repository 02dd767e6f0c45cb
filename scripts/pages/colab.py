"""The lessons for Colab: a first, folded cell installs the course there, and nowhere else."""

import json
from pathlib import Path

from scripts.pages.cards import Card
from scripts.pages.links import BRANCH, REPOSITORY

CELL = """\
#@title Set up the course (on Colab only; a minute or two)
import os, subprocess, sys

if "google.colab" in sys.modules:
    course = "/content/cvcourse"
    if not os.path.isdir(course):
        clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", "{branch}"]
        subprocess.run([*clone, "{repository}", course], check=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, course + "[lessons]"], check=True)
    os.chdir(course + "/lessons")
"""


def cell_source(branch: str = BRANCH, repository: str = REPOSITORY) -> str:
    return CELL.format(branch=branch, repository=repository)


def for_colab(notebook: dict) -> dict:
    """The notebook with the cell in front; its source is folded away by Colab's `cellView`."""
    cell = {
        "cell_type": "code",
        "id": "set-up-colab",
        "metadata": {"cellView": "form"},
        "source": cell_source(),
        "execution_count": None,
        "outputs": [],
    }
    return notebook | {"cells": [cell, *notebook["cells"]]}


def write_notebooks(cards: list[Card], folder: Path) -> None:
    """What the branch `colab` of the repository holds."""
    folder.mkdir(parents=True, exist_ok=True)
    for card in cards:
        notebook = for_colab(json.loads(card.path.read_text(encoding="utf-8")))
        text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
        (folder / card.path.name).write_text(text, encoding="utf-8")
