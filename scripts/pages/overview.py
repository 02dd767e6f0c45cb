"""Pages about the whole course: gallery, map of lessons, index of systems, hours, tracks."""

import html
import os
import tomllib
from pathlib import Path

from scripts.pages.cards import ROOT, Card
from scripts.pages.links import SOURCE
from scripts.pages.reference import arxiv_link, lesson_links

TRACKS = {
    "Detection and segmentation": ("00", "01", "02", "03", "04", "05", "07", "08", "10", "12"),
    "Learning without labels": ("00", "01b", "13", "14", "25", "26", "27", "28", "29", "30", "31"),
    "Generative models": ("00", "01b", "16", "17", "18", "20", "34", "35", "36", "37", "38"),
    "Video": ("00", "01", "07", "13", "21", "22", "23", "24"),
}
WEEKS = 12
# which figure of a lesson speaks for it in the gallery, where the first does not
SPEAKING = {"01b": 2, "06": 2, "10": 2}


def gallery(cards: list[Card], figures: dict[str, list[tuple[Path, str]]], source: Path) -> str:
    """One figure a lesson, each a link to it."""
    tiles = []
    for card in cards:
        picture = '<div class="tile-none"></div>'
        made = figures.get(card.number, [])
        if made:
            path, alt = made[min(SPEAKING.get(card.number, 1), len(made)) - 1]
            place = path.relative_to(source).as_posix()
            picture = f'<img src="{place}" alt="{html.escape(alt)}" loading="lazy">'
        tiles.append(
            f'<a class="tile" href="{card.page}.html">{picture}'
            f'<span class="tile-title">{card.number} · {html.escape(card.title)}</span></a>'
        )
    return '<div class="tiles">' + "".join(tiles) + "</div>"


def lesson_index(cards: list[Card]) -> str:
    lines = ["# Lessons", "", f"{len(cards)} lessons are there, {hours(cards)} in all. An arrow"]
    lines += ["leads from what should come before. Each box is a link.", "", lesson_map(cards), ""]
    part = None
    for card in cards:
        if card.part != part:
            part = card.part
            lines += [
                f"## {part}",
                "",
                "| lesson | question | teaches | before | hours |",
                "|---|---|---|---|---|",
            ]
        needs = ", ".join(card.needs) or "–"
        question = card.question.replace("|", "\\|").replace("\n", " ")
        link = f"{{doc}}`{card.number} · {card.title} </{card.page}>`"
        taught = "; ".join(name for name, row in systems().items() if card.number in row["lessons"])
        told = f"| {link} | {question} | {taught or '–'} | {needs} | {card.minutes / 60:.1f} |"
        lines.append(told)
        following = [c for c in cards if c.number > card.number]
        if not following or following[0].part != part:
            lines.append("")
    lines += ["## Systems", "", "Every method that the course teaches, or will teach.", ""]
    lines += systems_table(cards)
    lines += ["```{toctree}", ":hidden:", ""] + [f"/{card.page}" for card in cards] + ["```", ""]
    return "\n".join(lines)


def systems_table(cards: list[Card]) -> list[str]:
    by_number = {card.number: card for card in cards}
    lines = ["| system | lesson | reference code | paper |", "|---|---|---|---|"]
    for name, row in systems().items():
        lessons = ", ".join(
            lesson_links([by_number[n]]) if n in by_number else f"{n} (being written)"
            for n in row["lessons"]
        )
        code = ", ".join(f"{{doc}}`{c} </import/api/cvcourse.{c}>`" for c in row["code"])
        lines.append(
            f"| {name} | {lessons} | {code} | {arxiv_link(row['paper']) if row['paper'] else ''} |"
        )
    return [*lines, ""]


