"""What a lesson says about itself: its first cell (the card), exercises, and imports."""

import ast
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("losses", "metrics", "ops", "models", "methods", "data", "classroom")
PARTS = {  # the first lesson of each part of the course
    0: "Start here",
    2: "Tasks beyond classification",
    13: "Reusing knowledge",
    16: "Image transfer and restoration",
    21: "Beyond a single image",
    25: "Beyond strong supervision",
    34: "Generative models",
    41: "Designing networks",
    42: "Vision and language",
}


@dataclass(frozen=True)
class Card:
    path: Path
    number: str  # "03b"
    title: str  # without the number
    question: str
    before: str
    needs: tuple[str, ...]  # numbers of lessons
    reading: int  # minutes
    running: float  # minutes, as the lesson's `begin` says
    exercises: tuple[int, ...]  # minutes each
    papers: tuple[str, ...]  # arXiv ids
    uses: frozenset[str] = field(repr=False)  # cvcourse's names, as "losses.dice_loss"

    @property
    def page(self) -> str:
        return f"lessons/{self.path.stem}"

    @property
    def part(self) -> str:
        return PARTS[max(n for n in PARTS if n <= int(self.number[:2]))]

    @property
    def minutes(self) -> float:
        """Of a learner who reads, runs, and does the exercises."""
        return self.reading + self.running + sum(self.exercises)


def read_cards(folder: Path = ROOT / "lessons") -> list[Card]:
    return [read_card(path) for path in sorted(folder.glob("[0-9]*.ipynb"))]


def read_card(path: Path) -> Card:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text, code = (
        ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]
        for kind in ("markdown", "code")
    )
    card, body = text[0], "\n".join(text)
    number, title = re.match(r"# (\d\d[a-z]?) · (.+)", card).groups()
    before = part_of(card, "Before")
    exercises = body.partition("## Exercises")[2].partition("## What to remember")[0]
    running = re.search(r"minutes=([\d.]+)", "\n".join(code))
    return Card(
        path=path,
        number=number,
        title=title.strip(),
        question=part_of(card, "Question"),
        before=before,
        needs=tuple(n for n in lessons_in(before) if n < number),  # a later one is only mentioned
        reading=int(re.search(r"(\d+) minutes to read", part_of(card, "Time"))[1]),
        running=float(running[1]) if running else 0.0,
        exercises=tuple(
            int(m) for m in re.findall(r"^### Exercise \d.*?\((\d+) min", exercises, re.M)
        ),
        papers=tuple(re.findall(r"arxiv\.org/abs/(\d{4}\.\d{4,5})", part_of(card, "Papers"))),
        uses=frozenset(used("\n".join(code))),
    )


def part_of(card: str, name: str) -> str:
    """The paragraph `**name** ...` of a card, or "" where there is none."""
    found = re.search(rf"\*\*{re.escape(name)}\*\*\s*(.*?)(?=\n\n|\Z)", card, re.S)
    return found[1].strip() if found else ""


def linked(text: str, cards: list["Card"]) -> str:
    """The card's text with the lessons that should come before as links to their pages."""
    before, names = part_of(text, "Before"), {card.number: card.path.name for card in cards}
    told = set(lessons_in(before)) & names.keys()
    link = re.sub(
        r"(?<![\w.])(\d\d[a-z]?)(?![\w%])",
        lambda found: f"[{found[1]}]({names[found[1]]})" if found[1] in told else found[1],
        before,
    )
    return text.replace(before, link) if before else text


def lessons_in(text: str) -> tuple[str, ...]:
    """The numbers that follow the word lesson: "Lessons 02 (boxes), 03 and 05" has three."""
    found = []
    for sentence in re.split(r"[.;](?:\s|$)", text):
        if re.search(r"helpful, not needed", sentence):
            continue
        if re.search(r"\blessons?\b", sentence, re.I):
            found += re.findall(r"(?<![\w.])(\d\d[a-z]?)(?![\w%])", sentence)
    return tuple(dict.fromkeys(found))


def used(code: str) -> set[str]:
    """Which of cvcourse's names a notebook's code uses: "ops.nms", and "ops.nms.nms" of a file."""
    aliases, names = {}, set()
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cvcourse"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}".removeprefix("cvcourse.")
                aliases[alias.asname or alias.name] = full
                names.add(full)
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("cvcourse.") and alias.asname:
                    aliases[alias.asname] = alias.name.removeprefix("cvcourse.")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = aliases.get(node.value.id)
            if module:
                names.add(f"{module}.{node.attr}")
    return names | {by_face(name) for name in names}


def by_face(name: str) -> str:
    """`models.FCOS` for `models.detection.fcos.FCOS`: as rooms of the reference wing export it."""
    room, *middle = name.split(".")
    return f"{room}.{middle[-1]}" if room in ROOMS[:5] and middle else name
