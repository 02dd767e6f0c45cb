"""Printing where the terminal's encoding lacks a character: its code is shown, and nothing stops.

Terminals on Windows, and output into files and pipes there, often have cp1252, cp1251, cp932 and
the like; under the locale "C" it is ASCII.
"""

import sys


def say(text: str) -> None:
    """Print a line; characters that the encoding lacks as their codes (`\\u2265`)."""
    try:
        print(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        print(text.encode(encoding, "backslashreplace").decode(encoding))


def show_any_character() -> None:
    """Let also plain `print` show codes, where standard output is a text file or a terminal."""
    if hasattr(sys.stdout, "reconfigure"):  # a notebook's has not, and knows all characters
        sys.stdout.reconfigure(errors="backslashreplace")
