"""The files on CVPR and its papers agree with themselves and with the lessons that are there."""

import re
from collections import Counter
from fractions import Fraction

import pytest

from cvcourse.classroom.subjects import conference
from tests.lessons.notebooks import LESSONS, number_of

PAPERS = conference.papers()
PUBLISHED = conference.published()
NUMBERS = {number_of(path.stem) for path in LESSONS}
# as the notes have them: their headings, and how many titles stand under each
GROUPS = {
    "Recognition, detection, segmentation": 11,
    "Generative models": 11,
    "Representation learning": 3,
    "Computational photography": 6,
    "Transfer, few labels, no labels": 6,
    "Vision and language": 6,
    "Efficient training and inference": 6,
    "Three dimensions": 9,
    "Faces, gestures, bodies": 5,
    "Videos and scenes": 6,
}


def test_sixty_nine_papers_in_their_groups():
    assert [paper["number"] for paper in PAPERS] == list(range(1, 70))
    assert Counter(paper["group"] for paper in PAPERS) == GROUPS
    assert len({paper["title"] for paper in PAPERS}) == len({p["short"] for p in PAPERS}) == 69


def test_a_sentence_each():
    for paper in PAPERS:
        assert paper["says"][0].isupper() or paper["says"][0].isdigit(), paper["short"]
        assert paper["says"].endswith("."), paper["short"]
        assert ". " not in paper["says"], paper["short"]


def test_addresses():
    ids = [paper["arxiv"] for paper in PAPERS if paper["arxiv"]]
    assert all(re.fullmatch(r"\d{4}\.\d{5}", i) for i in ids)
    assert len(set(ids)) == len(ids) == 64


def test_lessons_that_are_named_are_there():
    for paper in PAPERS:
        assert {paper["lesson"], paper["near"]} - {""} <= NUMBERS, paper["short"]
        assert not (paper["lesson"] and paper["near"]), paper["short"]


def test_who_teaches_a_paper_names_it():
    by_number = {number_of(path.stem): path.read_text(encoding="utf-8") for path in LESSONS}
    for paper in PAPERS:
        if paper["lesson"]:
            assert paper["arxiv"] in by_number[paper["lesson"]], paper["short"]


def test_a_paper_without_an_id_is_no_system_s(monkeypatch):
    read = conference._read

    def without(name):
        found = read(name)
        if name == "systems":
            found["systems"] = {"Nameless": {"lessons": ["02"], "code": [], "paper": ""}}
        return found

    monkeypatch.setattr(conference, "_read", without)
    taught = [paper["short"] for paper in conference.papers() if paper["lesson"]]
    assert taught == ["Circle loss"]  # by docs/papers.toml itself


def test_pages_have_a_row_for_each_paper():
    page = conference.paper_pages(PAPERS)
    assert len(re.findall(r"^\| \d+ \|", page, re.M)) == 69
    assert page.count("<details>") == page.count("</details>") == len(GROUPS)
    assert page.count("not here") == sum(not paper["lesson"] for paper in PAPERS)
    assert "[25](25_distances.ipynb)" in page


def test_each_figure_has_a_source():
    sources = PUBLISHED["sources"]
    for said in [*PUBLISHED["years"], *PUBLISHED["growth"], PUBLISHED["titles"]]:
        assert said["source"] in sources
    assert all(source["url"].startswith("https://") for source in sources.values())
    assert {table["source"] for table in PUBLISHED["years"]} <= set(conference.MARKERS)


def test_rates_are_near_their_counts():
    """A typing error here would read as a contradiction of theirs."""
    for table in PUBLISHED["years"]:
        for row in table["rows"]:
            if "rate" in row:
                exact = Fraction(100 * row["accepted"], row["submissions"])
                assert abs(exact - Fraction(row["rate"])) < Fraction(1, 5), (table["source"], row)


def test_figures_say_what_they_show():
    figures = [
        conference.show_papers(PAPERS, title="Papers"),
        conference.show_years(PUBLISHED, title="Years"),
        conference.show_growth(100, {"one": 120, "other": 90}, title="Growth"),
        conference.show_words(
            {"word": [(1.0, 0.5, 2.0), (3.0, 2.0, 5.0)]}, [2019, 2020], title="Words"
        ),
    ]
    assert [figure.get_suptitle() for figure in figures] == ["Papers", "Years", "Growth", "Words"]
    texts = [text.get_text() for text in figures[2].axes[0].texts]
    assert texts == ["120: +20.0 %\n(one)", "90: -10.0 %\n(other)", "100"]
    bars = [bar.get_width() for bar in figures[0].axes[0].patches]
    assert sum(bars) == pytest.approx(69)
    ends = [c.lines[2][0].get_segments()[0][:, 1].tolist() for c in figures[3].axes[0].containers]
    assert ends == [[0.5, 2.0], [2.0, 5.0]]
    assert [text.get_text() for text in figures[3].axes[0].texts] == ["2019", "2020"]
