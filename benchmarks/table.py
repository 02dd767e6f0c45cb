"""Rows of the benchmarks' tables in Markdown, written and read again."""

import re

from benchmarks.harness import Row

HEAD = """\
| function | sizes | peer | peer ms | ours ms | peer / ours | ours is | wanted | peer MB | ours MB |
|---|---|---|---:|---:|---:|---|---:|---:|---:|"""


def table_row(row: Row) -> str:
    wanted = row.case.target.get(row.peer)
    low, high = row.interval
    cells = [
        row.case.name,
        row.case.sizes,
        row.peer + (" *" if row.peer in row.case.different else ""),
        _milliseconds(row.peer_quartiles),
        _milliseconds(row.ours_quartiles),
        f"{_ratio(row.ratio)}x ({_ratio(low)}–{_ratio(high)})",
        verdict(row),
        "" if wanted is None else f"{wanted:g}x" + (" **short**" if high < wanted else ""),
        f"{row.peer_mb:.0f}",
        f"{row.ours_mb:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def verdict(row: Row) -> str:
    """What the interval of the ratio says, as it is printed."""
    low, high = (round(bound, 2) for bound in row.interval)
    return "faster" if low > 1 else "slower" if high < 1 else "parity"


def _milliseconds(quartiles: tuple[float, float, float]) -> str:
    low, median, high = (f"{ms:.3g}" if ms < 100 else f"{ms:.0f}" for ms in quartiles)
    return f"{median} ({low}–{high})"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def became_slower(before: str, now: str) -> list[str]:
    """Rows of the table `now` whose ratio has its whole interval below the one it had `before`.

    Rows are the same where function, sizes and peer are; those without an interval are passed over.
    """
    earlier = _intervals(before)
    return [
        f"{', '.join(row)}: {cell}, was {earlier[row][0]}"
        for row, (cell, _, high) in _intervals(now).items()
        if row in earlier and high < earlier[row][1]
    ]


def _intervals(table: str) -> dict[tuple[str, ...], tuple[str, float, float]]:
    """The cell of the ratio, and its interval, by function, sizes and peer."""
    found = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        for cell in cells[3:]:
            if bounds := re.fullmatch(r"[\d.]+x \(([\d.]+)–([\d.]+)\)", cell):
                found[tuple(cells[:3])] = cell, float(bounds[1]), float(bounds[2])
    return found
