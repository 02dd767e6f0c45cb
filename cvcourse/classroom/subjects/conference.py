"""What is published about CVPR, and the 69 papers of 2020 that the course lists, with pictures.

Both are data of the repository: `docs/conference.toml` has each figure with who says it,
`docs/papers.toml` one sentence for each paper and the lesson that teaches it, if one does.
"""

import tomllib
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from cvcourse.classroom import records
from cvcourse.classroom.figures import style

MARKERS = {"listA": "o", "listB": "s", "press2019": "^", "press2020": "v", "synced": "D"}
MARKERS |= {"notes": "*", "blog2023": "P"}


def published() -> dict:
    """`docs/conference.toml`: sources by name; what each says of years; growth; titles."""
    return _read("conference")


def papers() -> list[dict[str, str]]:
    """The 69 papers, each with all of its fields, "" where there is nothing to say.

    number (int), group, title, short, arxiv, says, near, read as in `docs/papers.toml`; lesson: the
    one that teaches it and is there, by that file or, by arXiv id, by `docs/systems.toml`.
    """
    there = lessons()
    taught = {
        row["paper"]: next(iter(number for number in row["lessons"] if number in there), "")
        for row in _read("systems")["systems"].values()
    }
    blank = dict.fromkeys(("title", "short", "arxiv", "says", "lesson", "near", "read"), "")
    rows = [blank | row for row in _read("papers")["papers"]]
    for row in rows:
        row["lesson"] = row["lesson"] or taught.get(row["arxiv"] or None, "")
    return rows


def lessons() -> dict[str, str]:
    """The file names of the lessons that are there, by their numbers."""
    files = sorted((records.course() / "lessons").glob("[0-9]*_*.ipynb"))
    return {file.name.partition("_")[0]: file.name for file in files}


def paper_pages(papers: Sequence[Mapping[str, str]]) -> str:
    """The papers as markdown: a table for each group, folded under its name."""
    files, pages = lessons(), []
    for group in dict.fromkeys(paper["group"] for paper in papers):
        rows = [paper for paper in papers if paper["group"] == group]
        taught = sum(bool(paper["lesson"]) for paper in rows)
        pages.append(
            f"<details><summary><b>{group}</b>: {len(rows)} papers, {taught} taught here"
            "</summary>\n\n| | paper | in one sentence | here |\n|---|---|---|---|"
        )
        for paper in rows:
            link = f"[{paper['title']}](https://arxiv.org/abs/{paper['arxiv']})"
            title = link if paper["arxiv"] else paper["title"]
            says = paper["says"] + (" ✓" if paper["read"] else "")
            pages.append(f"| {paper['number']} | {title} | {says} | {_where(paper, files)} |")
        pages.append("\n</details>\n")
    return "\n".join(pages)


def _where(paper: Mapping[str, str], files: Mapping[str, str]) -> str:
    def link(number: str) -> str:
        return f"[{number}]({files[number]})" if number in files else number

    if paper["lesson"]:
        return f"lesson {link(paper['lesson'])}"
    return "not here" + (f" (nearest: {link(paper['near'])})" if paper["near"] else "")


def show_papers(papers: Sequence[Mapping[str, str]], *, title: str) -> Figure:
    """How many papers of each group are taught, lie near a lesson, or neither."""
    groups = list(dict.fromkeys(paper["group"] for paper in papers))
    kinds = {
        "taught here": (style.BLUE, lambda paper: paper["lesson"]),
        "not here, a lesson is near": (style.SKY, lambda p: not p["lesson"] and p["near"]),
        "not here": ("0.8", lambda paper: not paper["lesson"] and not paper["near"]),
    }
    figure, axes = plt.subplots(figsize=(style.WIDTH, 3.9))
    ends, told = [0] * len(groups), []
    for name, (colour, belongs) in kinds.items():
        counts = [sum(bool(belongs(p)) for p in papers if p["group"] == g) for g in groups]
        axes.barh(groups, counts, left=ends, color=colour, edgecolor="white", label=name)
        ends = [end + count for end, count in zip(ends, counts, strict=True)]
        told.append(f"{name} {sum(counts)}")
    axes.invert_yaxis()
    axes.set_xlabel("papers")
    figure.legend(loc="outside lower center", ncols=3)
    figure.suptitle(title)
    return style.describe(figure, f"{title}. {len(groups)} groups of papers; {', '.join(told)}.")


