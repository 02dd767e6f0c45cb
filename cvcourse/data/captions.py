"""Sentences about scenes, from a small grammar: "two red hearts left of a disk".

    sentence  →  things  |  things relation things  |  things "and" things
    things    →  number (colour) kind
    relation  →  "left of" | "right of" | "above" | "below"

Every sentence is true, and a function of its scene's split, seed and index, and of its number.
"""

import re

import torch
from torch import Tensor

from .scenes.randomness import Stream
from .scenes.stills import Scenes
from .scenes.surfaces import COLORS

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RELATIONS = ("left of", "right of", "above", "below")
_CAPTIONS = 2**63 + 2**62  # added to a scene's index: random numbers of their own


def scene_caption(scenes: Scenes, target: dict, number: int = 0) -> str:
    """Sentence `number`, 0 and up, about a target of `scenes`, from what can be seen there.

    A group is all objects of a kind, or all of a kind and colour; two groups that share no object
    are joined by a relation where all centres of the one lie on that side of all of the other's,
    and by "and" otherwise. Groups are of at most nine.
    """
    if number < 0:
        raise ValueError(f"number must be at least 0, got {number}")
    options = scenes.options
    stream = Stream(options.split, options.seed, int(target["image_id"]) + _CAPTIONS)
    for _ in range(number + 1):
        sentence = _sentence(stream, scenes.classes, target)
    return sentence


def _sentence(stream: Stream, classes: tuple[str, ...], target: dict) -> str:
    labels, colors = target["labels"].tolist(), target["colors"].tolist()
    if not labels:
        return "nothing"
    first = stream.integer(len(labels))
    members, words = _group(stream, first, labels, colors, classes)
    others = [i for i in range(len(labels)) if i not in members]
    if not others or stream.uniform() < 0.25:
        return words
    second, more = _group(stream, others[stream.integer(len(others))], labels, colors, classes)
    if set(second) & set(members):
        return words
    centres = target["poses"][:, :2]
    found = relations(centres[members], centres[second])
    joined = found[stream.integer(len(found))] if found else "and"
    return f"{words} {joined} {more}"


def _group(stream: Stream, one: int, labels, colors, classes) -> tuple[list[int], str]:
    named = stream.uniform() < 0.5
    alike = [
        i for i, label in enumerate(labels)
        if label == labels[one] and (not named or colors[i] == colors[one])
    ][:9]  # fmt: skip
    color = f"{COLORS[colors[one]]} " if named else ""
    return alike, f"{NUMBERS[len(alike)]} {color}{plural(classes[labels[one]], len(alike))}"


def plural(kind: str, count: int) -> str:
    """The name of `count` objects of a kind."""
    if count == 1:
        return kind
    return kind + ("es" if kind.endswith(("s", "x")) else "s")


def relations(first: Tensor, second: Tensor) -> list[str]:
    """Those of `RELATIONS` that hold between all centres (n, 2) of the one and the other."""
    x, y = zip(first.unbind(1), second.unbind(1), strict=True)
    holds = (
        x[0].max() < x[1].min(), x[0].min() > x[1].max(),
        y[0].max() < y[1].min(), y[0].min() > y[1].max(),
    )  # fmt: skip
    return [name for name, true in zip(RELATIONS, holds, strict=True) if true]


def vocabulary(classes: tuple[str, ...]) -> tuple[str, ...]:
    """All words of sentences about these classes, sorted."""
    sentence = " ".join([*NUMBERS, *COLORS, *RELATIONS, "and", "nothing"])
    for kind in classes[1:]:
        sentence += f" {plural(kind, 1)} {plural(kind, 2)}"
    return tuple(sorted(set(words(sentence))))


def words(sentence: str) -> list[str]:
    return re.findall(r"\w+", sentence)


def bag_of_words(sentences: list[str], known: tuple[str, ...]) -> Tensor:
    """(N, words) float32: how often each known word is in each sentence.

    Raises ValueError for a word that is not known.
    """
    place = {word: i for i, word in enumerate(known)}
    counts = torch.zeros(len(sentences), len(known), dtype=torch.float32)
    for row, sentence in zip(counts, sentences, strict=True):
        for word in words(sentence):
            if word not in place:
                raise ValueError(f"sentences must be of known words, got {word!r}")
            row[place[word]] += 1
    return counts
