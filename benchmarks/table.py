"""Rows of the benchmarks' tables in Markdown."""

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
