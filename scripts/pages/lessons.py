"""The lessons as pages: executed notebooks with their figures, claims, time, and buttons."""

import base64
import copy
import html
import io
import json
import re
import shutil
from pathlib import Path

from PIL import Image

from scripts import executed
from scripts.pages.cards import Card, linked
from scripts.pages.links import BINDER, COLAB, repository_links

FIGURE = re.compile(r'<img src="data:image/png;base64,(?P<data>[^"]+)"(?P<rest>[^>]*)>')
FILM = re.compile(
    r'<picture class="film"><source [^>]*srcset="data:image/png;base64,(?P<still>[^"]+)">'
    r'<img src="data:image/webp;base64,(?P<film>[^"]+)" alt="(?P<alt>[^"]*)" '
    r'(?P<size>width="\d+" height="\d+")[^>]*></picture>'
)
COMPARISON = re.compile(r'<div class="before-after">.*?<img [^>]*alt="(?P<alt>[^"]*)"', re.DOTALL)
EMBEDDED = re.compile(r'(?<=src=")data:image/png;base64,([^"]+)')
WIDGET = "application/vnd.jupyter.widget-view+json"
DOORS = (
    "Colab and Binder install the course by themselves; a CPU is enough. A downloaded notebook "
    "needs the course: <code>git clone</code> its repository, then <code>make lab</code>."
)
LARGE = 150_000  # bytes; a larger PNG becomes a WebP


def write_lesson(card: Card, source: Path, cards: list[Card], code: str) -> dict:
    """Write `source/lessons/NN_topic.ipynb` and its figures; what the gallery and the log need.

    `code`: the section that leads to the reference.
    """
    state = executed.state(card.path)
    path = card.path if state == "missing" else executed.executed(card.path)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    kept = notebook["metadata"].get(executed.STAMP, {})
    record = kept.get("record") or executed.record(card.path)
    if state == "stale":  # today's words; outputs of the cells that have not changed
        notebook = with_outputs_of(json.loads(card.path.read_text(encoding="utf-8")), notebook)
    figures = Figures(source / "_static" / "figures" / card.number)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [o for o in map(figures.shown, cell["outputs"]) if o is not None]
            cell["metadata"] = {}
        else:
            cell["source"] = repository_links("".join(cell["source"]), card.path.parent)
    notebook["cells"][:1] = first_cells(cards, card, notebook["cells"][0], record, state)
    if code:
        notebook["cells"].append(markdown("reference", code))
    if record is not None and state == "fresh":
        notebook["cells"].append(markdown("claims", claims_table(record)))
    notebook["metadata"].pop("widgets", None)
    page = source / f"{card.page}.ipynb"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(json.dumps(notebook, ensure_ascii=False, indent=1), encoding="utf-8")
    download = source / "_static" / "notebooks" / card.path.name
    download.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(card.path, download)
    return {"state": state, "figures": figures.made}


def with_outputs_of(notebook: dict, older: dict) -> dict:
    kept = {c["id"]: c for c in older["cells"] if c["cell_type"] == "code"}
    for cell in notebook["cells"]:
        before = kept.get(cell["id"])
        if before and "".join(before["source"]) == "".join(cell["source"]):
            cell["outputs"] = copy.deepcopy(before["outputs"])
    return notebook


class Figures:
    """Figures of one lesson, as files beside its page. `made`: (path, alternative text) of each."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.made: list[tuple[Path, str]] = []

    def shown(self, output: dict) -> dict | None:
        """An output as the page has it; None for what means nothing there, as progress bars."""
        data = output.get("data")
        if data is None:
            return output
        text = "".join(data.get("text/html", ""))
        if found := FILM.search(text):
            return self._as_html(self._film(found))
        if found := COMPARISON.search(text):
            return self._as_html(self._compared(text, html.unescape(found["alt"])))
        found = FIGURE.search(text)
        if found:
            return self._as_html(text[: found.start()] + self._figure(found) + text[found.end() :])
        if "image/png" in data:
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            png = "".join(data["image/png"]).strip()
            return self._as_html(self._image(base64.b64decode(png), alt, ""))
        if WIDGET in data and not text:
            return None
        kept = {kind: value for kind, value in data.items() if kind != WIDGET}
        return output | {"data": kept}

    def _figure(self, found: re.Match) -> str:
        alt = re.search(r'alt="([^"]*)"', found["rest"])
        size = " ".join(re.findall(r'(?:width|height)="\d+"', found["rest"]))
        return self._image(
            base64.b64decode(found["data"]), html.unescape(alt[1]) if alt else "", size
        )

    def _film(self, found: re.Match) -> str:
        """A film with a button that stops it, which `course.js` does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        still = self.folder / f"{len(self.made) + 1:02d}.png"
        still.write_bytes(base64.b64decode(found["still"]))
        still.with_suffix(".webp").write_bytes(base64.b64decode(found["film"]))
        self.made.append((still, html.unescape(found["alt"])))
        place = f"../_static/figures/{self.folder.name}/{still.stem}"
        data = f'data-film="{place}.webp" data-still="{place}.png"'
        return (
            f'<div class="film"><img class="lesson-figure" src="{place}.webp" {data} '
            f'alt="{found["alt"]}" {found["size"]}>'
            '<button type="button" class="film-button">Pause the film</button></div>'
        )

    def _compared(self, text: str, alt: str) -> str:
        """A comparison whose still and two pictures, in this order, lie beside the page."""
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = f"{len(self.made) + 1:02d}"
        names = iter((f"{stem}.png", f"{stem}-before.png", f"{stem}-after.png"))
        self.made.append((self.folder / f"{stem}.png", alt))

        def beside(found: re.Match) -> str:
            name = next(names)
            (self.folder / name).write_bytes(base64.b64decode(found[1]))
            return f"../_static/figures/{self.folder.name}/{name}"

        return EMBEDDED.sub(beside, text)

    def _image(self, png: bytes, alt: str, size: str) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{len(self.made) + 1:02d}.png"
        if len(png) > LARGE:
            path = path.with_suffix(".webp")
            Image.open(io.BytesIO(png)).convert("RGB").save(path, quality=88)
        else:
            path.write_bytes(png)
        self.made.append((path, alt))
        place = f"../_static/figures/{self.folder.name}/{path.name}"
        return (
            f'<img class="lesson-figure" src="{place}" alt="{html.escape(alt)}" {size} '
            'loading="lazy">'
        )

    @staticmethod
    def _as_html(text: str) -> dict:
        return {"output_type": "display_data", "metadata": {}, "data": {"text/html": text}}


