"""Many tasks, one network: turns, stopping and going on, losses (Lu et al. 2020, 1912.02315).

Each iteration goes once round the tasks, with an optimiser step after each. A task whose validation
score no longer grows is stopped: it has a turn only every few iterations, enough not to be
forgotten, and goes on as soon as its score falls. The losses are weighted as in the authors' code:
the binary cross-entropy of answers is multiplied by the number of answers, or it would be thousands
of times weaker than the retrieval's.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cvcourse.losses._checks import check_integers, check_logits, check_matrix, check_same_shape
from cvcourse.losses._reduce import at_least_float32, reduce_loss
from cvcourse.ops._checks import check_mask, check_ndim, check_tensor


class StopAndGo:
    """Whether one task is stopped, from its validation scores (larger is better).

    Args:
        patience: evaluations without growth that are borne before it is stopped.
        cooldown: evaluations after each stop or start that do not count as bad.
        threshold: relative growth of the best score that counts as growth.
        continue_threshold: relative fall below the best score that sets it going again.
        every: while stopped, it has a turn at each iteration that this divides.

    `in_stop`, `best`, `bad` and `cooldown_left` are its state; the defaults are the paper's.

    Raises ValueError for counts below 0, `every` below 1, or negative thresholds.
    """

    def __init__(
        self,
        *,
        patience: int = 1,
        cooldown: int = 1,
        threshold: float = 0.001,
        continue_threshold: float = 0.005,
        every: int = 4,
    ) -> None:
        least = {"patience": (patience, 0), "cooldown": (cooldown, 0), "every": (every, 1)}
        least |= {"threshold": (threshold, 0), "continue_threshold": (continue_threshold, 0)}
        for name, (value, low) in least.items():
            if not value >= low:
                raise ValueError(f"{name} must be at least {low}, got {value}")
        self.patience, self.cooldown, self.every = patience, cooldown, every
        self.threshold, self.continue_threshold = threshold, continue_threshold
        self.best, self.bad, self.cooldown_left, self.in_stop = -float("inf"), 0, 0, False

    def update(self, score: float) -> bool:
        """Take the score of an evaluation; whether the task is stopped from now on."""
        if score > self.best * (1 + self.threshold) or self.best == -float("inf"):
            self.best, self.bad = score, 0
        else:
            self.bad += 1
        if self.cooldown_left > 0:
            self.cooldown_left -= 1
            self.bad = 0
        fell = score < self.best * (1 - self.continue_threshold)
        if self.bad > self.patience:  # again and again, too, while it is stopped
            self.in_stop, self.bad, self.cooldown_left = True, 0, self.cooldown
        elif self.in_stop and fell:
            self.in_stop, self.bad, self.cooldown_left = False, 0, self.cooldown
        return self.in_stop

    def has_turn(self, iteration: int) -> bool:
        return not self.in_stop or iteration % self.every == 0


def round_robin(
    tasks: Sequence[str], iterations: int, controls: dict[str, StopAndGo] | None = None
) -> Iterator[tuple[int, str]]:
    """(iteration, task): all tasks in order, once in each iteration, but those that are stopped.

    controls: by task, looked at when its turn comes; tasks without one are never stopped.
    """
    controls = {} if controls is None else controls
    unknown = controls.keys() - set(tasks)
    if unknown:
        raise ValueError(f"controls must be of {', '.join(tasks)}, got {sorted(unknown)}")
    for iteration in range(iterations):
        for task in tasks:
            if task not in controls or controls[task].has_turn(iteration):
                yield iteration, task


def answer_loss(
    logits: Float[Tensor, "batch answers"], scores: Float[Tensor, "batch answers"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy of soft scores in [0, 1], mean over the batch, *sum* over answers.

    Of an empty batch 0; at least float32, as the sum of thousands of answers soon leaves float16.
    Raises ValueError for other shapes and dtypes.
    """
    check_matrix("logits", logits)
    check_same_shape("scores", scores, "logits", logits)
    logits = at_least_float32(logits)
    each = F.binary_cross_entropy_with_logits(logits, scores.to(logits.dtype), reduction="none")
    return reduce_loss(each, "mean") * logits.shape[1]


def region_targets(
    overlap: Float[Tensor, "batch regions"], *, threshold: float = 0.5
) -> Float[Tensor, "batch regions"]:
    """Each region's IoU with the one that is meant where it is `threshold` or more, else 0."""
    check_tensor("overlap", overlap)
    return torch.where(overlap >= threshold, overlap, torch.zeros_like(overlap))


def choice_loss(
    scores: Float[Tensor, "batch options"], which: Int[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """Retrieval: which of the options (the right pair and wrong ones) fits; softmax over them.

    Mean over the batch, of an empty one 0; at least float32. Raises ValueError for other shapes and
    dtypes.
    """
    check_ndim("scores", scores, "(batch, options)")
    check_logits("scores", scores)
    check_integers("which", which)
    check_same_shape("which", which, "scores[:, 0]", scores[:, 0])
    each = F.cross_entropy(at_least_float32(scores), which.long(), reduction="none")
    return reduce_loss(each, "mean")


def accuracy_of_regions(
    logits: Float[Tensor, "batch regions"],
    overlap: Float[Tensor, "batch regions"],
    mask: Bool[Tensor, "batch regions"] | None = None,
    *,
    threshold: float = 0.5,
) -> float:
    """The share of the batch whose best region overlaps what is meant by `threshold` or more.

    Of an empty batch nan. Raises ValueError for other shapes, or a mask that is not bool.
    """
    check_matrix("logits", logits)
    check_same_shape("overlap", overlap, "logits", logits)
    if mask is not None:
        check_mask("mask", mask, logits.shape)
        logits = logits.masked_fill(~mask, -torch.inf)
    best = overlap.gather(1, logits.argmax(1, keepdim=True))
    return (best >= threshold).double().mean().item()
