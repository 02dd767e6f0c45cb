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
    page.feed(folded("a < b & c\n0.71 to 0.74", "Three trainings")._repr_html_())
    page.close()
    assert page.open == []
    assert page.texts == {
        "details/summary": "Three trainings",
        "details/div": "a < b & c\n0.71 to 0.74",
    }


def test_pages_without_html_show_it_whole():
    assert repr(folded("0.71")) == "What we found: 0.71"
