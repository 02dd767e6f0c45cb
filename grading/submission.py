"""Finds what was handed in, reads it whatever it is, and rebuilds it on the release's cells.

Of a submission only the text of its cells is used. Cells that belong to the teacher come from the
assignment, so that editing, deleting, doubling or stripping them has no effect but a note.
"""

import dataclasses
import hashlib
import json
import os
import re
import stat
from pathlib import Path

import nbformat

from grading.assignment import Assignment, defined_in, key_of, kind_of

LARGEST = 20 * 2**20  # bytes of a notebook
MOST_CELLS = 1000
DEEPEST = 3  # folders below a student's own


class Unreadable(Exception):
    """The message says in words why there is nothing to grade."""


@dataclasses.dataclass(frozen=True)
class Submission:
    student: str  # as the folder is called
    key: str  # the same, safe as a file name
    path: Path | None  # the notebook; None when there is none
    trouble: str = ""  # why there is none

    def content(self) -> bytes:
        """The file's bytes; follows no link, waits for no pipe, reads no huge file."""
        if self.path is None:
            raise Unreadable(self.trouble)
        try:
            number = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise Unreadable(f"the notebook cannot be opened ({error.strerror})") from None
        with os.fdopen(number, "rb") as file:
            status = os.fstat(number)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("the notebook is no ordinary file")
            if status.st_size > LARGEST:
                raise Unreadable(
                    f"the notebook has {status.st_size / 2**20:.0f} MiB, and {LARGEST // 2**20} "
                    "are read: clear its outputs (Edit, Clear Outputs of All Cells), hand in again"
                )
            return file.read(LARGEST + 1)


def safe(student: str) -> str:
    """A file name for any student id; two ids never share one."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}", student):
        return student
    digest = hashlib.sha256(os.fsencode(student)).hexdigest()[:8]
    return (re.sub(r"[^A-Za-z0-9_-]", "_", student)[:40].lstrip("_-") or "student") + f"-{digest}"


def shown(student: str) -> str:
    return os.fsencode(student).decode("utf-8", "replace")


def find(folder: Path, assignment: Assignment) -> list[Submission]:
    """One submission for each folder in `folder`, and for each notebook that lies there loose."""
    found = []
    for entry in sorted(os.scandir(folder), key=lambda e: e.name):
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        student = entry.name.removesuffix(".ipynb")
        if entry.is_symlink():
            path, trouble = None, "a link was handed in, not a folder: links are not followed"
        elif entry.is_dir():
            path, trouble = _choose(Path(entry.path), assignment)
        elif entry.name.endswith(".ipynb"):
            path, trouble = Path(entry.path), ""
        else:
            continue
        found.append(Submission(student, safe(student), path, trouble))
    return found


def _notebooks(folder: Path, depth: int = 0) -> list[Path]:
    paths = []
    for entry in sorted(os.scandir(folder), key=lambda e: e.name):
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
            paths += _notebooks(Path(entry.path), depth + 1)
        elif entry.name.lower().endswith(".ipynb"):
            paths.append(Path(entry.path))
    return paths


def _choose(folder: Path, assignment: Assignment) -> tuple[Path | None, str]:
    try:
        paths = sorted(_notebooks(folder), key=lambda p: (len(p.parts), p.name))
    except OSError as error:
        return None, f"the folder cannot be read ({error.strerror})"
    exact = [path for path in paths if path.name == f"{assignment.name}.ipynb"]
    if exact:
        return exact[0], ""
    for path in paths:  # renamed by the student, a browser or a learning platform
        try:
            cells, _ = read(Submission(folder.name, "", path).content())
            rebuild(cells, assignment)
        except Unreadable:
            continue
        return path, ""
    if paths:
        others = ", ".join(path.name for path in paths[:3])
        return None, f"no notebook of {assignment.name} was handed in, but {others}"
    return None, f"no notebook was handed in for {assignment.name}"


@dataclasses.dataclass
class Cell:
    kind: str  # code or markdown
    text: str
    key: str  # nbgrader's name, or the notebook's id, or nothing


def read(content: bytes) -> tuple[list[Cell], list[str]]:
    """Cells of a notebook of any version, as far as they can be made out."""
    if not content.strip():
        raise Unreadable("the notebook is an empty file")
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable(
            "the file is no notebook (it is not JSON): was it saved in JupyterLab and copied whole?"
        ) from None
    if not isinstance(raw, dict):
        raise Unreadable("the file is no notebook (it has no cells)")
    notes = []
    listed = raw.get("cells")
    if listed is None:  # format 3
        sheets = raw.get("worksheets")
        listed = sheets[0].get("cells") if isinstance(sheets, list) and sheets else None
    if not isinstance(listed, list):
        raise Unreadable("the file is no notebook (it has no cells)")
    if len(listed) > MOST_CELLS:
        raise Unreadable(f"the notebook has {len(listed)} cells; {MOST_CELLS} are read")
    cells = []
    for item in listed:
        if not isinstance(item, dict):
            continue
        text = item.get("source", item.get("input", ""))
        text = "".join(map(str, text)) if isinstance(text, list) else str(text)
        text = text.replace("\r\n", "\n").replace("\r", "\n")  # of editors on Windows
        metadata = item.get("metadata") if isinstance(item.get("metadata"), dict) else {}
        mark = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
        key = mark.get("grade_id") or item.get("id") or metadata.get("id") or ""
        kind = "code" if item.get("cell_type") == "code" else "markdown"
        cells.append(Cell(kind, text, str(key)))
    return cells, notes


def rebuild(cells: list[Cell], assignment: Assignment) -> tuple[nbformat.NotebookNode, list[str]]:
    """The release with the student's answers in it, and their own cells where they stood."""
    notes = []
    release = assignment.release.cells
    kinds = {key_of(cell): kind_of(cell) for cell in release}
    by_name = {key_of(cell): key_of(cell) for cell in release}
    by_name |= {cell.id: key_of(cell) for cell in release}
    by_text = {_bare(cell.source): key_of(cell) for cell in release if kind_of(cell) != "exercise"}
    keys = [by_name.get(cell.key) for cell in cells]
    if not any(keys):
        notes.append(
            "the cells of this notebook carry no names any more; they were matched by content"
        )
    _match_by_content(cells, keys, by_text, assignment, notes)
    if not any(key and kinds[key] in ("exercise", "written", "check") for key in keys):
        raise Unreadable(
            f"none of the cells of {assignment.name} are in the notebook: is it the right one?"
        )
    chosen = _one_each(cells, keys, kinds, assignment, notes)

    anchored: dict[str, list] = {}
    last = ""
    for index, (cell, key) in enumerate(zip(cells, keys, strict=True)):
        if not key:
            anchored.setdefault(last, []).append((index, cell))
        elif chosen[key] == index:
            last = key
        elif kinds[key] not in ("check", "set-up"):  # an earlier try runs before the last
            anchored.setdefault(_before(key, release), []).append((index, cell))

    built = nbformat.v4.new_notebook(metadata=assignment.release.metadata)
    _append_own(built, anchored.get("", []))
    for cell in release:
        key = key_of(cell)
        copy, kind = nbformat.from_dict(cell), kinds[key]
        text = cells[chosen[key]].text if key in chosen else None
        changed = text is not None and _bare(text) != _bare(cell.source)
        if kind in ("exercise", "written"):
            if text is None:
                notes.append(f"cell {key} is missing from the notebook: it counts as not answered")
            else:
                copy["source"] = text
        elif kind in ("check", "set-up"):
            if text is None:
                notes.append(f"cell {key} was missing from the notebook and was put back")
            elif changed:
                notes.append(f"cell {key} was changed; the original was used")
        elif cell.cell_type == "code":  # an experiment: students change it, or leave it out
            copy["source"] = text
        elif changed:  # written into the question instead of the answer: kept below it
            anchored.setdefault(key, []).insert(0, (chosen[key], cells[chosen[key]]))
        if copy["source"] is not None:
            built.cells.append(copy)
        _append_own(built, anchored.get(key, []))
    return built, notes


