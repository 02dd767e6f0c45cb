"""The explorer as a page: a picture, a question, and the answers beside one another."""

import html
from collections.abc import Callable
from functools import partial

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

from cvcourse.classroom.explorer.answering import ask_all, tasks
from cvcourse.classroom.explorer.pairs import FURTHEST, PAIRS, SIDE, shifted
from cvcourse.classroom.explorer.pictures_to_choose import PICTURES, own_picture
from cvcourse.classroom.explorer.showing import LONGEST, Pair
from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.fields import draw_flow
from cvcourse.classroom.figures.pictures import count_of, draw_image
from cvcourse.data._extras import extra

LOOK = """<style>
.explorer { display: flex; flex-wrap: wrap; gap: 1em; line-height: 1.35; }
.explorer article { flex: 0 1 22em; border: 1px solid #bbb; border-radius: 6px; }
.explorer article { padding: .6em .8em; }
.explorer h3 { margin: 0; font-size: 1.1em; }
.explorer p { margin: .4em 0; }
.explorer .from { color: #555; font-size: .9em; }
.explorer .problem { color: #8a3a00; }
</style>"""


class VisionExplorer:
    """Choose or upload a picture, choose a task, and see what each trained model answers.

    Its last value in a cell shows it; `make explore` opens it alone in the browser. `picture`,
    `upload`, `task`, `published` and `ask` are its controls, `answers` and `status` what it says;
    `right` and `down` move the copy between which and the picture the question about motion asks.
    """

    def __init__(self) -> None:
        with extra("lessons", "the explorer"):
            from ipywidgets import (
                HTML,
                Button,
                Checkbox,
                Dropdown,
                FileUpload,
                HBox,
                IntSlider,
                VBox,
            )

        style.use()
        wide = {"style": {"description_width": "6em"}, "layout": {"width": "34em"}}
        self.picture = Dropdown(options=list(PICTURES), description="picture", **wide)
        self.upload = FileUpload(accept="image/*", multiple=False, description="or your own")
        self.task = Dropdown(options=_questions(False), description="question", **wide)
        self.published = Checkbox(
            value=False,
            indent=False,
            description="ask published networks, too (fetched once: up to 180 MB each)",
            layout={"width": "34em"},
        )
        reach = {"min": -FURTHEST, "max": FURTHEST, **wide}
        self.right = IntSlider(value=4, description="right", **reach)
        self.down = IntSlider(value=-2, description="down", **reach)
        of_pixels = f"The copy is moved by so many of the {SIDE} pixels of its middle:"
        self.shift = VBox([HTML(f"<p>{of_pixels}</p>"), self.right, self.down])
        self.ask = Button(description="Ask", button_style="primary", tooltip="Ask all models")
        self.status, self.answers = HTML(), HTML()
        self._own: Tensor | None = None
        controls = [HBox([self.picture, self.upload]), self.task, self.shift, self.published]
        self.widget = VBox([*controls, self.ask, self.status, self.answers])
        self.picture.observe(self._chosen, "value")
        self.upload.observe(self._uploaded, "value")
        self.published.observe(self._wider, "value")
        self.task.observe(lambda change: self._show_shift(), "value")
        self.ask.on_click(lambda button: self.run())
        self._show_shift()

    def image(self) -> Tensor:
        """The picture that is asked about: the uploaded one, until another is chosen."""
        return PICTURES[self.picture.value]() if self._own is None else self._own

    def pair(self) -> Pair:
        """The two frames between which the question about motion asks: those chosen, or the
        picture and its copy, moved as the sliders say."""
        if self._shifts():
            return shifted(self.image(), self.right.value, self.down.value)
        return PAIRS[self.picture.value]()

    def run(self) -> None:
        """Ask all models and show what they say, each as soon as it has said it."""
        self.ask.disabled = True
        image = self.pair() if self.task.value == "flow" else self.image()
        cards = _both(image) if isinstance(image, Pair) else [_whole(image)]
        asked = len(cards)
        try:
            answers = ask_all(
                image,
                self.task.value,
                published=self.published.value,
                progress=self._say,
            )
            self._show(cards)
            for told in answers:
                cards.append(told.card())
                self._show(cards)
            self._say(count_of(len(cards) - asked, "answer"))
        finally:
            self.ask.disabled = False

    def _shifts(self) -> bool:
        return self._own is not None or self.picture.value not in PAIRS

    def _show_shift(self) -> None:
        asked = self.task.value == "flow" and self._shifts()
        self.shift.layout.display = "" if asked else "none"

    def _chosen(self, change) -> None:
        self._own = None
        self._show_shift()

    def _uploaded(self, change) -> None:
        if not self.upload.value:
            return
        file = self.upload.value[0]
        try:
            self._own = own_picture(bytes(file["content"]))
        except ValueError as error:
            self._own = None
            self._show_shift()
            self._say(f"{file['name']}: {error}")
            return
        self._show_shift()
        height, width = self._own.shape[1:]
        self._say(f"{file['name']}, {width} × {height} pixels. It stays on this machine.")

    def _wider(self, change) -> None:
        before = self.task.value
        self.task.options = _questions(self.published.value)
        if before in dict(self.task.options).values():
            self.task.value = before

    def _say(self, words: str) -> None:
        self.status.value = f"<p role='status'>{html.escape(words)}</p>"

    def _show(self, cards: list[str]) -> None:
        self.answers.value = f"{LOOK}<div class='explorer'>{''.join(cards)}</div>"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)


def _questions(published: bool) -> list[tuple[str, str]]:
    groups = tasks(published=published).items()
    return [
        (f"{group}: {question}", task)
        for group, of_group in groups
        for task, question in of_group.items()
    ]


def _card(name: str, draw: Callable[[Axes], None], about: str, alt: str, more: str = "") -> str:
    figure, axes = plt.subplots(figsize=(3.4, 3.4))
    draw(axes)
    style.describe(figure, alt)
    plt.close(figure)
    return (
        f"<article><h3>{name}</h3><p class='from'>{about}</p>{style.image_tag(figure)}{more}"
        "</article>"
    )


def _whole(image: Tensor) -> str:
    height, width = image.shape[1:]
    more = (
        "<p>Each network sees it as its card says: most of them the square in the middle, made "
        "small.</p>"
    )
    about = f"{width} × {height} pixels"
    alt = "The picture that is asked about."
    return _card("The picture", lambda axes: draw_image(axes, image), about, alt, more)


def _both(pair: Pair) -> list[str]:
    height, width = pair.first.shape[1:]
    about, known = f"{width} × {height} pixels", pair.flow.isfinite().all(0).float().mean()
    cards = [
        _card(f"The {name} frame", partial(draw_image, image=image), about, f"The {name} frame.")
        for name, image in (("first", pair.first), ("second", pair.second))
    ]
    more = (
        "<p>Hue is direction, strength is length, an arrow goes from a point to where it will be. "
        f"Known for {known:.0%} of the pixels; black where not.</p>"
    )
    alt = "The true flow from the first frame to the second."
    truth = partial(draw_flow, flow=pair.flow, longest=LONGEST)
    return [*cards, _card("The truth", truth, about, alt, more)]
