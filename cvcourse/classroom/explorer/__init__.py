"""Choose a picture, choose a task, and see what each trained model of the course answers."""

from cvcourse.classroom.explorer.answering import (
    Told,
    ask_all,
    tasks,
)
from cvcourse.classroom.explorer.page import (
    VisionExplorer,
)

__all__ = ["Told", "VisionExplorer", "ask_all", "tasks"]
