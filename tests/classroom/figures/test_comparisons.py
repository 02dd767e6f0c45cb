"""Before and after: what a page holds, and what it does in a browser."""

import base64
import io
import re
import shutil
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image

from cvcourse.classroom import show_before_after
from cvcourse.classroom.figures import comparisons
from scripts.pages.lessons import Figures

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
BLACK, WHITE = torch.zeros(3, 8, 12), torch.ones(8, 12)
MOVES = (
    "<script>addEventListener('load', () => setTimeout(() => {"
    "const slider = document.querySelector('input'); slider.value = 20;"
    "slider.dispatchEvent(new Event('input'))}))</script>"
)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def embedded(text):
    return [base64.b64decode(png) for png in re.findall(r'base64,([^"]+)"', text)]


def test_the_page_holds_both_pictures_and_a_still_of_both():
    shown = show_before_after(BLACK, WHITE, ("night", "day"), title="Dawn")
    still, before, after = embedded(shown.as_html())
    assert pixels(before).shape == pixels(after).shape == (8, 12, 3)
    assert pixels(before).max() == 0
    assert pixels(after).min() == 255
    assert pixels(still).shape[:2] == shown.size[::-1]
    middle = pixels(still)[shown.size[1] * 2 // 3]
    assert middle[shown.size[0] // 4].max() == 0  # night on the left
    assert middle[shown.size[0] * 3 // 4].min() == 255


def test_notebooks_and_exporters_read_the_same_text():
    shown = show_before_after(BLACK, WHITE, ("a", '<"b">'), title="Dawn", alt='a "sun"')
    data, about = shown._repr_mimebundle_()
    assert 'alt="a &quot;sun&quot;"' in data["text/html"]
    assert '<"b">' not in data["text/html"]
    assert base64.b64decode(data["image/png"]) == shown.still
    assert about == {"image/png": {"alt": 'a "sun"'}}
    told = show_before_after(BLACK, WHITE, title="Dawn").alt
    assert told == "Dawn. Two pictures, one over the other: before, after."


def test_what_a_page_that_is_not_trusted_keeps_is_the_still():
    text = show_before_after(BLACK, WHITE, title="Dawn").as_html()
    shown = stripped(text)
    still, rest = re.fullmatch(
        r'<div class="before-after">(<img [^>]*>)(<div hidden .*</div>)</div>', shown
    ).groups()
    assert "hidden" not in still
    assert 'type="range"' in rest


def stripped(text):
    """Without what JupyterLab takes out of a page that it does not trust."""
    return re.sub(r'<style>.*?</style>| on(load|input)="[^"]*"', "", text)


def in_browser(tmp_path, text):
    path = tmp_path / "page.html"
    path.write_text(f"<!DOCTYPE html><body>{text}{MOVES}</body>", encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000"]
    asked = subprocess.run([*command, path.as_uri()], capture_output=True, timeout=120, check=True)
    return asked.stdout.decode()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path")
def test_the_slider_takes_the_place_of_the_still_and_moves(tmp_path):
    page = in_browser(tmp_path, show_before_after(BLACK, WHITE, title="Dawn").as_html())
    assert re.search(r'<img [^>]*hidden=""[^>]*><div style="[^"]*--seen: 20%', page)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path")
def test_where_its_own_scripts_do_not_run_the_still_stays(tmp_path):
    shown = show_before_after(BLACK, WHITE, title="Dawn")
    page = in_browser(tmp_path, stripped(shown.as_html()))
    assert re.search(r'<img [^>]*alt="Dawn[^>]*><div hidden=""', page)
    assert not re.search(r'<img [^>]*hidden=""', page)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((BLACK, WHITE[1:]), {}, r"after must be as large as before, \(8, 12\), got \(7, 12\)"),
        ((BLACK, WHITE, ("a", "b", "c")), {}, "names must be two texts, got 3"),
        ((BLACK, WHITE, "ab"), {}, "names must be two texts"),
    ],
)
def test_refuses(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        show_before_after(*arguments, title="x", **options)


def test_pictures_that_a_page_cannot_hold(monkeypatch):
    monkeypatch.setattr(comparisons, "LARGEST", 100)
    with pytest.raises(ValueError, match="100 bytes"):
        show_before_after(BLACK, WHITE, title="Dawn")


def test_on_the_site_the_pictures_lie_beside_the_page(tmp_path):
    shown = show_before_after(BLACK, WHITE, title="Dawn")
    figures = Figures(tmp_path / "40")
    data, about = shown._repr_mimebundle_()
    output = figures.shown({"output_type": "display_data", "metadata": about, "data": data})
    text = output["data"]["text/html"]
    assert "base64" not in text
    found = re.findall(r'src="\.\./_static/figures/(40/[^"]+)"', text)
    assert found == ["40/01.png", "40/01-before.png", "40/01-after.png"]
    written = [(tmp_path / name).read_bytes() for name in found]
    assert written == [shown.still, *shown.pictures]
    assert figures.made == [(tmp_path / "40" / "01.png", shown.alt)]
