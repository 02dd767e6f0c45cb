"""The explorer as a page: a picture, a question, and the answers beside one another."""

import html

import matplotlib.pyplot as plt
from torch import Tensor

from cvcourse.classroom.explorer.answering import ask_all, tasks
from cvcourse.classroom.explorer.pictures_to_choose import PICTURES, own_picture
from cvcourse.classroom.figures import style
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
    `upload`, `task`, `published` and `ask` are its controls, `answers` and `status` what it says.
    """

    def __init__(self) -> None:
        with extra("lessons", "the explorer"):
            from ipywidgets import HTML, Button, Checkbox, Dropdown, FileUpload, HBox, VBox

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
        self.ask = Button(description="Ask", button_style="primary", tooltip="Ask all models")
        self.status, self.answers = HTML(), HTML()
        self._own: Tensor | None = None
        controls = [HBox([self.picture, self.upload]), self.task, self.published, self.ask]
        self.widget = VBox([*controls, self.status, self.answers])
        self.picture.observe(self._chosen, "value")
        self.upload.observe(self._uploaded, "value")
        self.published.observe(self._wider, "value")
        self.ask.on_click(lambda button: self.run())

    def image(self) -> Tensor:
        """The picture that is asked about: the uploaded one, until another is chosen."""
        return PICTURES[self.picture.value]() if self._own is None else self._own

    def run(self) -> None:
        """Ask all models and show what they say, each as soon as it has said it."""
        self.ask.disabled = True
        image = self.image()
        cards = [_whole(image)]
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
            self._say(count_of(len(cards) - 1, "answer"))
        finally:
            self.ask.disabled = False

    def _chosen(self, change) -> None:
        self._own = None

    def _uploaded(self, change) -> None:
        if not self.upload.value:
            return
        file = self.upload.value[0]
        try:
            self._own = own_picture(bytes(file["content"]))
        except ValueError as error:
            self._own = None
            self._say(f"{file['name']}: {error}")
            return
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


def _whole(image: Tensor) -> str:
    figure, axes = plt.subplots(figsize=(3.4, 3.4))
    draw_image(axes, image)
    style.describe(figure, "The picture that is asked about.")
    plt.close(figure)
    height, width = image.shape[1:]
    return (
        f"<article><h3>The picture</h3><p class='from'>{width} × {height} pixels</p>"
        f"{style.image_tag(figure)}<p>Each network sees it as its card says: most of them the "
        "square in the middle, made small.</p></article>"
    )
