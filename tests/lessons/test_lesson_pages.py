"""A lesson's page: figures as files with their texts, claims with numbers, links that lead."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from scripts.pages import lessons, links
from scripts.pages.__main__ import fill
from scripts.pages.cards import read_card
from tests.lessons.notebooks import ROOT


def png(size: int) -> str:
    """A picture of noise, which no format makes small."""
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "png")
    return base64.b64encode(file.getvalue()).decode()


def shown(figures, **data):
    return figures.shown({"output_type": "display_data", "metadata": {}, "data": data})


@pytest.fixture
def figures(tmp_path):
    return lessons.Figures(tmp_path / "04")


def test_a_figure_becomes_a_file_with_its_text_and_size(figures):
    picture = f'<img src="data:image/png;base64,{png(8)}" alt="Two &quot;cats&quot;" width="90" '
    output = shown(figures, **{"text/html": picture + 'height="40" style="max-width: 100%">'})
    assert output["data"] == {
        "text/html": '<img class="lesson-figure" src="../_static/figures/04/01.png" '
        'alt="Two &quot;cats&quot;" width="90" height="40" loading="lazy">'
    }
    [(path, alt)] = figures.made
    assert (Image.open(path).size, alt) == ((8, 8), 'Two "cats"')


def test_a_large_figure_becomes_webp(figures):
    output = figures.shown(
        {"data": {"image/png": png(300)}, "metadata": {"image/png": {"alt": "noise"}}}
    )
    assert '01.webp" alt="noise"' in output["data"]["text/html"]
    assert figures.made[0][0].stat().st_size < 300 * 300 * 3 / 2


def test_widgets_are_told_and_progress_bars_left_out(figures):
    assert shown(figures, **{lessons.WIDGET: {}, "text/plain": "0%|"}) is None
    told = shown(figures, **{lessons.WIDGET: {}, "text/html": "<em>shift = 1</em>"})
    assert told["data"] == {"text/html": "<em>shift = 1</em>"}
    printed = {"output_type": "stream", "name": "stdout", "text": "a"}
    assert figures.shown(printed) == printed


def test_of_a_lesson_that_has_changed_only_unchanged_cells_keep_their_outputs():
    def notebook(**sources):
        return {
            "cells": [
                {"id": name, "cell_type": "code", "source": source, "outputs": []}
                for name, source in sources.items()
            ]
        }

    older = notebook(a="1", b="2", c="3")
    for cell in older["cells"]:
        cell["outputs"] = [cell["source"]]
    newer = lessons.with_outputs_of(notebook(b="2", c="4", d="1"), older)
    assert [cell["outputs"] for cell in newer["cells"]] == [["2"], [], []]


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ({"better": 0.84931, "than": 0.7, "margin": 0.0}, "0.8493 > 0.7"),
        ({"lower": 0.5, "than": 0.7, "margin": 0.03, "of": 12.0}, "0.5 < 0.7 - 0.03, of 12"),
        ({"value": 0.0035, "equals": 0.0, "tolerance": 0.03}, "0.0035 = 0 ± 0.03"),
        ({"at_the_start": 3.0}, "at the start 3"),
        ({"skipped": "no photographs"}, "no photographs"),
        ({"better": "nan", "than": 1.0}, "nan > 1"),
    ],
)
def test_numbers_of_claims(claim, told):
    assert lessons.numbers({"sentence": "s", "holds": True, **claim}) == told


def test_claims_table():
    record = {"claims": [{"sentence": "a | b", "holds": True, "better": 2, "than": 1}]}
    assert lessons.claims_table(record).endswith("| a \\| b | 2 > 1 | holds |")


@pytest.mark.parametrize("state", ["fresh", "stale", "missing"])
def test_numbers_of_another_version_are_not_shown(state, tmp_path, monkeypatch):
    card = read_card(ROOT / "lessons" / "04_one_stage.ipynb")
    claim = {"sentence": "focal", "holds": True, "better": 2, "than": 1}
    record = {"claims": [claim], "seconds": 1, "device": "cpu", "scale": "small"}
    record |= {"started": "2026-11-29T00:00:00", "versions": {"torch": "2"}}
    monkeypatch.setattr(lessons.executed, "state", lambda path: state)
    monkeypatch.setattr(lessons.executed, "executed", lambda path: path)
    monkeypatch.setattr(lessons.executed, "record", lambda path: record)
    lessons.write_lesson(card, tmp_path, [card], "## Reference code of this lesson")
    page = (tmp_path / f"{card.page}.ipynb").read_text(encoding="utf-8")
    assert ("What the last run checked" in page) == (state == "fresh")
    assert ("Last run: 1 seconds" in page) == (state == "fresh")
    assert page.count("Reference code of this lesson") == 1


def test_links_lead_to_pages_or_to_the_source():
    text = "[a](GPU.md) [b](04_one_stage.ipynb#x) [c](tables) [d](https://x.org) [e](#e) [f](no)"
    tables = f"{links.SOURCE}/lessons/tables"
    assert links.repository_links(text, ROOT / "lessons") == (
        f"[a](/project/gpu.md) [b](/lessons/04_one_stage.ipynb#x) [c]({tables})"
        " [d](https://x.org) [e](#e) [f](no)"
    )


def test_pages_have_their_places(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n\n% HERE\n\nb\n", encoding="utf-8")
    fill(page, "HERE", r"x \1")
    assert page.read_text(encoding="utf-8") == "a\n\nx \\1\n\nb\n"
    with pytest.raises(ValueError, match="one line '% HERE'"):
        fill(page, "HERE", "x")
