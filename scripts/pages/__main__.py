"""python -m scripts.pages [strict]: the site of the course, in `build/site`. Nothing is executed.

Lessons are shown as `make lessons` (or `make lesson N=04`) left them in `build/executed`. Where the
lesson or the package has changed since, the page says so, and so does this command; with
`strict` it then fails.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

from scripts.pages import colab, lessons, overview, reference
from scripts.pages.cards import ROOT, Card, read_cards
from scripts.pages.links import PAGES, repository_links

SOURCE = ROOT / "build" / "site-source"
SITE = ROOT / "build" / "site"


def assemble(source: Path = SOURCE) -> dict[str, str]:
    """Write everything that Sphinx reads; the state of each lesson's outputs by its number."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source)
    shutil.copy(ROOT / "docs" / "answers.png", source / "_static" / "answers.png")
    cards = read_cards()
    names = reference.public_names()
    made = {
        card.number: lessons.write_lesson(card, source, cards, reference.code_of(card, names))
        for card in cards
    }
    (source / "lessons" / "index.md").write_text(overview.lesson_index(cards), encoding="utf-8")
    reference.write_reference(source, cards)
    for name, page in PAGES.items():
        copy_page(ROOT / name, source / f"{page}.md")
    figures = {number: lesson["figures"] for number, lesson in made.items()}
    fill(source / "index.md", "GALLERY", overview.gallery(cards, figures, source))
    fill(source / "teach" / "index.md", "TABLES", overview.teacher_tables(cards))
    fill(source / "index.md", "FACTS", facts(cards))
    copy_mathjax(source / "_static")
    colab.write_notebooks(cards, ROOT / "build" / "colab")
    return {number: lesson["state"] for number, lesson in made.items()}


def facts(cards: list[Card]) -> str:
    names = len(reference.public_names())
    return f"{len(cards)} lessons, {overview.hours(cards)} of study, {names} names to import."


def copy_page(file: Path, page: Path) -> None:
    """A page that is a file of the repository; `docs/index.md` has its own front page."""
    if page.stem == "index" or not file.exists():
        return
    page.parent.mkdir(parents=True, exist_ok=True)
    text = repository_links(file.read_text(encoding="utf-8"), file.parent)
    page.write_text(text, encoding="utf-8")


def fill(page: Path, name: str, text: str) -> None:
    """Put `text` where the page has a line `% NAME`."""
    before = page.read_text(encoding="utf-8")
    after, count = re.subn(rf"^% {name}$", lambda _: text, before, flags=re.M)
    if count != 1:
        raise ValueError(f"{page} must have one line '% {name}', but has {count}")
    page.write_text(after, encoding="utf-8")


def copy_mathjax(static: Path) -> None:
    """MathJax in one file, drawing SVG: it asks for no fonts, and for nothing from the network."""
    import importlib.util

    [package] = importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations
    shutil.copy(Path(package) / "static" / "mathjax" / "tex-svg.js", static / "mathjax-tex-svg.js")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m scripts.pages", description=__doc__)
    parser.add_argument(
        "strict", nargs="?", choices=["strict"], help="fail if a lesson is old or a page warns"
    )
    given = parser.parse_args(arguments)
    from sphinx.cmd.build import build_main

    states = assemble()
    shutil.rmtree(SITE, ignore_errors=True)  # pages of names that are gone
    options = ["-q", "-E", "-b", "html", "-d", str(ROOT / "build" / "site-doctrees")]
    options += ["-W", "--keep-going"] if given.strict else []  # warnings are errors
    failed = build_main([*options, str(SOURCE), str(SITE)])
    old = overview.summary(states)
    if old:
        print(old)
    if not failed:
        print(f"The site is in {SITE / 'index.html'}")
    return int(bool(failed or (given.strict and old)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
