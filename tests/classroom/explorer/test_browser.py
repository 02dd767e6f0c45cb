"""`make explore` as a person uses it, in headless Chromium, with nothing beyond this machine."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvcourse.__main__ import VOILA

ROOT = Path(__file__).parents[3]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
playwright = pytest.importorskip(
    "playwright.sync_api",
    reason="needs playwright, which no extra installs: pip install playwright",
)
pytest.importorskip("voila", reason="needs voila, which the extra 'lessons' installs")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path")
CARDS = "[...document.querySelectorAll('.explorer h3')].map(h => h.textContent)"


@pytest.fixture(scope="module")
def address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*VOILA, "--no-browser", f"--port={port}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    for _ in range(120):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.5)
    yield f"http://127.0.0.1:{port}/"
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(30)


@pytest.fixture(scope="module")
def page(address):
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1300, "height": 950})
        tab.wrong, tab.beyond = [], []
        tab.on("pageerror", lambda error: tab.wrong.append(str(error)))
        own = (address, "data:", "blob:")
        tab.route(lambda url: not url.startswith(own), lambda route: route.abort())
        tab.on("requestfailed", lambda asked: tab.beyond.append(asked.url))
        tab.goto(address, timeout=120_000)
        tab.get_by_role("button", name="Ask", exact=True).wait_for(timeout=90_000)
        yield tab
        browser.close()


def ask(page, names, *, shown=1):
    """Ask, and wait until the cards after the first `shown` have these names."""
    page.get_by_role("button", name="Ask", exact=True).click()
    wanted = f"() => JSON.stringify({CARDS}.slice({shown})) == '{names}'"
    page.wait_for_function(wanted, timeout=120_000)
    pictures = "[...document.querySelectorAll('.explorer img')].every(i => i.naturalWidth && i.alt)"
    assert page.evaluate(pictures)


def test_a_picture_of_the_course(page):
    page.get_by_label("picture", exact=True).select_option("scene: a digit among scraps")
    page.get_by_label("question", exact=True).select_option("Recognition: Which digit is it?")
    ask(page, '["Plain network","Spatial transformer"]')
    assert page.get_by_text("Limits.", exact=True).count() == 2


def test_joints_of_a_person(page):
    page.get_by_label("picture", exact=True).select_option("scene: a person")
    question = "Recognition: Where are a person's joints?"
    page.get_by_label("question", exact=True).select_option(question)
    ask(page, '["Heat maps","Coordinates"]')
    assert page.get_by_text("its maps' peaks").count() == 1


def test_a_caption(page):
    page.get_by_label("picture", exact=True).select_option("scene: two shapes")
    page.get_by_label("question", exact=True).select_option("Words: What would one say of it?")
    ask(page, '["Show and tell"]')
    assert page.get_by_text("word by word (greedy)").count() == 1


def test_motion_of_a_copy_that_the_sliders_move(page):
    slider = page.get_by_role("slider").first
    assert not slider.is_visible()
    page.get_by_label("picture", exact=True).select_option("coffee")
    page.get_by_label("question", exact=True).select_option("Motion: Where does each pixel go?")
    slider.wait_for(state="visible", timeout=30_000)
    for _ in range(2):  # from 4 pixels to the right to 6
        slider.press("ArrowRight")
    answers = '["C, stride 4, centred","FlowNetS","TV-L1, which learnt nothing"]'
    moved = page.get_by_text("“nothing moves” by 6.3")  # 6 right, 2 up
    for _ in range(5):  # a busy kernel may hear of the click before it hears of the slider
        ask(page, answers, shown=3)
        if moved.count() == 3:
            break
        page.wait_for_timeout(2000)
    assert moved.count() == 3
    page.get_by_label("picture", exact=True).select_option("two frames: things that fly")
    slider.wait_for(state="hidden", timeout=30_000)
    ask(page, answers, shown=3)


def test_a_picture_of_ones_own(page, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name=re.compile("your own")).click()
    chosen.value.set_files(tmp_path / "mine.png")
    page.get_by_text("mine.png, 120 × 90 pixels").wait_for(timeout=30_000)
    question = "Scene geometry: How far is each pixel?"
    page.get_by_label("question", exact=True).select_option(question)
    ask(page, '["Network for depth"]')
    assert page.get_by_text("120 × 90 pixels", exact=True).count() == 1


def test_no_code_is_shown_and_only_icons_and_diagrams_are_missed(page):
    """Voilà's template asks two CDNs for both; the explorer has neither, and does without."""
    assert page.get_by_text("VisionExplorer").count() == 0
    assert page.wrong == []
    known = ("/fontawesome-free", "/mermaid")
    assert [url for url in page.beyond if not any(part in url for part in known)] == []
