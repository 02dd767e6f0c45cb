"""The API reference: a page for each public name, rooms, and indexes by paper and by task."""

import importlib
import inspect
import pkgutil
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scripts.pages.cards import ROOT, Card
from scripts.pages.links import SOURCE

WING = ("losses", "metrics", "ops", "models", "methods")
PREPARATION = "/import/conventions.md#how-detectors-prepare-pictures"
ARXIV = re.compile(r"(?<![\d.])(\d{4}\.\d{4,5})(?!\d)")


@dataclass(frozen=True)
class Name:
    room: str
    name: str

    @property
    def full(self) -> str:
        return f"cvcourse.{self.room}.{self.name}"

    @property
    def short(self) -> str:
        return f"{self.room}.{self.name}"

    @property
    def page(self) -> str:
        return f"import/api/{self.full}"

    @cached_property
    def object(self):
        return getattr(importlib.import_module(f"cvcourse.{self.room}"), self.name)

    @property
    def kind(self) -> str:
        if inspect.isclass(self.object):
            return "class"
        return "function" if callable(self.object) else "data"

    @property
    def module(self):
        return inspect.getmodule(inspect.unwrap(self.object)) if self.kind != "data" else None

    @property
    def is_borrowed(self) -> bool:
        """Whether it is another room's, exported once more: its page is there."""
        if self.kind == "data":
            return False
        return self.object.__module__.split(".")[1] != self.room

    @property
    def subject(self) -> str:
        """The room inside `models`: "detection"; "" elsewhere."""
        parts = self.object.__module__.split(".") if self.kind != "data" else []
        return parts[2] if self.room == "models" and len(parts) > 3 else ""

    @property
    def papers(self) -> tuple[str, ...]:
        """The arXiv ids that its docstring names, or else its module's first paragraph."""
        if self.kind == "data":
            return ()
        own = ARXIV.findall(inspect.getdoc(self.object) or "")
        first = (inspect.getdoc(self.module) or "").partition("\n\n")[0]
        return tuple(dict.fromkeys(own or ARXIV.findall(first)))

    @property
    def source(self) -> str:
        bare = inspect.unwrap(self.object)
        path = Path(inspect.getsourcefile(bare)).relative_to(ROOT).as_posix()
        lines, start = inspect.getsourcelines(bare)
        return f"{SOURCE}/{path}#L{start}-L{start + len(lines) - 1}"

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.object) or "").partition("\n")[0] if self.kind != "data" else ""


def public_names() -> list[Name]:
    rooms = [(room, importlib.import_module(f"cvcourse.{room}")) for room in WING]
    names = [Name(room, name) for room, module in rooms for name in module.__all__]
    return [name for name in names if not name.is_borrowed]


def tasks() -> dict[str, list[str]]:
    """`docs/tasks.toml`: a task of vision, and the names that serve it."""
    return tomllib.loads((ROOT / "docs/tasks.toml").read_text(encoding="utf-8"))


def elsewhere() -> dict[str, dict[str, str]]:
    """`docs/elsewhere.toml`: our name, other libraries' names, and where they differ."""
    return tomllib.loads((ROOT / "docs/elsewhere.toml").read_text(encoding="utf-8"))


LIBRARIES = {
    "torch": "PyTorch",
    "torchvision": "torchvision",
    "torchmetrics": "torchmetrics",
    "kornia": "kornia",
    "pytorch_metric_learning": "pytorch-metric-learning",
    "pycocotools": "pycocotools",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "scipy": "SciPy",
    "lightly": "lightly",
    "segmentation_models_pytorch": "segmentation-models-pytorch",
}


def library(name: str) -> str:
    return LIBRARIES[name.partition(".")[0]]


def used_in(name: Name, cards: list[Card]) -> list[Card]:
    """Lessons that use a name, or another one out of its file."""
    file = name.object.__module__.removeprefix("cvcourse.") if name.kind != "data" else ""
    return [
        card
        for card in cards
        if name.short in card.uses or file in {use.rpartition(".")[0] for use in card.uses}
    ]


def lesson_links(cards: list[Card], *, titles: bool = False) -> str:
    """Numbers of lessons that lead to their pages, or numbers with titles, one below the other."""
    if titles:
        links = [f"{{doc}}`{card.number} · {card.title} </{card.page}>`" for card in cards]
        return "<br>".join(links)
    return ", ".join(f"{{doc}}`{card.number} </{card.page}>`" for card in cards)


def code_of(card: Card, names: list[Name]) -> str:
    """The section of a lesson's page that leads to the reference of what its code uses."""
    used = [f"- {{doc}}`{n.short} </{n.page}>`: {n.summary}" for n in names if n.short in card.uses]
    return "\n".join(["## Reference code of this lesson", "", *used]) if used else ""


def arxiv_link(number: str) -> str:
    return f"[{number}](https://arxiv.org/abs/{number})"


def write_reference(source: Path, cards: list[Card]) -> None:
    names = public_names()
    folder = source / "import" / "api"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (source / f"{name.page}.md").write_text(object_page(name, cards), encoding="utf-8")
    for room in WING:
        text = room_page(room, [n for n in names if n.room == room])
        (folder / f"{room}.md").write_text(text, encoding="utf-8")
    for room, parts in {"data": modules_of("data"), "classroom": [""]}.items():
        (folder / f"{room}.md").write_text(modules_page(room, parts), encoding="utf-8")
    index = source / "import"
    (index / "by_paper.md").write_text(paper_page(names, cards), encoding="utf-8")
    (index / "by_task.md").write_text(task_page(names, cards), encoding="utf-8")
    (index / "elsewhere.md").write_text(elsewhere_page(), encoding="utf-8")


DIRECTIVES = {"class": "autoclass", "function": "autofunction", "data": "py:data"}


