"""Training that can be watched, interrupted and taken up again, and the weights that come of it."""

from cvcourse.classroom.training.checkpoint import (
    load_best,
)
from cvcourse.classroom.training.fit import (
    fit,
    warmup_cosine,
)
from cvcourse.classroom.training.repeated import (
    repeated,
)
from cvcourse.classroom.training.weights import (
    trained,
)

__all__ = ["fit", "load_best", "repeated", "trained", "warmup_cosine"]
