"""What the person in front of a training run sees of it, and how they stop it."""

import signal
import threading
import time

from cvcourse.classroom.figures import style
from cvcourse.classroom.history import History
from cvcourse.data._extras import extra

SECONDS_BETWEEN_PICTURES = 2.0
SHARE_OF_TIME = 0.03  # at most, for drawing them


class Interrupts:
    """Within this context the first Ctrl-C only sets `asked`; the second interrupts as usual."""

    def __enter__(self):
        self.asked = False
        self._in_main_thread = threading.current_thread() is threading.main_thread()
        if self._in_main_thread:
            self._before = signal.signal(signal.SIGINT, self._ask) or signal.SIG_DFL
        return self

    def __exit__(self, *exception):
        if self._in_main_thread:
            signal.signal(signal.SIGINT, self._before)

    def _ask(self, *_):
        self.asked = True
        signal.signal(signal.SIGINT, self._before)


class Show:
    """A progress bar, and in notebooks the curves, redrawn every few seconds."""

    def __init__(self, history: History, total: int | None, *, bar, live, main):
        self.history = history
        self._total = total
        self._has_bar = bar and main
        self._is_live = main and (style.in_notebook() if live is None else live)

    def __enter__(self):
        with extra("lessons", "fit"):
            from tqdm.auto import tqdm

        done = len(self.history)
        self._bar = tqdm(
            total=self._total, initial=done, unit="step", disable=not self._has_bar, leave=True
        )
        self._handle = None
        self._next_picture = time.monotonic() + SECONDS_BETWEEN_PICTURES
        return self

    def step(self) -> None:
        """Tell of the step that was added to the history last."""
        self._bar.set_postfix(loss=f"{self.history[-1]['loss']:.4g}", refresh=False)
        self._bar.update()
        if self._is_live and time.monotonic() > self._next_picture:
            self._draw()

    def __exit__(self, *exception):
        self._bar.close()
        if self._is_live and self.history:
            self._draw()

    def _draw(self) -> None:
        from IPython.display import display

        from cvcourse.classroom.figures.charts import show_curves

        start = time.monotonic()
        figure = show_curves(self.history)
        if self._handle is None:
            self._handle = display(figure, display_id=True)
        else:
            self._handle.update(figure)
        now = time.monotonic()
        self._next_picture = now + max(SECONDS_BETWEEN_PICTURES, (now - start) / SHARE_OF_TIME)