def object_page(name: Name, cards: list[Card]) -> str:
    lines = [f"# {name.name}", "", f"```python\nfrom cvcourse.{name.room} import {name.name}\n```"]
    lines += ["", "```{eval-rst}", f".. {DIRECTIVES[name.kind]}:: {name.full}"]
    if name.kind == "class":
        lines += ["   :members:"]
    lines += ["```", ""]
    if isinstance(name.object, dict):
        lines += [f"- `{key}`: {value}" for key, value in name.object.items()] + [""]
    lessons = used_in(name, cards)
    facts = [f"- **Used in lesson** {lesson_links(lessons, titles=True)}"] if lessons else []
    if "`ImagePreparation`" in (name.object.__doc__ or ""):
        facts += [f"- **Pictures** are prepared as [the conventions]({PREPARATION}) tell"]
    if name.papers:
        facts += [f"- **Paper** {', '.join(map(arxiv_link, name.papers))}"]
    if name.kind != "data":
        facts += [f"- **Source** [{name.module.__name__}]({name.source})"]
    peers = elsewhere().get(name.short, {})
    if peers:
        called = ", ".join(f"`{p}` ({library(p)})" for p in peers["names"])
        facts += [f"- **Called elsewhere** {called}. {peers['differs']}"]
    return "\n".join(lines + facts) + "\n"


def room_page(room: str, names: list[Name]) -> str:
    module = importlib.import_module(f"cvcourse.{room}")
    told = (inspect.getdoc(module) or "").partition("\n")[0]
    lines = [f"# cvcourse.{room}", "", told, ""]
    groups: dict[str, list[Name]] = {}
    for name in names:
        groups.setdefault(name.subject, []).append(name)
    for subject in sorted(groups):
        if subject:
            lines += [f"## {subject.capitalize()}", ""]
        lines += ["| name | |", "|---|---|"]
        lines += [
            f"| {{doc}}`{n.name} </{n.page}>` | {n.summary.replace('|', chr(92) + '|')} |"
            for n in groups[subject]
        ]
        lines += [""]
    return "\n".join([*lines, *toctree([f"/{name.page}" for name in names])])


def modules_of(room: str) -> list[str]:
    package = importlib.import_module(f"cvcourse.{room}")
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return sorted(name for name in names if not name.startswith("_"))


def modules_page(room: str, modules: list[str]) -> str:
    """A room that is imported by its modules, all on one page; "" is the room's own face."""
    lines = [f"# cvcourse.{room}", ""]
    module = importlib.import_module(f"cvcourse.{room}")
    lines += [(inspect.getdoc(module) or "").partition("\n")[0], ""]
    for part in modules:
        full = f"cvcourse.{room}.{part}".rstrip(".")
        module = importlib.import_module(full)
        public = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == full
        ]
        public = [n for n in public if callable(getattr(module, n))]
        if part:
            lines += [f"## {full}", "", (inspect.getdoc(module) or "").partition("\n")[0], ""]
        lines += ["```{eval-rst}", f".. currentmodule:: {full}", ""]
        for name in sorted(public):
            kind = "autoclass" if inspect.isclass(getattr(module, name)) else "autofunction"
            lines += [f".. {kind}:: {full}.{name}"]
            lines += ["   :members:", ""] if kind == "autoclass" else [""]
        lines += ["```", ""]
    return "\n".join(lines)


def toctree(pages: list[str]) -> list[str]:
    return ["```{toctree}", ":hidden:", "", *pages, "```", ""]


def paper_page(names: list[Name], cards: list[Card]) -> str:
    papers = {p for n in names for p in n.papers} | {p for c in cards for p in c.papers}
    lines = ["# By paper", "", "By arXiv number: the code that follows a paper, and the lessons"]
    lines += ["that tell it.", "", "| paper | code | lessons |", "|---|---|---|"]
    for paper in sorted(papers, key=lambda p: (int(p[:2]), p)):
        code = ", ".join(f"{{doc}}`{n.name} </{n.page}>`" for n in names if paper in n.papers)
        lessons = lesson_links([card for card in cards if paper in card.papers])
        lines.append(f"| {arxiv_link(paper)} | {code} | {lessons} |")
    return "\n".join(lines) + "\n"


def task_page(names: list[Name], cards: list[Card]) -> str:
    by_short = {name.short: name for name in names}
    listed, lines = set(), ["# By task", ""]
    for task, members in tasks().items():
        here = [by_short[m] for m in members if m in by_short]
        listed |= set(here)
        lessons = [card for card in cards if any(card in used_in(name, cards) for name in here)]
        lines += [f"## {task}", ""]
        if lessons:
            lines += [f"Lessons that use one of these: {lesson_links(lessons)}.", ""]
        lines += [f"- {{doc}}`{n.short} </{n.page}>`: {n.summary}" for n in here] + [""]
    rest = [name for name in names if name not in listed]
    if rest:
        lines += ["## Further", ""]
        lines += [f"- {{doc}}`{n.short} </{n.page}>`: {n.summary}" for n in rest]
    return "\n".join(lines) + "\n"


def elsewhere_page() -> str:
    lines = [
        "# What our function is called elsewhere",
        "",
        "Names, and where values or conventions differ from ours. Where nothing is said, the tests",
        "hold ours to the other's numbers. The docstrings tell the details.",
        "",
        "| ours | theirs | where they differ |",
        "|---|---|---|",
    ]
    for ours, entry in elsewhere().items():
        theirs = "<br>".join(f"`{name}`" for name in entry["names"])
        lines.append(
            f"| {{doc}}`{ours} </import/api/cvcourse.{ours}>` | {theirs} | {entry['differs']} |"
        )
    return "\n".join(lines) + "\n"
