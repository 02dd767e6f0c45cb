"""Where the course lives, and links of its files turned into links of the site."""

import os
import re
import tomllib
from pathlib import Path

from scripts.pages.cards import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"].rstrip("/")
SLUG = REPOSITORY.removeprefix("https://github.com/")
BRANCH = os.environ.get("CVCOURSE_SITE_REF", "main")
SOURCE = f"{REPOSITORY}/blob/{BRANCH}"
COLAB = f"https://colab.research.google.com/github/{SLUG}/blob/colab/{{name}}"
BINDER = f"https://mybinder.org/v2/gh/{SLUG}/{BRANCH}?urlpath=lab/tree/lessons/{{name}}"
PAGES = {  # files of the repository that are pages of the site
    "README.md": "index",
    "CONTRIBUTING.md": "project/contributing",
    "CHANGELOG.md": "project/changelog",
    "assignments/README.md": "teach/assignments",
    "assignments/CONTRIBUTING.md": "teach/writing_assignments",
    "benchmarks/RESULTS.md": "project/benchmarks",
    "benchmarks/MODELS.md": "project/benchmarks_models",
    "benchmarks/SCENES.md": "project/benchmarks_scenes",
    "benchmarks/GPU.md": "project/benchmarks_gpu",
    "lessons/GPU.md": "project/gpu",
    "docs/scaling.md": "import/scaling",
    "docs/teach/jupyterhub.md": "teach/jupyterhub",
}
LINK = re.compile(r"(\[[^\]]*\]\()([^)#\s]+)([)#])")


def repository_links(text: str, folder: Path, root: Path = ROOT) -> str:
    """`text` of a file in `folder` with its relative links leading to pages, or to the source."""

    def turned(found: re.Match) -> str:
        target = found[2]
        if re.match(r"[a-z]+:|/", target):
            return found[0]
        path = (folder / target).resolve()
        if not path.is_relative_to(root) or not path.exists():
            return found[0]
        return f"{found[1]}{place(path.relative_to(root).as_posix())}{found[3]}"

    return LINK.sub(turned, text)


def place(name: str) -> str:
    """The page of a file of the repository, or its source on the web."""
    if name in PAGES:
        return f"/{PAGES[name]}.md"
    if name.startswith("lessons/") and name.endswith(".ipynb"):
        return f"/{name}"
    return f"{SOURCE}/{name}"
