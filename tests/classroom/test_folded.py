"""Folded text: read back by the HTML parser of the standard library."""

from html.parser import HTMLParser

from cvcourse.classroom import folded


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.texts = [], {}

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts["/".join(self.open)] = data


def test_the_outcome_lies_behind_a_line_that_opens():
    page = Page()
    html = folded("a < b & c\n0.71 to 0.74", "<b>Three</b> trainings")._repr_html_()
    page.feed(html)
    page.close()
    assert page.open == []
    assert page.texts == {
        "details/summary": "<b>Three</b> trainings",
        "details/div": "a < b & c\n0.71 to 0.74",
    }
    assert "white-space: pre-line" in html  # line breaks are kept


def test_pages_without_html_show_it_whole():
    assert repr(folded("0.71")) == "What we found: 0.71"


def test_a_number_is_a_text():
    assert "0.71" in folded(0.71)._repr_html_()
