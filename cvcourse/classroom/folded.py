"""Numbers that a learner should meet after a guess of their own: computed here, folded away."""

from html import escape


class folded:
    """A text behind one line that opens on a click; the last line of a cell shows it.

    An exercise asks for an experiment whose outcome the lesson's own table knows: the outcome is
    computed by the cell, as every result is, and does not spoil the guess.

    Args:
        text: what is folded away, plain; line breaks are kept.
        summary: the line that stays visible.
    """

    def __init__(self, text: str, summary: str = "What we found"):
        self.text, self.summary = str(text), str(summary)

    def __repr__(self) -> str:  # where a page has no HTML, nothing can be folded
        return f"{self.summary}: {self.text}"

    def _repr_html_(self) -> str:
        return (
            f"<details><summary>{escape(self.summary)}</summary>"
            f'<div style="white-space: pre-line">{escape(self.text)}</div></details>'
        )
