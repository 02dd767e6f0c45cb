"""The check of the site finds what is planted, and nothing else."""

from scripts.pages.check import errors

GOOD = (
    '<link rel="stylesheet" href="s.css?v=1"><a href="b/c.html#there">c</a><a href="#here">h</a>'
    '<a id="here" href="https://example.org">x</a><img src="data:image/png;base64,AA">'
    '<link rel="canonical" href="https://example.org/a.html">'
)
PLANTED = {
    '<a href="gone.html">': "a.html leads to gone.html, which is not there",
    '<a href="b/c.html#gone">': "a.html leads to b/c.html#gone, but there is no such place on "
    "that page",
    '<script src="https://cdn.example.org/x.js">': "a.html loads https://cdn.example.org/x.js",
    '<link rel="stylesheet" href="//fonts.example.org">': "a.html loads //fonts.example.org",
    '<img src="gone.png">': "a.html leads to gone.png, which is not there",
}


def test_planted_errors(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/c.html").write_text('<p id="there"><a href="../a.html">', encoding="utf-8")
    (tmp_path / "s.css").write_text("a { src: url('f.woff2') }", encoding="utf-8")
    page = tmp_path / "a.html"
    page.write_text(GOOD, encoding="utf-8")
    assert errors(tmp_path) == []
    for planted, error in PLANTED.items():
        page.write_text(GOOD + planted, encoding="utf-8")
        assert errors(tmp_path) == [error]
    page.write_text(GOOD, encoding="utf-8")
    (tmp_path / "s.css").write_text("a { src: url(https://x.org/f.woff) }", encoding="utf-8")
    assert errors(tmp_path) == ["s.css loads https://x.org/f.woff"]