def show_years(published: Mapping, *, title: str) -> Figure:
    """Submissions of each year by source, and the rate of acceptance that its counts give."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 3.9))
    told = []
    for said in published["years"]:
        source, rows = said["source"], [row for row in said["rows"] if "submissions" in row]
        marks = {"marker": MARKERS[source], "linestyle": "", "markersize": 7, "fillstyle": "none"}
        if rows:
            left.plot(
                [row["year"] for row in rows],
                [row["submissions"] for row in rows],
                **marks,
                label=published["sources"][source]["name"],
            )
            told.append(f"{published['sources'][source]['name']}, {len(rows)} years")
        both = [row for row in rows if "accepted" in row]
        right.plot(
            [row["year"] for row in both],
            [100 * row["accepted"] / row["submissions"] for row in both],
            **marks,
            color=left.lines[-1].get_color() if rows else "black",
        )
    left.set(xlabel="year", ylabel="submissions", ylim=(0, None))
    right.set(xlabel="year", ylabel="accepted of submitted (percent)")
    for axes in (left, right):
        axes.grid(True, axis="y")
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    figure.suptitle(title)
    return style.describe(figure, f"{title}. Sources: {'; '.join(told)}.")


def show_growth(before: int, after: Mapping[str, int], *, title: str) -> Figure:
    """Submissions of 2019, and those of 2020 by who says it."""
    figure, axes = plt.subplots(figsize=(0.8 * style.WIDTH, 3.4))
    told = []
    for (name, new), colour in zip(after.items(), (style.BLUE, style.VERMILION), strict=True):
        told.append(f"{new:,}: {100 * (new / before - 1):+.1f} %")
        axes.plot([0, 1], [before, new], "o-", color=colour)
        beside = "bottom" if new == max(after.values()) else "top"
        axes.text(1.04, new, f"{told[-1]}\n({name})", va=beside, fontsize=9.5)
    axes.text(-0.04, before, f"{before:,}", ha="right", va="center")
    axes.set(xlim=(-0.3, 2.6), ylim=(0, 8400), ylabel="submissions")
    axes.set_xticks([0, 1], ["2019", "2020"])
    figure.suptitle(title)
    return style.describe(figure, f"{title}. From {before:,} to {'; or to '.join(told)}.")


def show_words(
    words: Mapping[str, Sequence[Sequence[float]]], years: Sequence[int], *, title: str
) -> Figure:
    """Of 1,000 titles, how many hold a word, by year: for each (share, low, high)."""
    figure, axes = plt.subplots(figsize=(0.8 * style.WIDTH, 3.2))
    told = []
    for k, (year, colour) in enumerate(zip(years, (style.SKY, style.BLUE), strict=True)):
        shares = [by_year[k] for by_year in words.values()]
        for i, (share, low, high) in enumerate(shares):
            ends = [[share - low], [high - share]]
            place = i + 0.2 * k - 0.1
            axes.errorbar(place, share, ends, fmt="o", color=colour, capsize=4)
            axes.text(place + (0.05 if k else -0.05), share, str(year), color=colour,
                      ha="left" if k else "right", va="center", fontsize=9)  # fmt: skip
        told.append(
            f"{year}: " + ", ".join(f"{w} {s[0]:.0f}" for w, s in zip(words, shares, strict=True))
        )
    axes.set(xlim=(-0.5, len(words) - 0.5), ylim=(0, None), ylabel="of 1,000 accepted titles")
    axes.set_xticks(range(len(words)), list(words))
    axes.set_xlabel("word in the title (bars: 95 % of such draws)")
    axes.grid(True, axis="y")
    figure.suptitle(title)
    return style.describe(figure, f"{title}. {'; '.join(told)}.")


def _read(name: str) -> dict:
    path = records.course() / "docs" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))
