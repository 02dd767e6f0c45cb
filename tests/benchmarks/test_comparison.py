"""What became slower since the committed table, on tables that are made up."""

from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command
from benchmarks.harness import Case, Row
from benchmarks.table import HEAD, became_slower, table_row


def row(ratio, low, high, *, name="f", sizes="3 x 4", peer="them", **options):
    case = Case(name=name, sizes=sizes, inputs=tuple, ours=abs, peers={peer: abs}, **options)
    return Row(
        case=case,
        peer=peer,
        ours_quartiles=(1.0, 2.0, 3.0),
        peer_quartiles=(1.0, 2.0, 3.0),
        ratio=ratio,
        interval=(low, high),
        ours_mb=float("nan"),
        peer_mb=1.0,
        rounds=20,
    )


def table(*rows):
    return "\n".join(["# Title", "", "- a (1–2) | b", "", HEAD, *map(table_row, rows), ""])


@pytest.mark.parametrize(
    ("before", "now", "worse"),
    [
        ((2.0, 1.9, 2.1), (1.5, 1.4, 1.6), True),
        ((2.0, 1.9, 2.1), (1.8, 1.7, 1.9), False),  # they touch
        ((2.0, 1.9, 2.1), (3.0, 2.9, 3.1), False),
        ((120.0, 110.0, 140.0), (11.0, 10.0, 12.0), True),
    ],
)
def test_slower_is_an_interval_below(before, now, worse):
    found = became_slower(table(row(*before)), table(row(*now)))
    assert len(found) == worse
    if worse:
        cells = [table_row(row(*r)).split(" | ")[5] for r in (now, before)]
        assert found == [f"f, 3 x 4, them: {cells[0]}, was {cells[1]}"]


@pytest.mark.parametrize("other", [{"name": "g"}, {"sizes": "5"}, {"peer": "others"}])
def test_only_the_same_row_is_compared(other):
    before, now = row(2.0, 1.9, 2.1), row(1.0, 0.9, 1.1, **other)
    assert not became_slower(table(before), table(now))


def test_marks_do_not_hide_a_row():
    marked = {"different": ["them"], "target": {"them": 5.0}}
    before, now = row(2.0, 1.9, 2.1, **marked), row(1.0, 0.9, 1.1, **marked)
    assert len(became_slower(table(before), table(now))) == 1


def test_a_table_without_intervals_says_nothing():
    before = "| f | 3 x 4 | them | 2 (1–3) | 2 (1–3) | 2x |  | 1 | 1 |"
    assert not became_slower(before, table(row(1.0, 0.9, 1.1)))


def test_the_committed_table_is_read():
    """Each row is itself again, so that nothing fell."""
    committed = command.RESULTS.read_text(encoding="utf-8")
    assert not became_slower(committed, committed)


def test_a_part_is_compared_and_not_written(monkeypatch, tmp_path, capsys):
    results = tmp_path / "RESULTS.md"
    results.write_text(table(row(2.0, 1.9, 2.1)), encoding="utf-8")
    monkeypatch.setattr(command, "RESULTS", results)
    monkeypatch.setattr(command, "all_cases", lambda: [row(1, 1, 1).case])
    monkeypatch.setattr(command, "compare", lambda case, **_: [row(1.0, 0.9, 1.1)])
    monkeypatch.setattr("sys.argv", ["benchmarks", "f", "nothing", "--quick"])
    command.main()
    out = capsys.readouterr().out
    assert "fell by more than noise since RESULTS.md: 1 rows\nf, 3 x 4, them: 1.00x" in out
    assert results.read_text(encoding="utf-8") == table(row(2.0, 1.9, 2.1))
    monkeypatch.setattr("sys.argv", ["benchmarks", "nothing"])
    with pytest.raises(SystemExit, match="no benchmark has nothing in its name"):
        command.main()


def test_older_processors_have_rows_of_their_own(monkeypatch):
    monkeypatch.setattr(command.importlib, "import_module", lambda name: Module)
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "X86_V4")
    assert {case.sizes for case in command.all_cases()} == {"3 x 4; without X86_V4"}


def test_older_processors_are_other_processes(monkeypatch):
    def run(arguments, env, **options):
        lacks = env["NPY_DISABLE_CPU_FEATURES"]
        rows = table_row(row(1, 1, 1)), table_row(row(1, 1, 1, sizes=f"3; without {lacks}"))
        return SimpleNamespace(stdout="\n".join([HEAD, *rows, "1 rows"]).encode())

    monkeypatch.setattr(command.subprocess, "run", run)
    sizes = [line.split(" | ")[1] for line in command._on_older_processors(2)]
    assert sizes == ["3; without X86_V4 AVX512_ICL", "3; without X86_V3 X86_V4 AVX512_ICL"]


class Module:
    @staticmethod
    def cases():
        return [row(1, 1, 1).case]