def _bare(text: str) -> str:
    """A cell's text without what editors change by themselves: ends of lines, and of the cell."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def _before(key: str, release) -> str:
    order = [key_of(cell) for cell in release]
    return order[order.index(key) - 1] if order.index(key) else ""


def _match_by_content(cells, keys, by_text, assignment: Assignment, notes: list[str]):
    """For cells whose names were stripped: the same text, the same function, the same place."""
    functions = assignment.functions
    for index, cell in enumerate(cells):
        if keys[index] is None and _bare(cell.text) in by_text:
            keys[index] = by_text[_bare(cell.text)]
    for key, wanted in functions.items():
        if key in keys:
            continue
        for index, cell in enumerate(cells):
            if keys[index] is None and cell.kind == "code" and wanted & defined_in(cell.text):
                keys[index] = key
                notes.append(f"cell {key} had lost its name; it was known by its function")
    order = [key_of(cell) for cell in assignment.release.cells]
    for key in assignment.written:
        if key in keys:
            continue
        before = order[order.index(key) - 1]
        places = [i + 1 for i, k in enumerate(keys) if k == before and i + 1 < len(cells)]
        for index in places:
            if keys[index] is None and cells[index].kind == "markdown":
                keys[index] = key
                notes.append(f"cell {key} had lost its name; it was known by its place")


def _one_each(cells, keys, kinds, assignment: Assignment, notes: list[str]) -> dict[str, int]:
    """Which of the student's cells stands for each cell of the release."""
    original = {key_of(cell): _bare(cell.source) for cell in assignment.release.cells}
    chosen = {}
    for key in dict.fromkeys(key for key in keys if key):
        places = [index for index, other in enumerate(keys) if other == key]
        if len(places) > 1 and kinds[key] != "text":
            notes.append(f"cell {key} is there {len(places)} times; the last one counts")
        answered = [i for i in places if _bare(cells[i].text) != original[key]]
        chosen[key] = (answered or places)[-1] if kinds[key] == "written" else places[-1]
    return chosen


def _append_own(built, own):
    for index, cell in own:
        make = nbformat.v4.new_code_cell if cell.kind == "code" else nbformat.v4.new_markdown_cell
        built.cells.append(make(cell.text, id=f"own-{index}"))
