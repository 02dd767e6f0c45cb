"""Our docstrings as Sphinx reads them: plain prose with drawings, bars and lists of arguments."""

import re

ARGUMENT = re.compile(r"(?P<names>\w[\w*]*(?:, \w[\w*]*)*)(?::| {2,}) *(?P<text>\S.*)")
SECTION = re.compile(r"(Args|Returns|Raises|Examples?|Attributes|Yields):$")


def as_rst(lines: list[str]) -> list[str]:
    """Paragraph by paragraph: bars escaped, drawings and examples literal, arguments a list."""
    out: list[str] = []
    for paragraph in paragraphs(lines):
        first = paragraph[0]
        indented = [line for line in paragraph[1:] if line.startswith(" ")]
        if first.startswith(".."):  # a directive, such as math
            out += paragraph
        elif re.fullmatch("Examples?:", first):
            out += [".. rubric:: Example", "", "::", "", *paragraph[1:]]
        elif SECTION.match(first):
            out += [escaped(line) for line in paragraph]
        elif first.startswith(" "):
            out += ["::", "", *paragraph]
        elif indented and first.endswith(":"):
            last = 1 + max(i for i, line in enumerate(paragraph[1:]) if line.startswith(" "))
            out += [escaped(first) + ":", "", *paragraph[1 : last + 1], ""]
            out += [escaped(line) for line in paragraph[last + 1 :]]
        elif is_list(paragraph):
            out += ["Args:", *arguments(paragraph)]
        else:
            out += [escaped(line.strip()) for line in paragraph]
        out.append("")
    return out


def paragraphs(lines: list[str]) -> list[list[str]]:
    """Lines between empty ones; what a directive or a section holds belongs to it."""
    found: list[list[str]] = [[]]
    for i, line in enumerate(lines):
        if line.strip():
            found[-1].append(line.rstrip())
        elif found[-1]:
            following = next((x for x in lines[i:] if x.strip()), "")
            held = found[-1][0].startswith("..") or SECTION.match(found[-1][0])
            if held and following.startswith(" "):
                found[-1].append("")
            else:
                found.append([])
    return [paragraph for paragraph in found if paragraph]


def is_list(paragraph: list[str]) -> bool:
    flush = [line for line in paragraph if not line.startswith(" ")]
    several = len(flush) > 1 or (len(paragraph) > 1 and paragraph[1].startswith(" "))
    return several and all(ARGUMENT.fullmatch(line) for line in flush)


def arguments(paragraph: list[str]) -> list[str]:
    out = []
    for line in paragraph:
        found = ARGUMENT.fullmatch(line)
        if line.startswith(" ") or not found:
            out.append("        " + escaped(line.strip()))
        else:
            out.append(f"    {found['names']}: {escaped(found['text'])}")
    return out


def escaped(line: str) -> str:
    """|a| is a bar in our prose, and a substitution in reStructuredText."""
    return line.replace("|", "\\|")
