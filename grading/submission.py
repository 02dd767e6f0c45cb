"""Reads what was handed in, whatever it is, and rebuilds it on the release's cells.

Of a submission only the text of its cells is used. Cells that belong to the teacher come from the
assignment, so that editing, deleting, doubling or stripping them has no effect but a note.
"""

import ast
import dataclasses
import json
import re

import nbformat

from grading.assignment import Assignment, bare, defined_in, key_of, kind_of

MOST_CELLS = 1000
PICTURES = 8 * 2**20  # characters, in base64, of all pictures pasted into text


class Unreadable(Exception):
    """The message says in words why there is nothing to grade."""


@dataclasses.dataclass
class Cell:
    kind: str  # code or markdown
    text: str
    key: str  # nbgrader's name, or the notebook's id, or nothing
    pictures: dict = dataclasses.field(default_factory=dict)  # pasted in: {name: {type: base64}}


def clean(text: str) -> str:
    """Without halves of characters, which no file can hold, and with one kind of line ends."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\r\n", "\n").replace("\r", "\n")


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
    cells, room = [], PICTURES
    for item in listed:
        if not isinstance(item, dict):
            continue
        text = item.get("source", item.get("input", ""))
        text = "".join(map(str, text)) if isinstance(text, list) else str(text)
        text = clean(text)
        metadata = item.get("metadata") if isinstance(item.get("metadata"), dict) else {}
        mark = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
        key = mark.get("grade_id") or item.get("id") or metadata.get("id") or ""
        kind = "code" if item.get("cell_type") == "code" else "markdown"
        pictures = _pictures(item.get("attachments"))
        size = sum(len(data) for kinds in pictures.values() for data in kinds.values())
        if size > room:
            notes.append("the pictures in this notebook are too large: some are left out")
            pictures, size = {}, 0
        room -= size
        cells.append(Cell(kind, text, clean(str(key)), pictures))
    return cells, notes


def _pictures(attachments) -> dict:
    """Pictures that were pasted into a text cell; nothing but pictures."""
    found = {}
    for name, kinds in attachments.items() if isinstance(attachments, dict) else ():
        for kind, data in kinds.items() if isinstance(kinds, dict) else ():
            data = "".join(map(str, data)) if isinstance(data, list) else str(data)
            if re.fullmatch(r"image/(png|jpeg|gif|webp)", kind) and re.fullmatch(
                r"[A-Za-z0-9+/=\s]+", data
            ):
                found[clean(str(name))] = {kind: data}
    return found


def belongs(cells: list[Cell], assignments: dict[str, Assignment], called: str = "") -> str | None:
    """The assignment that most of these cells come from; the file's name decides between equals.

    One thing in common is none, unless the file has the name: a lesson may define a `focal` too.
    """
    there = {("name", cell.key) for cell in cells} | {("text", bare(cell.text)) for cell in cells}
    there |= {("function", name) for cell in cells for name in defined_in(cell.text)}
    shares = {name: len(there & one.signature) for name, one in assignments.items()}
    best = max(shares.values(), default=0)
    first = [name for name, share in shares.items() if share == best and best]
    if called in first:
        return called
    return first[0] if first and best > 1 else None


def is_answered(cells: list[Cell], assignment: Assignment) -> bool:
    """Whether anything stands in a cell for answers, or text of their own beside them."""
    try:
        notebook, _ = rebuild(cells, assignment)
    except Unreadable:
        return False
    release = {key_of(cell): bare(cell.source) for cell in assignment.release.cells}
    return any(
        kind_of(cell) in ("exercise", "written") and bare(cell.source) != release[key_of(cell)]
        for cell in notebook.cells
        if key_of(cell) in release
    )


def rebuild(cells: list[Cell], assignment: Assignment) -> tuple[nbformat.NotebookNode, list[str]]:
    """The release with the student's answers in it, and their own cells where they stood."""
    notes = []
    release = assignment.release.cells
    kinds = {key_of(cell): kind_of(cell) for cell in release}
    by_name = {key_of(cell): key_of(cell) for cell in release}
    by_name |= {cell.id: key_of(cell) for cell in release}
    by_text = {bare(cell.source): key_of(cell) for cell in release if kind_of(cell) != "exercise"}
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
        changed = text is not None and bare(text) != bare(cell.source)
        if kind in ("exercise", "written"):
            if text is None:
                notes.append(f"cell {key} is missing from the notebook: it counts as not answered")
            else:
                copy["source"] = text
            if kind == "written":
                if key in chosen and cells[chosen[key]].pictures:
                    copy["attachments"] = cells[chosen[key]].pictures
                if not (changed and bare(text)) and not copy.get("attachments"):
                    _written_elsewhere(copy, cells, keys, assignment, notes)
        elif kind in ("check", "set-up"):
            if text is None:
                notes.append(f"cell {key} was missing from the notebook and was put back")
            elif changed:
                notes.append(f"cell {key} was changed; the original was used")
        elif cell.cell_type == "code":  # an experiment: students change it, or leave it out
            copy["source"] = text
        elif changed or (key in chosen and cells[chosen[key]].pictures):
            # written into the question instead of the answer: kept below it
            anchored.setdefault(key, []).insert(0, (chosen[key], cells[chosen[key]]))
        if copy["source"] is not None:
            built.cells.append(copy)
        _append_own(built, anchored.get(key, []))
    return built, notes


