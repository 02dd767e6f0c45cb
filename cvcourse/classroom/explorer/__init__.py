"""Choose a picture, choose a task, and see what each trained model of the course answers."""

from cvcourse.classroom.explorer.answering import (
    Told,
    ask_all,
    tasks,
)
from cvcourse.classroom.explorer.page import (
    VisionExplorer,
)
from cvcourse.classroom.explorer.pairs import (
    shifted,
)
from cvcourse.classroom.explorer.showing import (
    Pair,
)

__all__ = ["Pair", "Told", "VisionExplorer", "ask_all", "shifted", "tasks"]