def systems() -> dict[str, dict]:
    text = (ROOT / "docs/systems.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["systems"]


def levels(cards: list[Card]) -> dict[str, int]:
    """How many lessons at least lie before each one, along the longest way."""
    level: dict[str, int] = {}
    by_number = {card.number: card for card in cards}

    def of(number: str) -> int:
        if number not in level:
            needs = [n for n in by_number[number].needs if n in by_number]
            level[number] = 1 + max(map(of, needs), default=-1)
        return level[number]

    for number in by_number:
        of(number)
    return level


def direct_needs(cards: list[Card]) -> list[tuple[str, str]]:
    """(need, lesson), without those that follow: where A needs B and B needs C, not A and C."""
    needs = {card.number: set(card.needs) for card in cards}

    def behind(number: str) -> set[str]:
        return set().union(*(needs.get(n, set()) | behind(n) for n in needs.get(number, ())))

    return [
        (n, c.number) for c in cards for n in c.needs if n in needs and n not in behind(c.number)
    ]


WIDTH, STEP, BOX = 360, 74, (52, 36)


def lesson_map(cards: list[Card]) -> str:
    """Lessons and what each needs, as a picture (SVG) that reads at the width of a phone."""
    rows: dict[int, list[Card]] = {}
    for number, level in levels(cards).items():
        rows.setdefault(level, []).append(next(c for c in cards if c.number == number))
    centre = {}
    y, most = 24, 6
    for level in sorted(rows):
        row = rows[level]
        for start in range(0, len(row), most):
            piece = row[start : start + most]
            for i, card in enumerate(piece):
                centre[card.number] = (WIDTH * (i + 0.5) / len(piece), y)
            y += STEP
    height = y - STEP + 30
    lines = [
        f'<svg class="lesson-map" viewBox="0 0 {WIDTH} {height}" role="group" '
        f'aria-label="Map of {len(cards)} lessons with what each needs; the tables below say the '
        'same in words">'
    ]
    for need, number in direct_needs(cards):
        (x0, y0), (x, y) = centre[need], centre[number]
        top, bottom = y0 + BOX[1] / 2, y - BOX[1] / 2
        bend = (bottom - top) / 2
        lines.append(
            f'<path d="M{x0:.0f} {top:.0f} C{x0:.0f} {top + bend:.0f} {x:.0f} '
            f'{bottom - bend:.0f} {x:.0f} {bottom - 4:.0f}"/>'
            f'<path class="head" d="M{x - 3:.0f} {bottom - 6:.0f} h6 l-3 5 z"/>'
        )
    for card in cards:
        x, y = centre[card.number]
        lines.append(
            f'<a href="{Path(card.page).name}.html"><title>{card.number} · '
            f"{html.escape(card.title)}</title>"
            f'<rect x="{x - BOX[0] / 2:.0f}" y="{y - BOX[1] / 2:.0f}" width="{BOX[0]}" '
            f'height="{BOX[1]}" rx="7"/><text x="{x:.0f}" y="{y + 5:.0f}">{card.number}</text></a>'
        )
    return "\n".join([*lines, "</svg>"])


def hours(cards: list[Card]) -> str:
    return f"{sum(card.minutes for card in cards) / 60:.0f} hours"


def teacher_tables(cards: list[Card]) -> str:
    """Hours, a plan of twelve weeks and shorter tracks, of the lessons that are there."""
    lines = ["## Hours", "", "Reading, running and the four exercises of each lesson, as their"]
    lines += ["cards say; written answers and assignments come on top.", ""]
    lines += ["| part | lessons | reading | exercises | in all |", "|---|---|---|---|---|"]
    parts = {
        part: [c for c in cards if c.part == part] for part in dict.fromkeys(c.part for c in cards)
    }
    for part, group in parts.items():
        reading = sum(c.reading + c.running for c in group) / 60
        work = sum(sum(c.exercises) for c in group) / 60
        numbers = ", ".join(c.number for c in group)
        lines.append(f"| {part} | {numbers} | {reading:.1f} | {work:.1f} | {reading + work:.1f} |")
    reading = sum(c.reading + c.running for c in cards) / 60
    work = sum(sum(c.exercises) for c in cards) / 60
    lines.append(f"| **all** | {len(cards)} | {reading:.0f} | {work:.0f} | **{hours(cards)}** |")
    lines += ["", f"## A plan of {WEEKS} weeks", "", "The lessons that are there, in order, dealt"]
    lines += ["out evenly by their hours; a week's assignments are those of its lessons.", ""]
    lines += ["| week | lessons | assignments | hours |", "|---|---|---|---|"]
    for week, group in enumerate(weeks(cards), start=1):
        work = "<br>".join(assignment_link(c) for c in group if assignment_of(c)) or "–"
        time = sum(c.minutes for c in group) / 60
        lines.append(f"| {week} | {lesson_links(group, titles=True)} | {work} | {time:.1f} |")
    lines += ["", "## Shorter tracks", ""]
    by_number = {card.number: card for card in cards}
    planned = []
    for track, numbers in TRACKS.items():
        there = [by_number[n] for n in numbers if n in by_number]
        missing = [n for n in numbers if n not in by_number]
        if len(missing) >= len(there):
            planned.append(track)
            continue
        more = f"Being written: {', '.join(missing)}." if missing else ""
        lines += [f"**{track}** ({hours(there)}). {more}", "", lesson_links(there, titles=True), ""]
    if planned:
        lines += [f"Planned, when their lessons are there: {', '.join(planned)}.", ""]
    return "\n".join(lines)


def assignment_of(card: Card) -> Path | None:
    """The notebook that students get, of the lesson's assignment."""
    return next((ROOT / "assignments" / "release").glob(f"{card.number}_*/*.ipynb"), None)


def assignment_link(card: Card) -> str:
    path = assignment_of(card)
    return f"[{path.stem}]({SOURCE}/{path.relative_to(ROOT).as_posix()})"


def weeks(cards: list[Card], count: int = WEEKS) -> list[list[Card]]:
    """The lessons in order, in `count` groups of about the same time."""
    whole, groups, passed = sum(c.minutes for c in cards), [[] for _ in range(count)], 0.0
    for card in cards:
        groups[min(count - 1, int((passed + card.minutes / 2) / whole * count))].append(card)
        passed += card.minutes
    return groups


def summary(states: dict[str, str]) -> str:
    """What the command says about lessons whose outputs are old or missing."""
    lines = []
    for number, state in states.items():
        if state == "missing":
            lines.append(f"lesson {number} has not been run: make lesson N={number}")
        if state == "stale":
            lines.append(f"lesson {number} has changed since it was run: make lesson N={number}")
    return os.linesep.join(lines)
