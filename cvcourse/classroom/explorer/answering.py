"""Asking every model that has a task: its answer as a figure, its time, its size, its limits."""

import html
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor, nn

from cvcourse.classroom.explorer import entries
from cvcourse.classroom.explorer.entries import Entry
from cvcourse.classroom.explorer.showing import Pair
from cvcourse.classroom.figures import style

# in the groups of the vision explorer that the course's notes show
GROUPS = {
    "Recognition": {
        "digit": "Which digit is it?",
        "photograph": "Which of 15 photographs is it from?",
        "classification": "What is it? (one of 1,000 names)",
        "detection": "What is where? (boxes)",
        "instances": "What is where? (outlines)",
        "segmentation": "What is each pixel part of?",
        "keypoints": "Where are a person's joints?",
    },
    "Words": {"caption": "What would one say of it?"},
    "Scene geometry": {
        "depth": "How far is each pixel?",
        "normals": "Which way does each surface face?",
        "edges": "Where are edges?",
    },
    "Motion": {"flow": "Where does each pixel go?"},
    "Making pictures": {"super-resolution": "What would it look like, enlarged?"},
}


@dataclass(frozen=True)
class Told:
    """What one model says of one picture. `problem` is "" or why there is no answer."""

    name: str
    lesson: str
    limits: str
    figure: Figure | None = None
    confidence: str = ""
    milliseconds: float = 0.0
    parameters: int = 0
    size: tuple[int, int] = (0, 0)  # height and width of what the network saw
    problem: str = ""

    def card(self) -> str:
        """The answer as HTML."""
        where = f"lesson {self.lesson}" if self.lesson else "published weights"
        head = f"<h3>{html.escape(self.name)}</h3><p class='from'>{html.escape(where)}</p>"
        limits = f"<p><b>Limits.</b> {html.escape(self.limits)}</p>"
        if self.problem:
            problem = f"<p class='problem'>{html.escape(self.problem)}</p>"
            return f"<article>{head}{problem}{limits}</article>"
        height, width = self.size
        facts = (
            f"saw {width} × {height} pixels · {self.parameters:,} weights · "
            f"{self.milliseconds:,.0f} ms"
        )
        return (
            f"<article>{head}{style.image_tag(self.figure)}"
            f"<p><b>Confidence.</b> {html.escape(self.confidence)}</p>{limits}"
            f"<p class='from'>{facts}</p></article>"
        )


def tasks(*, published: bool = False) -> dict[str, dict[str, str]]:
    """{group: {task: question}}: the questions to which a trained model has an answer."""
    asked = {entry.task for entry in _entries(published)}
    groups = {
        group: {task: question for task, question in of_group.items() if task in asked}
        for group, of_group in GROUPS.items()
    }
    return {group: of_group for group, of_group in groups.items() if of_group}


def ask_all(
    image: Tensor | Pair,
    task: str,
    *,
    published: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Iterator[Told]:
    """What each model with this task says of a picture (3, H, W) in [0, 1], one after the other.

    image: for "flow" a `Pair`, of frames of about 64 pixels; other tasks ask of its first frame.
    published: also networks with published weights, which are fetched once and verified by the
        SHA-256 in their names (`load_pretrained`). progress: told in words what is being done.

    A model that cannot be had (no network, a damaged file) gives a `Told` that says so.

    Raises ValueError for a task that no model answers, and for "flow" of one picture.
    """
    chosen = [entry for entry in _entries(published) if entry.task == task]
    if not chosen:
        known = sorted({entry.task for entry in _entries(published)})
        raise ValueError(f"task must be one of {', '.join(known)}, but is {task!r}")
    if task == "flow" and not isinstance(image, Pair):
        raise ValueError("image must be a Pair of frames for the task 'flow', but is one picture")
    if task != "flow" and isinstance(image, Pair):
        image = image.first
    return (_told(entry, image, progress or (lambda words: None)) for entry in chosen)


def _entries(published: bool) -> Sequence[Entry]:
    return entries.OURS + (entries.PUBLISHED if published else ())


_loaded: dict[Entry, nn.Module] = {}


def _model(entry: Entry, progress: Callable[[str], None]) -> nn.Module:
    def bytes_so_far(done: int, whole: int | None) -> None:
        of = f" of {whole / 1e6:.0f}" if whole else ""
        progress(f"{entry.name}: fetching, {done / 1e6:.0f}{of} MB")

    if entry not in _loaded:
        _loaded[entry] = entry.load(bytes_so_far)
    return _loaded[entry]


def _told(entry: Entry, image: Tensor | Pair, progress: Callable[[str], None]) -> Told:
    about = {"name": entry.name, "lesson": entry.lesson, "limits": entry.limits}
    progress(f"{entry.name} …")
    try:
        model = _model(entry, progress)
    except ConnectionError as error:
        return Told(
            **about, problem=f"Its weights are not here, and cannot be fetched now: {error}"
        )
    except (OSError, ValueError) as error:
        return Told(**about, problem=f"Its weights cannot be read: {error}")
    seen = entry.see(image)
    started = time.perf_counter()
    answer = entry.answer(model, seen)
    took = 1000 * (time.perf_counter() - started)
    figure, axes = plt.subplots(figsize=(3.4, 3.4))
    answer.draw(axes)
    height, width = (seen.first if isinstance(seen, Pair) else seen).shape[1:]
    style.describe(figure, f"{entry.name}: {answer.confidence}")
    plt.close(figure)
    return Told(
        **about,
        figure=figure,
        confidence=answer.confidence,
        milliseconds=took,
        parameters=sum(p.numel() for p in model.parameters()),
        size=(height, width),
    )
