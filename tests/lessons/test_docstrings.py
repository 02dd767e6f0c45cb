"""Docstrings as they are written here become reStructuredText that means the same."""

from scripts.pages.docstrings import as_rst


def rst(text: str) -> str:
    return "\n".join(as_rst(text.splitlines())).strip()


def test_bars_are_bars_and_formulas_stay():
    text = "Mean of |dx|.\n\n.. math:: |a|\n\nArgs:\n    x: the |x|\n        of all."
    assert rst(text) == (
        "Mean of \\|dx\\|.\n\n.. math:: |a|\n\nArgs:\n    x: the \\|x\\|\n        of all."
    )


def test_arguments_without_a_heading():
    text = "What.\n\nloader: gives batches,\n    anew.\nepochs, steps: one of them.\n\nRaises it."
    assert rst(text) == (
        "What.\n\nArgs:\n    loader: gives batches,\n        anew.\n"
        "    epochs, steps: one of them.\n\nRaises it."
    )
    columns = "folder       of the pictures\nannotations  the file,\n             a path"
    assert rst(columns) == (
        "Args:\n    folder: of the pictures\n    annotations: the file,\n        a path"
    )


def test_drawings_and_examples_are_literal():
    assert rst("Net.\n\n    a ─ b\n      └ c") == "Net.\n\n::\n\n    a ─ b\n      └ c"
    assert rst("One of:\n    f(a)   a > b\n    f(b)   b\nFurther ones.") == (
        "One of::\n\n    f(a)   a > b\n    f(b)   b\n\nFurther ones."
    )
    assert rst("Examples:\n    f(1)\n    f(2)  # two") == (
        ".. rubric:: Example\n\n::\n\n    f(1)\n    f(2)  # two"
    )


def test_prose_stays_prose():
    text = "First line.\n\n**Conventions**: nan stays nan.\nReference: Lin 2017,\n    arXiv 1."
    assert (
        rst(text)
        == "First line.\n\n**Conventions**: nan stays nan.\nReference: Lin 2017,\narXiv 1."
    )