def first_cells(
    cards: list[Card], card: Card, cell: dict, record: dict | None, state: str
) -> list[dict]:
    """The card, with buttons and the measured time under its title."""
    title, _, rest = "".join(cell["source"]).partition("\n")
    notes = {
        "fresh": "",
        "stale": (
            "\n:::{note}\nThe lesson or the package has changed since these outputs were made; "
            "cells that changed show none.\n:::\n"
        ),
        "missing": "\n:::{note}\nThis lesson was not run for this site: no outputs below.\n:::\n",
    }
    buttons = "".join(
        f'<a class="lesson-button" href="{address}"{more}>{text}</a>'
        for text, address, more in (
            ("Open in Colab", COLAB.format(name=card.path.name), ""),
            ("Binder", BINDER.format(name=card.path.name), ""),
            ("Download", f"../_static/notebooks/{card.path.name}", " download"),
        )
    )
    row = f'<div class="lesson-buttons">{buttons}</div>\n<p class="lesson-measured">{DOORS}</p>'
    shown = measured(record if state == "fresh" else None)
    rest = linked(rest.strip(), cards)
    return [markdown("card-1", f"{title}\n\n{row}\n{notes[state]}\n{shown}\n\n{rest}")]


def markdown(name: str, text: str) -> dict:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}


def measured(record: dict | None) -> str:
    if record is None:
        return ""
    memory = record.get("peak_memory_mb")
    told = [
        f"{record['seconds']:.0f} seconds on {record['device']}, scale {record['scale']}",
        f"at most {memory / 1000:.1f} GB of memory" if memory else "",
        f"{record['started'][:10]}, PyTorch {record['versions']['torch']}",
    ]
    return f'<p class="lesson-measured">Last run: {"; ".join(filter(None, told))}.</p>'


def claims_table(record: dict) -> str:
    """The claims of the lesson's last run with their numbers, as a table."""
    head = "## What the last run checked\n\n"
    rows = ["| claim | numbers | verdict |", "|---|---|---|"]
    for claim in record["claims"]:
        verdict = "skipped" if "skipped" in claim else "holds" if claim["holds"] else "does not"
        rows.append(f"| {cell(claim['sentence'])} | {cell(numbers(claim))} | {verdict} |")
    return (
        head + "Each is a `run.claim(...)` of a cell above, which stops the lesson if it is false."
        "\n\n" + "\n".join(rows)
    )


def numbers(claim: dict) -> str:
    """A claim's numbers in the order and form in which the lesson prints them."""
    if "skipped" in claim:
        return str(claim["skipped"])
    rest = {k: v for k, v in claim.items() if k not in ("sentence", "holds")}
    told = []
    for name, sign, plus in (("better", ">", "+"), ("lower", "<", "-")):
        if name in rest:
            margin = rest.pop("margin", 0)
            more = f" {plus} {show(margin)}" if margin else ""
            told.append(f"{show(rest.pop(name))} {sign} {show(rest.pop('than'))}{more}")
    if {"value", "equals"} <= rest.keys():
        value, equals, tolerance = (rest.pop(n) for n in ("value", "equals", "tolerance"))
        told.append(f"{show(value)} = {show(equals)} ± {show(tolerance)}")
    told += [f"{name.replace('_', ' ')} {show(value)}" for name, value in rest.items()]
    return ", ".join(told)


def show(number) -> str:
    return f"{number:.4g}" if isinstance(number, int | float) else str(number)


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