def _before(key: str, release) -> str:
    order = [key_of(cell) for cell in release]
    return order[order.index(key) - 1] if order.index(key) else ""


def _match_by_content(cells, keys, by_text, assignment: Assignment, notes: list[str]):
    """For cells whose names were stripped: the same text, the same function, the same place."""
    functions = assignment.functions
    for index, cell in enumerate(cells):
        if keys[index] is None and bare(cell.text) in by_text:
            keys[index] = by_text[bare(cell.text)]
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
    original = {key_of(cell): bare(cell.source) for cell in assignment.release.cells}
    chosen = {}
    for key in dict.fromkeys(key for key in keys if key):
        places = [index for index, other in enumerate(keys) if other == key]
        if len(places) > 1 and kinds[key] != "text":
            notes.append(f"cell {key} is there {len(places)} times; the last one counts")
        answered = [i for i in places if bare(cells[i].text) != original[key]]
        chosen[key] = (answered or places)[-1] if kinds[key] == "written" else places[-1]
    return chosen


def _append_own(built, own):
    for index, cell in own:
        make = nbformat.v4.new_code_cell if cell.kind == "code" else nbformat.v4.new_markdown_cell
        new = make(cell.text, id=f"own-{index}")
        if cell.pictures and cell.kind != "code":
            new["attachments"] = cell.pictures
        built.cells.append(new)


def _written_elsewhere(copy, cells, keys, assignment: Assignment, notes: list[str]):
    """An empty answer gets what was written in other cells, so that a person reads it."""
    release = {key_of(cell): cell for cell in assignment.release.cells}
    texts, pictures = [], {}
    for cell, key in zip(cells, keys, strict=True):
        original = release[key].source if key else ""
        kind = kind_of(release[key]) if key else "text"
        if bare(cell.text) == bare(original) and not cell.pictures:
            continue
        if cell.kind != "code":
            if kind == "exercise" and defined_in(cell.text):  # code, turned into text by a slip
                continue
            texts.append(_new_lines(cell.text, original))
        elif kind != "exercise":
            texts.append(_new_lines(_prose_of(cell.text), _prose_of(original)))
        for name, picture in cell.pictures.items():
            pictures[name if name not in pictures else f"{len(pictures)}-{name}"] = picture
    texts = [text for text in texts if text]
    if not texts and not pictures:
        return
    missing = "".join(
        f"\n\n![{name}](attachment:{name})"
        for name in pictures
        if not any(f"attachment:{name}" in text for text in texts)
    )
    said = "*(Nothing stands in this cell. This was written elsewhere in the notebook:)*"
    copy["source"] = "\n\n".join([said, *texts]) + missing
    if pictures:
        copy["attachments"] = pictures
    notes.append(f"cell {key_of(copy)} is empty; what was written elsewhere is shown in it")


def _new_lines(text: str, original: str) -> str:
    known = {line.strip() for line in original.splitlines()}
    lines = [line for line in text.splitlines() if not line.strip() or line.strip() not in known]
    return "\n".join(lines).strip()


def _prose_of(code: str) -> str:
    """What a person wrote for a person in a code cell: comments, strings, or no code at all."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        known = [line for line in code.splitlines() if line[:1] not in "%!"]
        words = re.findall(r"[^\W\d_]{2,}", " ".join(known))
        if len(words) >= 4 and not defined_in(code):
            return "\n".join(known)
        body = []
    comments = [line.strip().lstrip("# ") for line in code.splitlines() if re.match(r"\s*#", line)]
    strings = [
        node.value.value
        for node in body
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return "\n".join(text for text in [*comments, *strings] if len(text.split()) >= 3)
