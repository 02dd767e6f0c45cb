"""python -m scripts.pages.check: does every link inside the site lead somewhere, and is it whole?

Looks through `build/site` without a network: links, pictures, styles and scripts must be files of
the site, and anchors must be there. Scripts, styles, fonts and pictures from elsewhere are errors;
links to other sites are counted, not followed.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from scripts.pages.cards import ROOT

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}


class Page(HTMLParser):
    """The links, loads and anchors of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if LOADS.get(tag) in given:
            self.loads.append(given[LOADS[tag]])
        if tag == "link" and "canonical" not in given.get("rel", ""):
            self.loads.append(given.get("href", ""))


def errors(site: Path) -> list[str]:
    written = [p for p in sorted(site.rglob("*.html")) if site / "_static" not in p.parents]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in written}
    found = []
    for path, page in pages.items():
        where = path.relative_to(site).as_posix()
        for address in page.loads:
            if is_elsewhere(address) and not address.startswith("data:"):
                found.append(f"{where} loads {address}")
        for address in [*page.links, *page.loads]:
            if is_elsewhere(address) or address in ("", "#"):
                continue
            target, anchor = place(address, path)
            if not target.exists():
                found.append(f"{where} leads to {address}, which is not there")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                found.append(f"{where} leads to {address}, but there is no such place on that page")
    for path in sorted(site.rglob("*.css")):
        for address in re.findall(r"url\(['\"]?([^'\")]+)", path.read_text(encoding="utf-8")):
            if is_elsewhere(address) and not address.startswith("data:"):
                found.append(f"{path.relative_to(site).as_posix()} loads {address}")
    return found


def is_elsewhere(address: str) -> bool:
    return bool(urlsplit(address).scheme) or address.startswith("//")


def place(address: str, page: Path) -> tuple[Path, str]:
    parts = urlsplit(address)
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    return target, unquote(parts.fragment)


def main() -> int:
    site = ROOT / "build" / "site"
    found = errors(site)
    for error in found:
        print(error)
    print(f"{len(found)} errors in {len(list(site.rglob('*.html')))} pages")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
