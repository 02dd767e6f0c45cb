"""Writes .binder/environment.yml from environment.yml: python scripts/binder.py

The same, without what only the tests need, and with the course one folder up.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
FIRST = "# Written by scripts/binder.py from ../environment.yml, for mybinder.org.\n"


def environment(text: str) -> str:
    begin, end = text.index("  # test\n"), text.index("  - pip:\n")
    kept = text[:begin] + text[end:]
    return FIRST + kept[kept.index("name:") :].replace("- -e .\n", "- -e ..\n")


if __name__ == "__main__":
    written = environment((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (ROOT / ".binder" / "environment.yml").write_text(written, encoding="utf-8")
